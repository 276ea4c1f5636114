/** When certificates are renewed and failures tried again, and at which issuer: pure rules, nothing assumes a life. */
import { type BackoffShape, backoffMs } from '../../base/backoff.ts'
import { codes, type ErrorKey } from '../../base/errors.ts'
import type { CertificateDoc } from '../certificate-documents.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
/** Of a life under this, half is enough: more would leave hours for an outage. */
const shortLifeMs = 10 * dayMs
const jitter = 0.05
/** ARI is asked again after this at least, and a day at most, as the issuer wishes. */
const ariAskMs = 6 * hourMs

/** Nobody has a certificate yet: somebody waits for it, but issuers bear five failures of a host in an hour. */
const firstRetry: BackoffShape = { fastTries: 0, fastMs: 0, minMs: hourMs / 4, maxMs: dayMs, jitter: 0.1 }
const renewalRetry: BackoffShape = { fastTries: 0, fastMs: 0, minMs: hourMs, maxMs: dayMs, jitter: 0.1 }

type Life = Pick<CertificateDoc, 'notBefore' | 'notAfter'>

/** Two thirds of its life, or half of a short one, 5 % of the life sooner or later. */
export function renewalTime({ notBefore, notAfter }: Life, random: () => number): number {
  const life = notAfter - notBefore
  const share = life < shortLifeMs ? 1 / 2 : 2 / 3
  return Math.round(notBefore + life * (share + jitter * (2 * random() - 1)))
}

/** A random moment of the window; now, when the window is over. */
export function windowTime(
  { start, end }: { readonly start: number; readonly end: number },
  { nowMs, random }: { readonly nowMs: number; readonly random: () => number },
): number {
  return Math.max(nowMs, Math.round(start + (end - start) * random()))
}

export function ariAskTime(nowMs: number, retryAfterMs = 0): number {
  return nowMs + Math.min(dayMs, Math.max(ariAskMs, retryAfterMs))
}

/** How much of its life a certificate still has, 0 to 1; 0 where there is none. */
export function leftOf({ notBefore, notAfter }: Life, nowMs: number): number {
  if (notAfter <= nowMs) return 0
  return Math.min(1, (notAfter - nowMs) / (notAfter - notBefore))
}

/** The next issuer is asked from here on: until then there is time to wait for the one that is preferred. */
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

/** @param doc with the failure that has just been. @returns ms until the next try */
export function retryMs(doc: CertificateDoc, nowMs: number, random: () => number): number {
  const shape = leftOf(doc, nowMs) > 0 ? renewalRetry : firstRetry
  // A certificate of six days has no day to lose.
  const most = doc.version > 0 ? (doc.notAfter - doc.notBefore) / 20 : shape.maxMs
  return Math.min(backoffMs(shape, doc.failures - 1, random), Math.max(shape.minMs, most))
}

/** In the order in which they are to be tried. */
export function inOrder<T>(issuers: readonly T[], doc: CertificateDoc, nowMs: number): readonly T[] {
  const [first] = issuers
  if (first === undefined || !mayChangeIssuer(doc, nowMs)) return issuers.slice(0, 1)
  const begin = isOfIssuer(doc.error) ? doc.failures % issuers.length : 0
  return [...issuers.slice(begin), ...issuers.slice(0, begin)]
}
