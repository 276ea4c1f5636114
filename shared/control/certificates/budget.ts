/**
 * The limits of issuers, as token buckets in the store that every process shares. 80 % of each published limit are
 * used, and the last quarter of that only for renewals: new names never stop a renewal, however many strangers ask. A
 * renewal that ARI names is exempt at the issuer, and so here.
 */
import { getDomain } from 'tldts'
import { hashSecret } from '../../base/ids.ts'
import { type CertificateBudgetDoc, certificateBudgets } from '../certificate-documents.ts'
import type { Control } from '../control.ts'
import type { Ref } from '../platform.ts'
import type { Issuer, IssuerLimit } from './role.ts'

const spent = 0.8
const keptForRenewals = 0.25

export type Purchase = {
  readonly hosts: readonly string[]
  /** Whether it follows a certificate of the same names. */
  readonly isRenewal: boolean
}

/** @returns 0 when it was paid, otherwise the ms after which it can be */
export async function spend(
  control: Pick<Control, 'store' | 'clock'>,
  issuer: Issuer,
  purchase: Purchase,
): Promise<number> {
  const failedMs = await restAfterFailures(control, issuer, purchase.hosts)
  if (failedMs > 0) return failedMs
  const buckets = bucketsOf(issuer, purchase)
  const nowMs = control.clock.now()
  return control.store.transact(async (tx) => {
    const levels: number[] = []
    let waitMs = 0
    for (const { ref, limit, isShared } of buckets) {
      const level = levelOf((await tx.get(ref))?.data, limit, nowMs)
      const kept = isShared && !purchase.isRenewal ? capacity(limit) * keptForRenewals : 0
      levels.push(level)
      waitMs = Math.max(waitMs, ((kept + 1 - level) / capacity(limit)) * limit.perMs)
    }
    if (waitMs > 0) return Math.ceil(waitMs)
    for (const [index, { ref, limit }] of buckets.entries())
      tx.set(ref, { level: (levels[index] ?? 0) - 1, at: nowMs, ttl: new Date(nowMs + limit.perMs) })
    return 0
  })
}

/**
 * Issuers accept only a few failed proofs of a name in an hour, and then refuse the name whoever asks; renewals that
 * ARI names count too.
 * @returns how long no order with these names may fail, 0 = it may
 */
export async function restAfterFailures(
  { store, clock }: Pick<Control, 'store' | 'clock'>,
  issuer: Issuer,
  hosts: readonly string[],
): Promise<number> {
  const nowMs = clock.now()
  const limit = issuer.limits.failures
  let waitMs = 0
  for (const ref of failureRefs(issuer, hosts)) {
    const level = levelOf((await store.get(ref))?.data, limit, nowMs)
    waitMs = Math.max(waitMs, ((1 - level) / capacity(limit)) * limit.perMs)
  }
  return Math.ceil(waitMs)
}

/** Call it when the issuer found no proof of one of these names. */
export async function countFailure(
  { store, clock }: Pick<Control, 'store' | 'clock'>,
  issuer: Issuer,
  hosts: readonly string[],
): Promise<void> {
  const nowMs = clock.now()
  const limit = issuer.limits.failures
  for (const ref of failureRefs(issuer, hosts))
    await store.transact(async (tx) => {
      const level = Math.max(0, levelOf((await tx.get(ref))?.data, limit, nowMs) - 1)
      tx.set(ref, { level, at: nowMs, ttl: new Date(nowMs + limit.perMs) })
    })
}

/** A name and its wildcard are proven at the same place. */
function failureRefs(issuer: Issuer, hosts: readonly string[]): readonly Ref<CertificateBudgetDoc>[] {
  const names = new Set(hosts.map((host) => host.replace(/^\*\./, '')))
  return [...names].map((name) => bucketRef(issuer, 'failures', name))
}

/**
 * Returns the cost of a failed order: by name, issuers count only issued certificates. The order itself stays counted.
 */
export async function refund(
  control: Pick<Control, 'store' | 'clock'>,
  issuer: Issuer,
  purchase: Purchase,
): Promise<void> {
  const nowMs = control.clock.now()
  for (const { ref, limit, isShared } of bucketsOf(issuer, purchase))
    if (!isShared)
      await control.store.change(ref, (current) => {
        if (!current) return 'keep'
        const level = Math.min(capacity(limit), levelOf(current, limit, nowMs) + 1)
        return { level, at: nowMs, ttl: new Date(nowMs + limit.perMs) }
      })
}

function bucketsOf(issuer: Issuer, { hosts, isRenewal }: Purchase): readonly Bucket[] {
  const { limits } = issuer
  // Renewals of the same names are exempt from the limit by domain.
  const domains = isRenewal ? [] : [...new Set(hosts.map((host) => registeredDomain(host)))]
  return [
    bucket(issuer, 'set', [...hosts].toSorted().join(), limits.set),
    ...domains.map((domain) => bucket(issuer, 'domain', domain, limits.domain)),
    bucket(issuer, 'orders', '', limits.orders),
  ]
}

type Bucket = {
  readonly ref: Ref<CertificateBudgetDoc>
  readonly limit: IssuerLimit
  /** Whether new names and renewals share it. */
  readonly isShared: boolean
}

type Scope = keyof Issuer['limits']

function bucket(issuer: Issuer, scope: Scope, subject: string, limit: IssuerLimit): Bucket {
  return { ref: bucketRef(issuer, scope, subject), limit, isShared: scope === 'orders' }
}

function bucketRef({ name }: Issuer, scope: Scope, subject: string): Ref<CertificateBudgetDoc> {
  return certificateBudgets.ref(`${name}:${scope}:${hashSecret(subject).slice(0, 32)}`)
}

function capacity({ max }: IssuerLimit): number {
  return Math.max(1, Math.floor(max * spent))
}

function levelOf(doc: CertificateBudgetDoc | undefined, limit: IssuerLimit, nowMs: number): number {
  if (!doc) return capacity(limit)
  // A clock that was ahead returns nothing, and takes nothing.
  const passedMs = Math.max(0, nowMs - doc.at)
  return Math.min(capacity(limit), doc.level + (passedMs / limit.perMs) * capacity(limit))
}

/** As issuers count: by the list of public suffixes, with the private ones. */
function registeredDomain(host: string): string {
  const name = host.replace(/^\*\./, '')
  return getDomain(name, { allowPrivateDomains: true }) ?? name
}
