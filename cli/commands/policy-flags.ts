/** The options that set parts of a tunnel's policy. A failure names the option. */
import { fail } from '@porttunneler/shared/base/errors'
import { policySchema, type TunnelKind } from '@porttunneler/shared/protocol/endpoint'
import { faultOfPolicy, type PolicyParts } from '../policy.ts'

/** As commander gives them. */
export type PolicyFlags = {
  readonly allow?: readonly string[]
  readonly deny?: readonly string[]
  readonly httpsOnly?: boolean
  readonly acmeUpstream?: boolean
  readonly requestsPerMinute?: string
  readonly maxBody?: string
}

const flagNames: Readonly<Record<string, string>> = {
  allow: '--allow',
  deny: '--deny',
  requestsPerMinute: '--requests-per-minute',
  bodyBytesMax: '--max-body',
  httpsOnly: '--https-only',
  acme: '--acme-upstream',
}
const units: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9 }

/** @throws cli.usage, cli.passthrough */
export function policyOfFlags(
  kind: TunnelKind,
  { allow, deny, httpsOnly, acmeUpstream, requestsPerMinute, maxBody }: PolicyFlags,
): PolicyParts | undefined {
  const policy = {
    ...(allow && { allow: [...allow] }),
    ...(deny && { deny: [...deny] }),
    ...(httpsOnly && { httpsOnly }),
    ...(acmeUpstream && { acme: 'upstream' as const }),
    ...(requestsPerMinute !== undefined && { requestsPerMinute: Number(requestsPerMinute) }),
    ...(maxBody !== undefined && { bodyBytesMax: bytesOf(maxBody) }),
  }
  if (Object.keys(policy).length === 0) return undefined
  const rule = faultOfPolicy(kind, policy)
  if (rule !== undefined)
    throw fail(
      'cli.passthrough',
      `${flagNames[rule]}: The bytes of a ${kind} tunnel pass unread, so this is for http.`,
    )
  const { success, data, error } = policySchema.partial().safeParse(policy)
  if (success) return data
  const [part = '', index] = error.issues[0]?.path ?? []
  const value = index === undefined ? '' : ` "${[allow, deny][part === 'allow' ? 0 : 1]?.[Number(index)]}"`
  const wanted =
    index === undefined ? 'a number within its bounds' : 'an address or a network such as 192.0.2.0/24'
  throw fail('cli.usage', `${flagNames[String(part)]}${value}: ${wanted} is needed.`)
}

function bytesOf(text: string): number {
  const [, digits, unit = ''] = /^(\d+)([kmg]?)b?$/i.exec(text) ?? []
  return digits === undefined ? Number.NaN : Number(digits) * (units[unit.toLowerCase()] ?? Number.NaN)
}
