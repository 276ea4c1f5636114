/** A tunnel's policy as the form's texts and back. What is valid is the API's to say; here are only the forms. */
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import { formatBytes, formatCounted } from './format.ts'

type Policy = Tunnel['policy']
type Edits = NonNullable<Tunnel['edits']>
type HeaderEdits = NonNullable<Edits['requestHeaders']>

/** Whether ended connections are kept, and how their addresses are. */
export type KeepWish = NonNullable<Policy['keepConnections']> | 'off'

export type PolicyTexts = {
  readonly allow: string
  readonly deny: string
  readonly connectionsMax: string
  readonly connectionsPerMinute: string
  readonly requestsPerMinute: string
  readonly bodyBytesMax: string
  readonly httpsOnly: boolean
  readonly acmeUpstream: boolean
  readonly keepConnections: KeepWish
}

export function policyToTexts(policy: Policy): PolicyTexts {
  return {
    allow: (policy.allow ?? []).join('\n'),
    deny: (policy.deny ?? []).join('\n'),
    connectionsMax: policy.connectionsMax?.toString() ?? '',
    connectionsPerMinute: policy.connectionsPerMinute?.toString() ?? '',
    requestsPerMinute: policy.requestsPerMinute?.toString() ?? '',
    bodyBytesMax: policy.bodyBytesMax?.toString() ?? '',
    httpsOnly: policy.httpsOnly ?? false,
    acmeUpstream: policy.acme === 'upstream',
    keepConnections: policy.keepConnections ?? 'off',
  }
}

/** Addresses may stand one a line or with commas or spaces between; an empty number means the plan's limit. */
export function textsToPolicy(texts: PolicyTexts): Policy {
  const connectionsMax = toNumber(texts.connectionsMax)
  const connectionsPerMinute = toNumber(texts.connectionsPerMinute)
  const requestsPerMinute = toNumber(texts.requestsPerMinute)
  const bodyBytesMax = toNumber(texts.bodyBytesMax)
  return {
    allow: toAddresses(texts.allow),
    deny: toAddresses(texts.deny),
    ...(connectionsMax !== undefined && { connectionsMax }),
    ...(connectionsPerMinute !== undefined && { connectionsPerMinute }),
    ...(requestsPerMinute !== undefined && { requestsPerMinute }),
    ...(bodyBytesMax !== undefined && { bodyBytesMax }),
    ...(texts.httpsOnly && { httpsOnly: true }),
    ...(texts.acmeUpstream && { acme: 'upstream' as const }),
    ...(texts.keepConnections !== 'off' && { keepConnections: texts.keepConnections }),
  }
}

/** Which addresses of a list the API refused, in words for under that list; undefined when none. */
export function refusedIn(
  field: 'allow' | 'deny',
  texts: PolicyTexts,
  issues: readonly { readonly path: string }[],
): string | undefined {
  const addresses = toAddresses(texts[field])
  const refused = issues.flatMap(({ path }) => {
    const [, name, index] = /^policy\.(allow|deny)\.(\d+)/.exec(path) ?? []
    return name === field ? [addresses[Number(index)] ?? 'an entry'] : []
  })
  if (refused.length === 0) return undefined
  return `No address and no range: ${[...new Set(refused)].join(', ')}`
}

/** One a line, or with commas or spaces between. */
export function toAddresses(text: string): string[] {
  return text.split(/[\s,;]+/).filter((address) => address !== '')
}

function toNumber(text: string): number | undefined {
  return text.trim() === '' ? undefined : Number(text)
}

/** What the policy does, for people who only look: one short sentence a rule. */
export function describePolicy(policy: Policy): string[] {
  const { allow = [], deny = [], connectionsMax, connectionsPerMinute } = policy
  const { requestsPerMinute, bodyBytesMax, httpsOnly, acme, keepConnections } = policy
  return [
    allow.length > 0 ? `Only from ${allow.join(', ')}` : 'From every address',
    ...(deny.length > 0 ? [`Never from ${deny.join(', ')}`] : []),
    connectionsMax === undefined
      ? 'As many connections at once as the plan allows'
      : `At most ${formatCounted(connectionsMax, 'connection')} at once`,
    connectionsPerMinute === undefined
      ? 'As many new connections a minute as the plan allows'
      : `At most ${formatCounted(connectionsPerMinute, 'new connection')} a minute`,
    ...(requestsPerMinute === undefined
      ? []
      : [`At most ${formatCounted(requestsPerMinute, 'request')} a minute from one visitor`]),
    ...(bodyBytesMax === undefined ? [] : [`Request bodies of at most ${formatBytes(bodyBytesMax)}`]),
    ...(httpsOnly === true ? ['Plain HTTP is sent to HTTPS'] : []),
    ...(acme === 'upstream' ? ['The upstream gets its own certificates for own domains (HTTP-01)'] : []),
    ...(keepConnections ? [`Connections that end are kept, with addresses ${keepConnections}`] : []),
  ]
}

/** What agents change in requests and answers because the API says so, one short sentence a rule. */
export function describeEdits({ redirects = [], requestHeaders, responseHeaders, hsts }: Edits): string[] {
  const namesOf = ({ remove = [], set = {}, add = {} }: HeaderEdits) =>
    [...new Set([...remove, ...Object.keys(set), ...Object.keys(add)])].join(', ')
  return [
    ...redirects.map(({ from, to }) => `The agent redirects ${from} to ${to}`),
    ...(requestHeaders ? [`The agent changes headers of requests: ${namesOf(requestHeaders)}`] : []),
    ...(responseHeaders ? [`The agent changes headers of answers: ${namesOf(responseHeaders)}`] : []),
    ...(hsts
      ? [`Browsers are told to use HTTPS only, for ${formatCounted(hsts.maxAgeSeconds, 'second')}`]
      : []),
  ]
}
