/**
 * The signing keys, and what they sign: lease tickets (1 h) and watch tickets (60 s). Keys are wrapped in the store;
 * each process unwraps them once. A key is published as `next` at least two days before it signs, and as `old` until
 * its last ticket has expired, so even a relay that was cut off for a day knows it.
 */
import { randomUUID } from 'node:crypto'
import { exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose'
import type { Clock } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'
import { limits } from '../protocol/limits.ts'
import { type TicketClaims, ticketType } from '../protocol/ticket.ts'
import { watchAudience, watchTicketType } from '../protocol/watch-ticket.ts'
import { type SigningKeyDoc, signingKeys, signingState } from './documents.ts'
import type { KeyVault, Snapshot, Store } from './platform.ts'
import { queries } from './query-table.ts'
import { isStillOn } from './stored-times.ts'

/** A key signs for a week; its successor is known for that week, well over the 48 h that relays may need. */
const rotationMs = 7 * 24 * 3_600_000
/** By then every ticket that it signed is dead. */
const verifyMs = limits.ticketMs + limits.skewMs
/** How long another process's rotation may stay unseen; far less than the time between `next` and `active`. */
const reloadMs = 60_000
/** The console asks again before each ends. Short, because a watch ticket cannot be revoked. */
const watchMs = 60_000
const alg = 'EdDSA'

type KeySet = {
  readonly version: number
  readonly jwks: { keys: JWK[] }
  readonly kid: string
  readonly sign: Awaited<ReturnType<typeof importJWK>>
  readonly loadedAt: number
}
type StoredKey = Snapshot<SigningKeyDoc>

/** It follows the clock too: a store that was restored makes none that relays have seen. */
function versionAfter(version: number, nowMs: number): number {
  return Math.max(version + 1, Math.floor(nowMs))
}

export class Signer {
  readonly #store: Store
  readonly #vault: KeyVault
  readonly #clock: Clock
  readonly #issuer: string
  #keys: KeySet | undefined
  #loading: Promise<KeySet> | undefined

  constructor({
    store,
    vault,
    clock,
    issuer,
  }: {
    readonly store: Store
    readonly vault: KeyVault
    readonly clock: Clock
    readonly issuer: string
  }) {
    this.#store = store
    this.#vault = vault
    this.#clock = clock
    this.#issuer = issuer
  }

  /** @param expiresAt ms; rounded down to a second, so that a ticket never outlives its lease */
  async signTicket(
    claims: Omit<TicketClaims, 'iss' | 'iat' | 'exp'>,
    { nowMs, expiresAt }: { nowMs: number; expiresAt: number },
  ): Promise<string> {
    return this.#sign(claims, { nowMs, expiresAt, typ: ticketType })
  }

  /**
   * A watch ticket for the live figures of `tunnels`, or all of the account, at the relays of `cells`. Its audience
   * differs, so it is never a lease ticket.
   */
  async signWatch(
    { account, tunnels, cells }: { account: string; tunnels?: readonly string[]; cells: readonly string[] },
    nowMs: number,
  ): Promise<{ ticket: string; expiresAt: number }> {
    const expiresAt = nowMs + watchMs
    const chosen = tunnels && { tunnels: [...tunnels] }
    const claims = { sub: account, aud: cells.map(watchAudience), ...chosen }
    return { ticket: await this.#sign(claims, { nowMs, expiresAt, typ: watchTicketType }), expiresAt }
  }

  /** The public keys that relays check tickets with. `version` rises with every rotation. */
  async publicKeys(): Promise<{ version: number; jwks: { keys: JWK[] }; issuer: string }> {
    const { version, jwks } = await this.#current()
    return { version, jwks, issuer: this.#issuer }
  }

  /**
   * Makes the first keys, or puts the next one to use when its time has come; safe to call often and from everywhere.
   * @param isNow puts the next one to use early; relays know it from the moment it is made
   * @returns the new version when something changed: relays are then told to fetch the keys
   */
  async rotate({ isNow = false }: { readonly isNow?: boolean } = {}): Promise<number | undefined> {
    const nowMs = this.#clock.now()
    const { version, stored } = await this.#read()
    const next = stored.find(({ data }) => data.state === 'next')
    const active = stored.find(({ data }) => data.state === 'active')
    const spent = stored.filter(
      ({ data }) => data.state === 'old' && !isStillOn(data.verifyUntil, { nowMs, lastsMs: verifyMs }),
    )
    const isDue =
      next !== undefined && (isNow || !isStillOn(next.data.useFrom, { nowMs, lastsMs: rotationMs }))
    if (active && next && !isDue && spent.length === 0) return undefined
    const fresh = active
      ? [await this.#make('next', nowMs)]
      : [await this.#make('active', nowMs), await this.#make('next', nowMs)]
    const changed = await this.#store.transact(async (tx) => {
      const state = await tx.get(signingState.ref('current'))
      if ((state?.data.version ?? 0) !== version) return undefined
      if (active && isDue && next) {
        const verifyUntil = nowMs + verifyMs
        tx.update(active.ref, { state: 'old', verifyUntil })
        tx.update(next.ref, { state: 'active' })
      }
      if (!active || !next || isDue) for (const { kid, data } of fresh) tx.create(signingKeys.ref(kid), data)
      for (const { ref } of spent) tx.delete(ref)
      const risen = versionAfter(version, nowMs)
      tx.set(signingState.ref('current'), { version: risen, rotatedAt: nowMs })
      return risen
    })
    this.#keys = undefined
    return changed
  }

  /**
   * Removes a key that somebody else may know, at once. Relays are told which one, and refuse what it signed; processes
   * that sign with it find the new keys within a minute.
   * @returns the new version; undefined when another process changed the keys at the same moment
   */
  async withdraw(kid: string): Promise<number | undefined> {
    const nowMs = this.#clock.now()
    const { version, stored } = await this.#read()
    const leaked = stored.find(({ ref }) => ref.id === kid)
    const next = stored.find(({ data, ref }) => data.state === 'next' && ref.id !== kid)
    const isActive = leaked?.data.state === 'active'
    const fresh = await Promise.all([
      ...(isActive && !next ? [this.#make('active', nowMs)] : []),
      ...(isActive || leaked?.data.state === 'next' ? [this.#make('next', nowMs)] : []),
    ])
    const changed = await this.#store.transact(async (tx) => {
      const state = await tx.get(signingState.ref('current'))
      if (!leaked || (state?.data.version ?? 0) !== version) return undefined
      tx.delete(leaked.ref)
      if (isActive && next) tx.update(next.ref, { state: 'active' })
      for (const { kid: id, data } of fresh) tx.create(signingKeys.ref(id), data)
      const risen = versionAfter(version, nowMs)
      tx.set(signingState.ref('current'), { version: risen, rotatedAt: nowMs })
      return risen
    })
    this.#keys = undefined
    return changed
  }

  /** The keys as an operator sees them. */
  async describe() {
    const { stored } = await this.#read()
    return stored.map(({ ref, data: { state, createdAt, useFrom, verifyUntil } }) => ({
      kid: ref.id,
      state,
      createdAt,
      useFrom,
      verifyUntil,
    }))
  }

  async #sign(
    claims: Record<string, unknown>,
    { nowMs, expiresAt, typ }: { nowMs: number; expiresAt: number; typ: string },
  ): Promise<string> {
    const { kid, sign } = await this.#current()
    return new SignJWT(claims)
      .setProtectedHeader({ alg, kid, typ })
      .setIssuer(this.#issuer)
      .setIssuedAt(Math.floor(nowMs / 1000))
      .setExpirationTime(Math.floor(expiresAt / 1000))
      .sign(sign)
  }

  async #current(): Promise<KeySet> {
    const known = this.#keys
    if (known && this.#clock.monotonic() - known.loadedAt < reloadMs) return known
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined
    })
    return this.#loading
  }

  async #load(): Promise<KeySet> {
    let { version, stored } = await this.#read()
    if (!stored.some(({ data }) => data.state === 'active')) {
      await this.rotate()
      ;({ version, stored } = await this.#read())
    }
    const active = stored.find(({ data }) => data.state === 'active')
    if (!active) throw fail('api.internal', 'There is no key to sign tickets with.')
    const wrapped = await this.#vault.unwrap(active.data.wrappedPrivate)
    const keys: JWK[] = stored.map(({ data, ref }) => ({
      ...JSON.parse(data.public),
      kid: ref.id,
      alg,
      use: 'sig',
    }))
    const sign = await importJWK(JSON.parse(wrapped.reveal()), alg)
    this.#keys = { version, jwks: { keys }, kid: active.ref.id, sign, loadedAt: this.#clock.monotonic() }
    return this.#keys
  }

  async #read(): Promise<{ version: number; stored: readonly StoredKey[] }> {
    // Read the version first: a rotation between the two reads makes it stale, and a decision based on it is refused.
    const state = await this.#store.get(signingState.ref('current'))
    const pages = await Promise.all(
      (['active', 'next', 'old'] as const).map((state) =>
        this.#store.query(queries.signingKeysByState, { where: { state }, limit: 10 }),
      ),
    )
    return { version: state?.data.version ?? 0, stored: pages.flatMap(({ items }) => items) }
  }

  async #make(state: 'active' | 'next', nowMs: number): Promise<{ kid: string; data: SigningKeyDoc }> {
    const pair = await generateKeyPair(alg, { crv: 'Ed25519', extractable: true })
    const [publicJwk, privateJwk] = await Promise.all([exportJWK(pair.publicKey), exportJWK(pair.privateKey)])
    const data: SigningKeyDoc = {
      public: JSON.stringify(publicJwk),
      wrappedPrivate: await this.#vault.wrap(new Secret(JSON.stringify(privateJwk))),
      state,
      createdAt: nowMs,
      useFrom: state === 'active' ? nowMs : nowMs + rotationMs,
      verifyUntil: 0,
    }
    return { kid: randomUUID(), data }
  }
}
