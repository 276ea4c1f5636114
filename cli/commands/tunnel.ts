/** `ptun tcp`, `ptun http` and `ptun tls`: one tunnel to one upstream. */
import { tagsSchema, tunnelNameSchema } from '@porttunneler/shared/api/schemas/common'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { nameMax, slipOfLabel } from '@porttunneler/shared/base/labels'
import { isWildcard } from '@porttunneler/shared/base/wildcards'
import type { TunnelKind } from '@porttunneler/shared/protocol/endpoint'
import { type ProxyVersion, proxyVersions } from '@porttunneler/shared/protocol/proxy-header'
import { parseUpstream } from '../agent/upstream.ts'
import { type Context, connectApi } from '../context.ts'
import {
  endToEndParts,
  endToEndWildcardText,
  type HttpOptions,
  type HttpParts,
  httpParts,
} from '../http-options.ts'
import { isRange, type PortTunnel, portTunnels } from '../port-range.ts'
import { type EditFlags, type Edits, editsOfFlags } from './edit-flags.ts'
import type { InspectFlag } from './inspect.ts'
import { type PolicyFlags, policyOfFlags } from './policy-flags.ts'
import { serve } from './serve.ts'
import { type WebhookFlags, webhooksOfFlags } from './webhook-flags.ts'

export type TunnelOptions = Omit<HttpOptions, keyof Edits | 'webhooks'> &
  WebhookFlags &
  EditFlags &
  PolicyFlags & {
    readonly name?: string
    readonly port?: string
    readonly proxyProtocol?: string
    readonly pool?: boolean
    readonly tag?: readonly string[]
    readonly domain?: string
    readonly e2e?: boolean
    readonly cell?: string
    readonly takeover?: boolean
    readonly qr?: boolean
    readonly inspect?: InspectFlag
  }

/** @throws cli.upstream, cli.usage, and errors of serving */
export async function serveTunnel(
  context: Context,
  kind: TunnelKind,
  { upstream, options }: { upstream: string; options: TunnelOptions },
): Promise<number> {
  const { name, port, proxyProtocol, pool = false, takeover = false, qr = false } = options
  // Only the server knows which names new tunnels may not have.
  const isName = name === undefined || tunnelNameSchema.safeParse(name).success
  const slip = isName ? undefined : slipOfLabel(name, nameMax)
  if (slip) throw fail(slip.key, `--name: ${slip.detail}`, { cause: slip })
  if (pool && name === undefined)
    throw fail('cli.usage', '--pool needs --name: that is what the agents of a pool have in common.')
  const places =
    kind === 'tcp' ? named(() => portTunnels(upstream, port)) : [{ upstream: parseUpstream(upstream) }]
  const auth = [...(options.auth ?? []), ...loginsOfEnvironment(context.env.PTUN_AUTH)]
  const asked = {
    ...options,
    auth,
    hsts: undefined,
    ...editsOfFlags(options),
    webhooks: webhooksOfFlags(options, context.env),
  }
  // For server and relay it is of kind tls.
  const policy = policyOfFlags(options.e2e ? 'tls' : kind, options)
  const spelt = spellingsIn(options, context.env)
  const partsOf = ({ upstream: at }: (typeof places)[number]) => {
    const parts = httpParts(asked, { kind, upstream: at, folder: '.', proxyProtocol })
    return options.e2e ? { ...parts, ...endToEndOf(kind, parts, options) } : parts
  }
  const tunnels = places.map((place) => ({
    kind,
    ...place,
    ...named(() => partsOf(place), spelt),
    ...nameOf(place, { name, isRange: isRange(port) }),
    ...(proxyProtocol !== undefined && { proxyProtocol: parseProxyVersion(proxyProtocol) }),
    ...(pool && { isPool: true }),
    ...(options.tag && { tags: parseTags(options.tag) }),
    ...(policy && { policy }),
    ...(options.domain !== undefined && { domain: options.domain }),
  }))
  checkNames(tunnels)
  if (options.domain !== undefined && kind === 'tcp')
    throw fail('cli.usage', '--domain is for http and tls: a tcp tunnel has a port and no names.')
  if (options.domain !== undefined) {
    const { walkThrough } = await import('./domain-walk.ts')
    await walkThrough(context, (await connectApi(context)).client, options.domain)
  }
  const commandWith = (other: string) => `ptun ${kind} ${quoted(upstream)} --name ${other}`
  return serve(context, tunnels, {
    takeover,
    qr,
    inspect: options.inspect,
    cell: () => options.cell,
    ...(name !== undefined && !isRange(port) && { commandWith }),
  })
}

