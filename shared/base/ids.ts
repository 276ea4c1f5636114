/**
 * Ids and secrets. An id is a three-letter prefix and a ULID (time-ordered, 80 random bits): safe to show and to log.
 * A secret is 256 random bits behind a prefix of its own, so a leaked one is recognised by scanners; only its
 * SHA-256 is ever stored (a random secret of that size needs no slow hash).
 */
import { createHash, randomBytes, randomFillSync } from 'node:crypto'
import { decodeTime, ulid } from 'ulid'

export type IdPrefix =
  | 'usr'
  | 'acc'
  | 'key'
  | 'tun'
  | 'rel'
  | 'cmd'
  | 'aud'
  | 'ses'
  | 'agt'
  | 'wat'
  | 'svc'
  | 'inv'
  | 'fbk'
  | 'not'
  | 'viw'
  | 'alr'
  | 'mnt'
  | 'whk'
  | 'dlv'
  | 'rep'
export type Id<P extends IdPrefix = IdPrefix> = `${P}_${string}`

/** Random bytes, many at a time: to ask the system for each letter of an id takes fifty times as long. */
const pool = Buffer.allocUnsafe(1_024)
let used = pool.length

/** @returns a fraction from 0 to less than 1 in steps of 1/256, of which a letter of 32 takes each with equal chance */
function randomFraction(): number {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  return (pool[used++] ?? 0) / 256
}

/** A fresh id; ids made later sort later (to the millisecond of `nowMs`, which may have a fraction). */
export function newId<P extends IdPrefix>(prefix: P, nowMs: number): Id<P> {
  return `${prefix}_${ulid(Math.floor(nowMs), randomFraction).toLowerCase()}`
}

/** When a relay's process began, ms, by the id of its boot; undefined: it was made in another way. */
export function startOfBoot(boot: string): number | undefined {
  try {
    return decodeTime(boot.toUpperCase())
  } catch {
    return undefined
  }
}

/**
 * pts = API key, ptr = refresh token, pte = enrolment key, ptc = relay credential, ptd = device code,
 * ptw = password reset, ptv = device that signed in before, pti = invite code, ptj = invitation into an account,
 * pto = state of a sign-in at another service, ptq = the browser's half of it,
 * ptm = link of a mail to get in without a second factor, ptx = change of address.
 */
export type SecretPrefix =
  | 'pts'
  | 'ptr'
  | 'pte'
  | 'ptc'
  | 'ptd'
  | 'ptw'
  | 'ptv'
  | 'pti'
  | 'ptj'
  | 'ptx'
  | 'pto'
  | 'ptq'
  | 'ptm'

export function newSecret(prefix: SecretPrefix): string {
  return `${prefix}_${randomBytes(32).toString('base64url')}`
}

/** What the store keeps of a secret: lower-case hex SHA-256. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}
