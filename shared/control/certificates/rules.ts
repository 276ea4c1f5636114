/**
 * When certificates are renewed and failed orders tried again, and at which issuer: pure rules that assume no fixed
 * life.
 */
import { type BackoffShape, backoffMs } from '../../base/backoff.ts'
import { codes, type ErrorKey } from '../../base/errors.ts'
import type { CertificateDoc } from '../certificate-documents.ts'
import type { Certificates } from './role.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
/** Below this life, half of it must be left at the renewal: a third would leave only hours for an outage. */
const shortLifeMs = 10 * dayMs
const jitter = 0.05
/** ARI is asked again after at least this time, and at most a day, as the issuer wishes. */
const ariAskMs = 6 * hourMs

/**
 * There is no certificate yet, so somebody waits for it, but issuers accept only five failures of a host in an hour.
 */
const firstRetry: BackoffShape = { fastTries: 0, fastMs: 0, minMs: hourMs / 4, maxMs: dayMs, jitter: 0.1 }
const renewalRetry: BackoffShape = { fastTries: 0, fastMs: 0, minMs: hourMs, maxMs: dayMs, jitter: 0.1 }

type Life = Pick<CertificateDoc, 'notBefore' | 'notAfter'>

/** After two thirds of its life, or half of a short one, give or take 5 % of the life. */
export function renewalTime({ notBefore, notAfter }: Life, random: () => number): number {
  const life = notAfter - notBefore
  const share = life < shortLifeMs ? 1 / 2 : 2 / 3
  return Math.round(notBefore + life * (share + jitter * (2 * random() - 1)))
}

/**
 * A random moment of the window; now, when the window is over. An issuer's mistake costs neither the certificate nor
 * one order after the other: it is renewed before the last tenth of its life, and not within hours of its issue.
 */
export function windowTime(
  { start, end }: { readonly start: number; readonly end: number },
  { notBefore, notAfter, triedAt }: Life & Pick<CertificateDoc, 'triedAt'>,
  { nowMs, random }: { readonly nowMs: number; readonly random: () => number },
): number {
  const latest = notAfter - (notAfter - notBefore) * alertUnder
  const chosen = Math.min(latest, Math.round(start + (end - start) * random()))
  const issuedAt = Math.min(nowMs, triedAt)
  return Math.max(nowMs, chosen, issuedAt + ariAskMs)
}

export function ariAskTime(nowMs: number, retryAfterMs = 0): number {
  return nowMs + Math.min(dayMs, Math.max(ariAskMs, retryAfterMs))
}

/** The part of its life that a certificate still has, 0 to 1; 0 without one. */
export function leftOf({ notBefore, notAfter }: Life, nowMs: number): number {
  if (notAfter <= nowMs) return 0
  return Math.min(1, (notAfter - nowMs) / (notAfter - notBefore))
}

/** Below this part of the life the next issuer is asked: before there is time to wait for the preferred one. */
const changeUnder = 1 / 5
const alertUnder = 1 / 10

function mayChangeIssuer(life: Life, nowMs: number): boolean {
  return leftOf(life, nowMs) < changeUnder
}

export function isAlarming(doc: CertificateDoc, nowMs: number): boolean {
  return doc.version > 0 && leftOf(doc, nowMs) < alertUnder
}

/** Failures that another issuer may not have. */
const ofIssuer = [
  'certificate.issuer_down',
  'certificate.limited',
  'certificate.refused',
  'certificate.budget',
  'certificate.slow',
  'certificate.caa',
] as const satisfies readonly ErrorKey[]
const ofIssuerCodes: ReadonlySet<string> = new Set(ofIssuer.map((key) => codes[key].code))

export function isOfIssuer(code: string): boolean {
  return ofIssuerCodes.has(code)
}

/** For what only the owner can mend: no issuer is asked meanwhile, and the owner waits for it. */
const ownerRetry: BackoffShape = { fastTries: 0, fastMs: 0, minMs: hourMs / 12, maxMs: hourMs, jitter: 0.1 }
const ofOwner: ReadonlySet<string> = new Set(
  (['certificate.undelegated', 'certificate.covers'] as const).map((key) => codes[key].code),
)

/** The longest pause that an issuer's limits ask for. */
const wishMaxMs = 7 * dayMs

type Retry = {
  readonly nowMs: number
  readonly random: () => number
  /** How long the issuer wants no further order. */
  readonly wishedMs: number
}

/** @param doc includes the present failure. @returns ms until the next try */
export function retryMs(doc: CertificateDoc, { nowMs, random, wishedMs }: Retry): number {
  if (ofOwner.has(doc.error)) return backoffMs(ownerRetry, doc.failures - 1, random)
  const shape = leftOf(doc, nowMs) > 0 ? renewalRetry : firstRetry
  // A certificate of six days has no day to lose.
  const most = doc.version > 0 ? (doc.notAfter - doc.notBefore) / 20 : shape.maxMs
  const ownMs = Math.min(backoffMs(shape, doc.failures - 1, random), Math.max(shape.minMs, most))
  // An issuer that wants a longer pause than a certificate lasts does not let it run out: another may be asked.
  const wishMostMs = doc.notAfter > nowMs ? (doc.notAfter - nowMs) / 4 : wishMaxMs
  return Math.max(ownMs, Math.min(wishedMs, wishMostMs, wishMaxMs))
}

/** How the names of authorities that are a server's own begin; each has another, since nobody trusts its successor. */
export const localIssuer = 'local-'

/** Whether only those trust it who trusted an authority that this server no longer has, or not yet had. */
export function isOfFormerAuthority(
  { certificates: { issuers, local } }: { readonly certificates: Pick<Certificates, 'issuers' | 'local'> },
  { issuer, version }: Pick<CertificateDoc, 'issuer' | 'version'>,
): boolean {
  const isPresent = issuers.some(({ name }) => name === issuer)
  return version > 0 && !isPresent && (local !== undefined || issuer.startsWith(localIssuer))
}

/** In the order in which they are tried. */
export function inOrder<T>(issuers: readonly T[], doc: CertificateDoc, nowMs: number): readonly T[] {
  const [first] = issuers
  if (first === undefined || !mayChangeIssuer(doc, nowMs)) return issuers.slice(0, 1)
  const begin = isOfIssuer(doc.error) ? doc.failures % issuers.length : 0
  return [...issuers.slice(begin), ...issuers.slice(0, begin)]
}