/** @throws cli.usage without a name that can have a certificate */
function endToEndOf(kind: TunnelKind, parts: HttpParts, { name, domain }: TunnelOptions) {
  const refuse = (why: string) => fail('cli.usage', why, { fields: { option: 'e2e' } })
  if (kind === 'tcp') throw refuse('A tcp tunnel has a port and no name, so it can have no certificate.')
  if (name === undefined && domain === undefined)
    throw refuse(
      'The name must stay: give one that you have reserved ("ptun names reserve shop.e2e", then --name shop), or your own domain (--domain).',
    )
  if (domain !== undefined && isWildcard(domain)) throw refuse(endToEndWildcardText)
  return endToEndParts(kind, parts)
}

/** Checked before the server would refuse each of them. */
function checkNames(tunnels: readonly { readonly name?: string }[]): void {
  const slip = tunnels.find(({ name }) => name !== undefined && !tunnelNameSchema.safeParse(name).success)
  if (slip)
    throw fail(
      'cli.usage',
      `--name: "${slip.name}" is too long for a name: at most 40 letters, the port among them.`,
    )
}

/** Each tunnel of a range is named after its port. */
function nameOf(
  { port }: PortTunnel,
  { name, isRange }: { name: string | undefined; isRange: boolean },
): { name?: string; group?: string } {
  if (isRange) return { name: `${name ?? 'tcp'}-${port}`, group: name ?? 'tcp' }
  return name === undefined ? {} : { name }
}

/** Quoted so that a shell takes it as one word. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

/** One login on each line. */
function loginsOfEnvironment(text = ''): readonly string[] {
  return text.split(/\r?\n/).filter((line) => line !== '')
}

/** Options that are not spelt like the key in ptun.yaml. */
const spellings: Readonly<Record<string, string>> = {
  'request-headers': '--request-header-…',
  'response-headers': '--response-header-…',
  redirects: '--redirect',
  webhooks: '--verify-webhook',
}

/** What the user has written: the option, or the variable in its place. */
function spellingsIn({ auth }: TunnelOptions, { PTUN_AUTH }: Context['env']): typeof spellings {
  const logins = [...(auth ? ['--auth'] : []), ...(PTUN_AUTH ? ['PTUN_AUTH'] : [])]
  return { ...spellings, auth: logins.join(' and ') }
}

/** Names the option as it is written here. */
function named<T>(parse: () => T, spelt = spellings): T {
  try {
    return parse()
  } catch (error) {
    if (!isFailure(error) || error.fields.option === 'upstream') throw error
    const option = String(error.fields.option).replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
    const name = spelt[option] ?? `--${option}`
    throw fail(error.key, `${name}: ${error.detail}`, { cause: error })
  }
}

/** @throws cli.usage */
function parseTags(tags: readonly string[]): string[] {
  const { data, error } = tagsSchema.safeParse(tags)
  if (data) return data
  const wrong = tags[Number(error.issues[0]?.path[0])]
  throw fail(
    'cli.usage',
    wrong === undefined
      ? '--tag: a tunnel has at most 8 tags.'
      : `--tag: "${wrong}" is no tag: it has 1 to 32 lower-case letters and digits, with dots, colons and hyphens inside.`,
  )
}

function parseProxyVersion(text: string): ProxyVersion {
  const version = proxyVersions.find((one) => one === text)
  if (version === undefined)
    throw fail('cli.usage', `--proxy-protocol takes ${proxyVersions.join(' or ')}, not "${text}".`)
  return version
}
