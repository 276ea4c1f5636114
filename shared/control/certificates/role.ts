/**
 * The role `Certificates`: the authorities that certificates are ordered from, and the other outside services that
 * orders need. Each call is one step of an order (RFC 8555), so that a job can stop and go on between any two.
 */
import type { Secret } from '../../base/secret.ts'

/** Our account at an issuer. One key serves all issuers, so that every relay can answer any of them. */
export type IssuerAccount = { readonly url: string; readonly key: Secret }

export type Order = {
  readonly url: string
  readonly status: 'pending' | 'ready' | 'processing' | 'valid' | 'invalid'
  readonly authorizations: readonly string[]
  readonly finalize: string
  readonly certificate?: string
  /** Why it is invalid, in the issuer's words. */
  readonly reason?: string
  /** How long the issuer wants no further request. */
  readonly retryAfterMs?: number
}

export type Challenge = {
  readonly type: string
  readonly url: string
  readonly token: string
  readonly status: string
}
export type Authorization = {
  readonly host: string
  readonly status: string
  readonly challenges: readonly Challenge[]
  readonly reason?: string
}

/** When the issuer wants a certificate renewed (RFC 9773). */
export type RenewalWindow = {
  readonly start: number
  readonly end: number
  readonly retryAfterMs?: number
}

/** This many within this time, as the issuer publishes them; budget.ts uses less. */
export type IssuerLimit = { readonly max: number; readonly perMs: number }
export type IssuerLimits = {
  readonly orders: IssuerLimit
  /** New names of one registered domain. */
  readonly domain: IssuerLimit
  /** The same set of names. */
  readonly set: IssuerLimit
  /** Failed proofs of one name. */
  readonly failures: IssuerLimit
}

/**
 * One authority.
 * @throws certificate.issuer_down, certificate.limited, certificate.refused from every call
 */
export interface Issuer {
  /** It is written into documents: another name is another issuer. */
  readonly name: string
  readonly limits: IssuerLimits
  /** Its names in CAA records. */
  readonly caa: readonly string[]
  /** The account's URL; the account is made if there is none yet. */
  account(key: Secret, signal: AbortSignal): Promise<string>
  /** @param replaces ARI's name of the certificate that this one follows */
  order(
    account: IssuerAccount,
    wish: { readonly hosts: readonly string[]; readonly replaces?: string },
    signal: AbortSignal,
  ): Promise<Order>
  readOrder(account: IssuerAccount, url: string, signal: AbortSignal): Promise<Order>
  authorization(account: IssuerAccount, url: string, signal: AbortSignal): Promise<Authorization>
  /** The challenge is met, and may be checked. */
  ready(account: IssuerAccount, challenge: Challenge, signal: AbortSignal): Promise<void>
  /** @param request DER */
  finalize(account: IssuerAccount, order: Order, request: Buffer, signal: AbortSignal): Promise<Order>
  /** PEM, leaf first. */
  download(account: IssuerAccount, url: string, signal: AbortSignal): Promise<string>
  /** undefined if it offers none. */
  renewalWindow(ariId: string, signal: AbortSignal): Promise<RenewalWindow | undefined>
}

export type CaaRecord = { readonly issue?: string; readonly issuewild?: string }

export interface Certificates {
  /** In order of preference; none: nothing is ordered. */
  readonly issuers: readonly Issuer[]
  /** The CAA records at exactly this name; also [] if nobody can tell, because the issuer checks itself. */
  caa(name: string): Promise<readonly CaaRecord[]>
  /** Where the CNAME at exactly this name leads, in small letters; undefined if there is none, or nobody can tell. */
  alias?(name: string): Promise<string | undefined>
  /**
   * The names and addresses of an authority that is this server's own: it certifies these and all names below them.
   * Absent: authorities that certify public names.
   */
  readonly local?: readonly string[]
}

/** For installations that order nothing. */
export const noCertificates: Certificates = { issuers: [], caa: async () => [] }
