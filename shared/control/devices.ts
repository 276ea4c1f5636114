/**
 * Device login (RFC 8628): `ptun login` shows a short code, a signed-in person approves it in the console, and
 * the CLI gets an API key. The key's secret is made at the poll that fetches it, so it is stored nowhere.
 */
import { randomInt } from 'node:crypto'
import { scopes as knownScopes, permissionsOf, type Scope } from '../api/schemas/access.ts'
import { sourceOf } from '../base/addresses.ts'
import { fail } from '../base/errors.ts'
import { hashSecret, newSecret } from '../base/ids.ts'
import { requireProvenMail } from './abuse/proven-mail.ts'
import { readAccount } from './accounts.ts'
import { byCaller, writeAudit } from './audit.ts'
import { type Caller, requirePerson, roleOf } from './caller.ts'
import type { Control } from './control.ts'
import { withCounts } from './counting.ts'
import { type DeviceCodeDoc, deviceCodes, members } from './documents.ts'
import { kick } from './jobs/kick.ts'
import { deviceKeyMs } from './key-expiry.ts'
import { type CreatedKey, countsFrom, readKeyRoom, withKeyRoom, writeKey } from './keys.ts'
import { lookToNotify } from './mail/notices.ts'
import { limitsOf } from './plans.ts'
import type { Snapshot, Transaction } from './platform.ts'
import { queries } from './query-table.ts'
import { countEvent } from './rates.ts'
import { requireStill } from './still.ts'
import { isStillOn } from './stored-times.ts'

const lifetimeMs = 15 * 60_000
/** RFC 8628 section 3.5: every poll that comes too early adds 5 s. */
const intervalMs = 5_000
/** A timer may fire a little early; that is not counted as too early. */
const earlyMs = 500
/** Consonants without Y, so they form no words, and none looks like another in most fonts. 20^8 codes. */
const letters = 'BCDFGHJKLMNPQRSTVWXZ'
const guesses = { scope: 'device', max: 10, windowMs: 3_600_000 } as const
const requests = { scope: 'authorize', max: 60, windowMs: 3_600_000 } as const

export type Authorization = {
  readonly deviceCode: string
  /** As shown: BCDF-GHJK. */
  readonly userCode: string
  readonly expiresInMs: number
  readonly intervalMs: number
}

/** @throws api.rate when one address asks for too many */
export async function authorizeDevice(
  control: Control,
  { device, scope, from }: { device: string; scope: string | undefined; from: string },
): Promise<Authorization> {
  await countEvent(control, requests, { subject: sourceOf(from), key: 'api.rate' })
  const nowMs = control.clock.now()
  const deviceCode = newSecret('ptd')
  // Not from `control.random`: somebody who saw some of its numbers could work out the next ones, and so other people's
  // codes.
  const userCode = Array.from({ length: 8 }, () => letters[randomInt(letters.length)]).join('')
  await control.store.create(deviceCodes.ref(hashSecret(deviceCode)), {
    userCode: hashSecret(userCode),
    state: 'pending',
    device,
    scopes: scopesOf(scope),
    from,
    createdAt: nowMs,
    expiresAt: nowMs + lifetimeMs,
    polledAt: 0,
    intervalMs,
    ttl: new Date(nowMs + lifetimeMs),
  })
  const shown = `${userCode.slice(0, 4)}-${userCode.slice(4)}`
  return { deviceCode, userCode: shown, expiresInMs: lifetimeMs, intervalMs }
}

function scopesOf(asked: string | undefined): Scope[] {
  const words = asked?.split(' ') ?? []
  const wanted = knownScopes.filter((scope) => words.includes(scope))
  return wanted.length > 0 ? wanted : ['tunnels']
}

export type Waiting = Snapshot<DeviceCodeDoc>

/**
 * What the approval page shows. A code is counted as a guess before it is looked up, and a right one is taken back. So
 * the lock holds for the right code too, and a thousand concurrent guesses are counted as a thousand.
 * @throws device.unknown; device.guesses after ten wrong codes in an hour
 */
export async function findDevice(control: Control, caller: Caller, userCode: string): Promise<Waiting> {
  const user = requirePerson(caller)
  const takeBack = await countEvent(control, guesses, { subject: user.id, key: 'device.guesses' })
  const nowMs = control.clock.now()
  const where = { userCode: hashSecret(normalise(userCode)) }
  const { items } = await control.store.query(queries.deviceByUserCode, { where, limit: 5 })
  const found = items.find(({ data }) => data.state === 'pending' && isOpen(data, nowMs))
  if (!found) throw fail('device.unknown')
  await takeBack()
  return found
}

/** Unless the person ticks more, a device may read and serve tunnels, whatever it asked for. */
export function grantedUnasked(asked: readonly Scope[]): Scope[] {
  const usual = asked.filter((scope) => scope !== 'admin')
  return usual.length > 0 ? usual : ['tunnels']
}

