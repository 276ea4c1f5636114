/**
 * The certificates with which this agent ends its visitors' TLS. For each host it makes a key, has the server order a
 * certificate for it, and renews both in time. A new certificate counts for the next handshake, so no connection ends
 * for it. The server sees requests and chains, never a key.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { AgentCertificate } from '@porttunneler/shared/api/schemas/certificates'
import { type BackoffShape, backoffMs } from '@porttunneler/shared/base/backoff'
import { type Clock, sleep } from '@porttunneler/shared/base/clock'
import { certificateRequest, newCertificateKey } from '@porttunneler/shared/base/csr'
import { fail, isFailure, keyOfCode, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import { Secret } from '@porttunneler/shared/base/secret'
import { tlsCiphers } from '@porttunneler/shared/mux/connect-tls'
import { type Emit, problemOf } from '../agent/events.ts'
import type { Kept, KeptCertificate, KeptCertificates } from './kept-certificates.ts'

export type CertificateApi = {
  request(
    wish: { readonly host: string; readonly csr: string; readonly replaces?: string },
    signal: AbortSignal,
  ): Promise<AgentCertificate>
  read(id: string, signal: AbortSignal): Promise<AgentCertificate>
}

export type CertificateKeeperOptions = {
  readonly api: CertificateApi
  readonly kept: KeptCertificates
  readonly clock: Clock
  readonly random: () => number
  readonly emit: Emit
}

const secondMs = 1_000
const dayMs = 86_400_000
/**
 * How often the wall clock is compared with the time of renewal: while a machine sleeps, timers stand still, and when
 * it wakes its certificate may be out of time.
 */
const lookMs = 60 * secondMs
/** Between two certificates of a host, at least. */
const restMs = 10 * 60 * secondMs
/** How often the server is asked how far an order is: most take a few seconds. */
const pollMs = [secondMs, 2 * secondMs, 5 * secondMs, 15 * secondMs, 60 * secondMs] as const
/** Own domains may have to be led here first, which takes seconds; a name may be reserved at any time. */
const againShape: BackoffShape = {
  fastTries: 2,
  fastMs: 3 * secondMs,
  minMs: 10 * secondMs,
  maxMs: 15 * 60 * secondMs,
  jitter: 0.2,
}
/** An agent ends the TLS of this many hosts at most: two for each tunnel that it may have. */
const hostsMax = 1_000

/** TLS 1.2 for old clients, forward secrecy only, as at relays. */
const tlsOptions = {
  minVersion: 'TLSv1.2',
  ciphers: `${tlsCiphers}:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384`,
} as const

type Followed = { readonly tunnel: string; readonly closing: AbortController }
type Place = { readonly host: string; readonly tunnel: string; readonly signal: AbortSignal }

export class CertificateKeeper {
  readonly #options: CertificateKeeperOptions
  readonly #contexts = new Map<string, SecureContext>()
  readonly #hosts = new Map<string, Followed>()
  #isClosed = false

  constructor(options: CertificateKeeperOptions) {
    this.#options = options
  }

