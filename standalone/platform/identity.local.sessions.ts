/**
 * Refresh tokens. One document for each session, changed by compare-and-set, so each token has one successor. A token
 * that comes again later was copied and ends the session (RFC 9700, section 4.14.2). Token: `ptr_` + 43 characters that
 * name the session and stay + 43 that change with every refresh.
 *
 * A token that comes again within `repeatMs` gets the same successor again, until that one is used: a page that was
 * loaded anew, or lost its connection, before the answer came has only the token it sent. The successor is an HMAC of
 * the token with a key of this one refresh, so neither the store, which has the key, nor the token alone leads to it.
 */
import { createHmac, randomBytes } from 'node:crypto'
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { hashSecret } from '@porttunneler/shared/base/ids'
import type { SignInWrite } from '@porttunneler/shared/control/audit/sign-ins'
import type { EndedSignIns } from '@porttunneler/shared/control/ended-sign-ins'
import type { Snapshot, Store, Write } from '@porttunneler/shared/control/platform'
import {
  crowdedOut,
  lookToBegin,
  type Source,
  signInIdleMs,
  signInMsMax,
} from '@porttunneler/shared/control/sign-ins/beginning'
import type { SignInMethod } from '@porttunneler/shared/control/sign-ins/sign-in-documents'
import { isStillOn } from '@porttunneler/shared/control/stored-times'
import { refreshTokens, type SessionDoc } from './identity.local.documents.ts'

const tokenShape = /^ptr_([A-Za-z0-9_-]{43})([A-Za-z0-9_-]{43})$/

/** Longer than a browser waits for an answer (20 s) before it asks again. */
export const repeatMs = 30_000

/** Longer than any of its access tokens lives, plus the difference of clocks. */
const endedMs = 60 * 60_000

export type Session = { readonly user: string; readonly authTime: number }

/** `name` is the first half of its refresh tokens; `id`, its hash, is in access tokens. */
export type SessionName = { readonly name: string; readonly id: string }

/** How a session begins. */
export type Start = {
  readonly method: SignInMethod
  readonly source: Source
  /** The person is known to be there. */
  readonly isExpected: boolean
  readonly hasShownFactor: boolean
  readonly told: readonly SignInWrite[]
}

/** What to write when a session ends because its token was shown twice. */
type OnReuse = (user: string) => Promise<readonly Write[]>

/** `secret`: the second half of the token that found it. `successor`: that of one which was used a moment ago. */
type FoundSession = Session &
  SessionName & {
    readonly found: Snapshot<SessionDoc>
    readonly secret: string
    readonly successor: string | undefined
  }

export class Sessions {
  readonly #store: Store
  readonly #clock: Clock
  readonly #ended: EndedSignIns

  constructor(store: Store, clock: Clock, ended: EndedSignIns) {
    this.#store = store
    this.#clock = clock
    this.#ended = ended
  }

  /** Commits together with the audit entries `told`. @returns the first refresh token, and the jobs to kick */
  async start(
    { user, authTime }: Session,
    { name, id }: SessionName,
    { method, source, isExpected, hasShownFactor, told }: Start,
  ): Promise<{ readonly refreshToken: string; readonly jobs: readonly string[] }> {
    await this.endAll(await crowdedOut(this.#store, user))
    const secret = freshHalf()
    const now = this.#clock.now()
    const session: SessionDoc = {
      user,
      current: hashSecret(secret),
      authTime,
      createdAt: now,
      usedAt: now,
      method,
      ttl: new Date(now + signInIdleMs),
    }
    const begun = { id, user, method, authTime, source, isExpected, hasShownFactor }
    const jobs = await this.#store.transact(async (tx) => {
      const begin = await lookToBegin(tx, begun, now)
      tx.create(refreshTokens.ref(id), session)
      for (const { ref, data } of told) tx.create(ref, data)
      return begin().jobs
    })
    return { refreshToken: `ptr_${name}${secret}`, jobs }
  }