/** @throws auth.scope for a scope that the device did not ask for */
function grantedOf(asked: readonly Scope[], given: readonly Scope[] | undefined): Scope[] {
  if (given === undefined) return grantedUnasked(asked)
  const may = new Set([...asked, ...grantedUnasked(asked)])
  const more = given.find((scope) => !may.has(scope))
  if (more) throw fail('auth.scope', `The device has not asked for the scope "${more}".`)
  return knownScopes.filter((scope) => given.includes(scope))
}

function isOpen({ expiresAt }: DeviceCodeDoc, nowMs: number): boolean {
  return isStillOn(expiresAt, { nowMs, lastsMs: lifetimeMs })
}

function normalise(userCode: string): string {
  return userCode.toUpperCase().replace(/[^A-Z]/g, '')
}

export type DeviceDecision = {
  readonly userCode: string
  readonly approve: boolean
  /** The scopes the device gets out of those it asked for; default: read, and serve tunnels. */
  readonly scopes?: readonly Scope[] | undefined
}

/** @throws device.unknown, device.guesses, key.limit, auth.unverified, auth.scope */
export async function decideDevice(
  control: Control,
  caller: Caller,
  { userCode, approve, scopes }: DeviceDecision,
): Promise<void> {
  const user = requirePerson(caller)
  if (approve) requireProvenMail(control, caller)
  const found = await findDevice(control, caller, userCode)
  const { account } = caller
  const nowMs = control.clock.now()
  await withKeyRoom(control, caller, async (tx) => {
    const latest = await tx.get(found.ref)
    if (approve) {
      await readKeyRoom(tx, caller)
      await requireStill(tx, caller, { needs: 'keys.own', nowMs })
    }
    if (latest?.data.state !== 'pending' || !isOpen(latest.data, nowMs)) throw fail('device.unknown')
    const decided = approve
      ? ({
          state: 'approved',
          account,
          user: user.id,
          granted: grantedOf(latest.data.scopes, scopes),
        } as const)
      : ({ state: 'denied' } as const)
    tx.set(found.ref, { ...latest.data, ...decided })
    const entry = { ...byCaller(caller), target: latest.data.device || 'device' }
    writeAudit(tx, { ...entry, action: approve ? 'device.approved' : 'device.denied' }, nowMs)
  })
}

/** RFC 8628 section 3.5 and RFC 6749 section 5.2. */
export type PollError =
  | 'authorization_pending'
  | 'slow_down'
  | 'access_denied'
  | 'expired_token'
  | 'invalid_grant'
export type PollResult = { readonly created: CreatedKey } | { readonly error: PollError }

/** One poll by the CLI. The key is handed out once; a second poll gets `invalid_grant`. @throws key.limit */
export async function pollDevice(control: Control, deviceCode: string, from: string): Promise<PollResult> {
  const ref = deviceCodes.ref(hashSecret(deviceCode))
  const nowMs = control.clock.now()
  let jobs: readonly string[] = []
  const poll = async (tx: Transaction): Promise<PollResult> => {
    jobs = []
    const found = await tx.get(ref)
    if (!found || found.data.state === 'used') return { error: 'invalid_grant' }
    const { data } = found
    if (!isOpen(data, nowMs)) return { error: 'expired_token' }
    if (nowMs - data.polledAt < data.intervalMs - earlyMs) {
      tx.set(ref, { ...data, polledAt: nowMs, intervalMs: data.intervalMs + intervalMs })
      return { error: 'slow_down' }
    }
    switch (data.state) {
      case 'pending':
        tx.set(ref, { ...data, polledAt: nowMs })
        return { error: 'authorization_pending' }
      case 'denied':
        tx.set(ref, { ...data, state: 'used' })
        return { error: 'access_denied' }
      case 'approved': {
        const { account, user, scopes, granted = grantedUnasked(scopes) } = data
        if (!account || !user) return { error: 'invalid_grant' }
        const member = await tx.get(members.ref(`${account}:${user}`))
        if (!member || !permissionsOf(roleOf(member.data)).has('keys.own')) return { error: 'access_denied' }
        // The account's former owner approved it: that owner's keys have ended, and this would be one of them.
        if (data.createdAt < (member.data.keysSince ?? 0)) return { error: 'access_denied' }
        const { data: owned } = await readAccount(control, account)
        if (owned.status !== 'active') return { error: 'access_denied' }
        const owner = { account, member: user, actor: user, from, limits: limitsOf(owned) }
        // Check again: others may have been approved earlier and have taken the last place since.
        const quota = await readKeyRoom(tx, owner)
        const told = { event: 'key', user, name: data.device || 'ptun', from } as const
        const tell = await lookToNotify(tx, told, { account, nowMs })
        tx.set(ref, { ...data, state: 'used' })
        const input = { name: data.device || 'ptun', scopes: granted }
        const options = { input, quota, nowMs: countsFrom(member.data, nowMs), lifeMs: deviceKeyMs }
        const created = writeKey(tx, owner, options)
        jobs = [tell()]
        return { created }
      }
      default:
        throw new Error('a used code was polled')
    }
  }
  const result = await withCounts(control, () => control.store.transact(poll))
  await kick(control, jobs)
  return result
}
