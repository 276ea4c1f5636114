/** The part of a tunnel's policy that its agent names in ptun.yaml or on the command line. */
import { type Policy, requestRules, type TunnelKind } from '@porttunneler/shared/protocol/endpoint'

/** As schemas return it. */
export type PolicyParts = { readonly [F in keyof Policy]?: Policy[F] | undefined }

/** The rule that a tunnel of this kind cannot keep, if it names one. */
export function faultOfPolicy(kind: TunnelKind, policy: PolicyParts): keyof Policy | undefined {
  return kind === 'http' ? undefined : requestRules.find((name) => policy[name] !== undefined)
}

const words: Readonly<Record<string, string>> = {
  allow: 'addresses that are let in',
  deny: 'addresses that are kept out',
  connectionsMax: 'connections at once',
  connectionsPerMinute: 'connections a minute',
  requestsPerMinute: 'requests a minute',
  bodyBytesMax: 'the longest body',
  httpsOnly: 'HTTPS only',
  acme: 'who answers certificate authorities',
  keepConnections: 'whether connections are kept',
}

/** Parts of a policy, for people. A newer server may name one that is not known here. */
export function sayPolicy(parts: readonly string[]): string {
  return parts.map((part) => words[part] ?? part).join(', ')
}