  /** Has certificates for exactly these hosts of the tunnel from now on. */
  follow(tunnel: string, hosts: readonly string[]): void {
    for (const [host, { tunnel: of, closing }] of this.#hosts)
      if (of === tunnel && !hosts.includes(host)) {
        closing.abort()
        this.#hosts.delete(host)
        this.#contexts.delete(host)
      }
    for (const host of hosts) this.#begin(host, tunnel)
  }

  #begin(host: string, tunnel: string): void {
    if (this.#hosts.has(host) || this.#hosts.size >= hostsMax || this.#isClosed) return
    const closing = new AbortController()
    this.#hosts.set(host, { tunnel, closing })
    this.#keep({ host, tunnel, signal: closing.signal }).catch((error: unknown) => {
      if (closing.signal.aborted) return
      this.#hosts.delete(host)
      this.#tell({ host, tunnel }, asFailure(error), 0)
    })
  }

  /** For handshakes; undefined: there is none yet. */
  contextOf(host: string): SecureContext | undefined {
    return this.#contexts.get(host)
  }

  /** Whether a host of this tunnel has a certificate. */
  hasAny(tunnel: string): boolean {
    for (const [host, followed] of this.#hosts)
      if (followed.tunnel === tunnel && this.#contexts.has(host)) return true
    return false
  }

  close(): void {
    this.#isClosed = true
    for (const { closing } of this.#hosts.values()) closing.abort()
    this.#contexts.clear()
  }

  /** Runs until it is closed. */
  async #keep(place: Place): Promise<void> {
    const { host, signal } = place
    const { kept: files, clock } = this.#options
    const { current: before, ...rest } = await files.read(host)
    signal.throwIfAborted()
    let kept: Kept = before && this.#use(host, before) ? { ...rest, current: before } : rest
    for (;;) {
      const { current } = kept
      if (current) kept = await this.#await(place, { ...kept, current })
      kept = await this.#renew(place, kept)
      // Whatever the server says, there are few certificates.
      await sleep(clock, restMs, signal)
    }
  }

  /** Resolves when the certificate is to be renewed. Every day it asks when that is. */
  async #await({ signal }: Place, kept: Kept & { readonly current: KeptCertificate }): Promise<Kept> {
    const { api, clock, random } = this.#options
    let { current } = kept
    const isDue = () => clock.now() >= current.renewAt
    while (!isDue()) {
      const askAtMs = clock.monotonic() + dayMs * (0.9 + 0.2 * random())
      while (!isDue() && clock.monotonic() < askAtMs)
        await sleep(clock, Math.min(current.renewAt - clock.now(), lookMs), signal)
      try {
        const { renewAt = current.renewAt } = await api.read(current.id, signal)
        current = { ...current, renewAt: Math.min(renewAt, current.notAfter) }
      } catch {
        signal.throwIfAborted()
        // What was known counts.
      }
    }
    return { ...kept, current }
  }

  /** Orders with a new key, and tries again until there is a certificate. */
  async #renew(place: Place, before: Kept): Promise<Kept> {
    const { host, tunnel, signal } = place
    const { clock, random, kept: files, emit } = this.#options
    let key = new Secret(before.nextKey ?? newCertificateKey().reveal())
    const unwritten = await files.write(host, { ...before, nextKey: key.reveal() })
    if (unwritten) emit({ event: 'certificate.unkept', tunnel, host, problem: problemOf(unwritten) })
    emit({ event: 'certificate.ordered', tunnel, host })
    let told = ''
    for (let attempt = 0; ; attempt++) {
      const outcome = await this.#order(place, key, before.current?.id)
      signal.throwIfAborted()
      if (!isFailure(outcome)) {
        await files.write(host, { current: outcome })
        emit({ event: 'certificate.ready', tunnel, host, until: outcome.notAfter })
        return { current: outcome }
      }
      // That key will never do.
      if (outcome.key === 'certificate.key_known') key = newCertificateKey()
      const asked = Number(outcome.fields.retryAfterMs ?? 0)
      const retryInMs = Math.round(Math.max(backoffMs(againShape, attempt, random), Math.min(asked, dayMs)))
      if (told !== outcome.code) this.#tell(place, outcome, retryInMs)
      told = outcome.code
      await sleep(clock, retryInMs, signal)
    }
  }

  /** One order, from the request to the certificate in use. @returns it, or why there is none */
  async #order(
    place: Place,
    key: Secret,
    replaces: string | undefined,
  ): Promise<KeptCertificate | PortTunnelerError> {
    const { host, signal } = place
    const { api, clock } = this.#options
    const csr = pemOf(certificateRequest(key, [host]))
    let told = ''
    try {
      let found = await api.request({ host, csr, ...(replaces !== undefined && { replaces }) }, signal)
      for (let polls = 0; ; polls++) {
        const issued = issuedIn(found, key)
        if (issued)
          return this.#use(host, issued)
            ? issued
            : fail('server.unexpected', `The server's certificate for ${host} does not fit our key.`)
        // The server tries again by itself: the reason is told, and the order goes on.
        const failure = failureIn(found)
        if (failure && told !== failure.detail)
          this.#tell(place, failure, Math.max(0, (found.nextAt ?? 0) - clock.now()))
        told = failure?.detail ?? told
        await sleep(clock, pollMs[Math.min(polls, pollMs.length - 1)] ?? 0, signal)
        found = await api.read(found.id, signal)
      }
    } catch (error) {
      return asFailure(error)
    }
  }

  /** @returns whether it can be used */
  #use(host: string, { key, chain, notAfter }: KeptCertificate): boolean {
    try {
      const leaf = new X509Certificate(chain)
      const fits = leaf.checkPrivateKey(createPrivateKey(key)) && leaf.checkHost(host) !== undefined
      if (!fits || notAfter <= this.#options.clock.now()) return false
      this.#contexts.set(host, createSecureContext({ ...tlsOptions, cert: chain, key }))
      return true
    } catch {
      return false
    }
  }

  #tell(
    { host, tunnel }: Pick<Place, 'host' | 'tunnel'>,
    failure: PortTunnelerError,
    retryInMs: number,
  ): void {
    this.#options.emit({ event: 'certificate.failed', tunnel, host, problem: problemOf(failure), retryInMs })
  }
}

/** It ends when the certificate itself says so. */
function issuedIn({ id, state, chain, renewAt }: AgentCertificate, key: Secret): KeptCertificate | undefined {
  if (state !== 'valid' || chain === undefined) return undefined
  const notAfter = endOf(chain)
  return { id, key: key.reveal(), chain, notAfter, renewAt: Math.min(renewAt ?? notAfter, notAfter) }
}

/** 0: it cannot be read. */
function endOf(chain: string): number {
  try {
    return new X509Certificate(chain).validToDate.getTime() || 0
  } catch {
    return 0
  }
}

function failureIn({ problem }: AgentCertificate): PortTunnelerError | undefined {
  if (!problem) return undefined
  const key = keyOfCode(problem.code)
  return key ? fail(key, problem.detail) : fail('server.unexpected', `${problem.code} ${problem.detail}`)
}

function asFailure(error: unknown): PortTunnelerError {
  return isFailure(error) ? error : fail('server.unexpected', String(error), { cause: error })
}

function pemOf(der: Buffer): string {
  return `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`
}