  /**
   * The session of a token that is unused, or was used a moment ago.
   * @throws auth.invalid; auth.reused, which also ends the session
   */
  async find(token: string, reused: OnReuse): Promise<FoundSession> {
    const { name, secret, ref } = parse(token)
    const found = await this.#store.get(ref)
    // One that a clock began that was ahead, and that was not used since, would last as much longer.
    const span = { nowMs: this.#clock.now(), lastsMs: signInIdleMs }
    if (!found || !isStillOn(found.data.ttl.getTime(), span)) throw fail('auth.invalid')
    const successor = this.#successorOf(secret, found.data)
    if (found.data.current !== hashSecret(secret) && successor === undefined)
      return this.#endReused(found, reused)
    const { user, authTime } = found.data
    return { user, authTime, name, id: ref.id, found, secret, successor }
  }

  /**
   * Uses up the token that found the session.
   * @returns its successor, the same for a repetition @throws auth.reused, which also ends the session
   */
  async spend({ name, found, secret, successor }: FoundSession, reused: OnReuse): Promise<string> {
    if (successor !== undefined) return `ptr_${name}${successor}`
    const now = this.#clock.now()
    const successorKey = freshHalf()
    const next = keyed(successorKey, secret)
    // A fast clock may have begun it; then it counts from that earlier time.
    const createdAt = Math.min(found.data.createdAt, now)
    const ttl = new Date(Math.min(now + signInIdleMs, createdAt + signInMsMax))
    try {
      const change = { current: hashSecret(next), successorKey, createdAt, usedAt: now, ttl }
      await this.#store.update(found.ref, change, found)
      return `ptr_${name}${next}`
    } catch (error) {
      if (!isFailure(error, 'store.changed') && !isFailure(error, 'store.missing')) throw error
      return this.#spentMeanwhile({ name, secret, found }, reused)
    }
  }

  /** Somebody used the same token between find and now, or ended the session. */
  async #spentMeanwhile(
    { name, secret, found }: Pick<FoundSession, 'name' | 'secret' | 'found'>,
    reused: OnReuse,
  ): Promise<string> {
    const now = await this.#store.get(found.ref)
    if (!now) throw fail('auth.invalid')
    const successor = this.#successorOf(secret, now.data)
    return successor === undefined ? this.#endReused(now, reused) : `ptr_${name}${successor}`
  }

  /** What took the place of `secret` less than `repeatMs` ago, if nothing has taken its own place since. */
  #successorOf(secret: string, { current, successorKey, usedAt }: SessionDoc): string | undefined {
    // Either way, since a clock that is set right may go back.
    const agoMs = Math.abs(this.#clock.now() - usedAt)
    if (successorKey === undefined || agoMs >= repeatMs) return undefined
    const successor = keyed(successorKey, secret)
    return hashSecret(successor) === current ? successor : undefined
  }

  /** Ends the session of `token`, used or not. @returns whose it was @throws auth.invalid for an invalid token */
  end(token: string): Promise<Session | undefined> {
    return this.endById(parse(token).ref.id)
  }

  /** Its access tokens end with it. @returns whose it was */
  async endById(id: string): Promise<Session | undefined> {
    const found = await this.#store.get(refreshTokens.ref(id))
    if (found) await this.#end(id)
    return found?.data
  }

  /** Ends these, whether or not they have a refresh token. */
  async endAll(ids: readonly string[]): Promise<void> {
    for (const id of ids) await this.#end(id)
  }

  async #endReused(found: Snapshot<SessionDoc>, reused: OnReuse): Promise<never> {
    await this.#end(found.ref.id, await reused(found.data.user))
    throw fail('auth.reused')
  }

  async #end(id: string, also: readonly Write[] = []): Promise<void> {
    const ref = refreshTokens.ref(id)
    await this.#store.batch([{ op: 'delete', ref }, ...this.#ended.writes(id, endedMs), ...also])
    this.#ended.note(id)
  }
}

export function newSessionName(): SessionName {
  const name = freshHalf()
  return { name, id: hashSecret(name) }
}

function parse(token: string) {
  const [, name, secret] = tokenShape.exec(token) ?? []
  if (!name || !secret) throw fail('auth.invalid')
  return { name, secret, ref: refreshTokens.ref(hashSecret(name)) }
}

/** 43 characters, like a fresh half. */
function keyed(key: string, secret: string): string {
  return createHmac('sha256', key).update(secret).digest('base64url')
}

function freshHalf(): string {
  return randomBytes(32).toString('base64url')
}
