/** The documents of certificates. The state of a running order is in its job's progress (certificates/ordering.ts). */
import { byHost, globalCollection } from './names.ts'

/**
 * Id: the host that it is ordered for, also a wildcard of an own domain; for the wildcard of a cell, the cell's domain;
 * for a key that an agent has, `crt_` and the key's hash (certificates/agents.ts).
 */
export type CertificateDoc = {
  /** The account of its name; '' = the service's own. */
  readonly account: string
  /** The names in it; the first is the id. */
  readonly hosts: readonly string[]
  /** failing: the last try failed; an earlier certificate is valid until `notAfter`. */
  readonly state: 'ordering' | 'valid' | 'failing'
  /** Rises with each certificate, 0 before the first: relays keep the highest. */
  readonly version: number
  /** PEM, leaf first; '' = none yet. */
  readonly chain: string
  /** Its key, PEM, sealed by the vault; '' = an agent has the key. */
  readonly wrappedKey: string
  /** The request of the agent that has the key, DER in base64. */
  readonly csr?: string
  /** The host, of a certificate whose key an agent has. */
  readonly agentHost?: string
  /** The id of the agent's certificate before this one; '' = none. */
  readonly replaces?: string
  /** When the agent sent the request. */
  readonly requestedAt?: number
  /** Where an agent has the key: the wildcard that stands for its host, for the query. */
  readonly above?: string
  readonly issuer: string
  readonly notBefore: number
  readonly notAfter: number
  readonly renewAt: number
  /** Its name in ARI, and the last window from ARI; '' and 0 without them. */
  readonly ariId: string
  readonly ariStart: number
  readonly ariEnd: number
  readonly ariAskAt: number
  /** Failed tries since the last certificate, with the code and message of the last. */
  readonly failures: number
  readonly error: string
  readonly reason: string
  readonly triedAt: number
}

/** Id: `<issuer>:<scope>:<hash>`. A token bucket (certificates/budget.ts). */
export type CertificateBudgetDoc = { readonly level: number; readonly at: number; readonly ttl: Date }

export const certificates = byHost(globalCollection<CertificateDoc>('certificates'))
export const certificateBudgets = globalCollection<CertificateBudgetDoc>('certificateBudgets')

export function noCertificate(account: string, hosts: readonly string[]): CertificateDoc {
  const none = { version: 0, chain: '', wrappedKey: '', issuer: '', notBefore: 0, notAfter: 0, renewAt: 0 }
  const ari = { ariId: '', ariStart: 0, ariEnd: 0, ariAskAt: 0 }
  return {
    account,
    hosts,
    state: 'ordering',
    ...none,
    ...ari,
    failures: 0,
    error: '',
    reason: '',
    triedAt: 0,
  }
}

/** What stays of a document without its certificate: whose it is, and the request of an agent. */
export function withoutChain(
  { csr, replaces = '', requestedAt = 0, agentHost = '', above = '' }: CertificateDoc,
  { account, hosts }: Pick<CertificateDoc, 'account' | 'hosts'>,
): CertificateDoc {
  const none = noCertificate(account, hosts)
  return csr === undefined ? none : { ...none, csr, replaces, requestedAt, agentHost, above }
}
