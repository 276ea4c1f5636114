/**
 * The relay's side of `sync`: every 30 s it reports what it carries and gets commands, keys and the time. The bus makes
 * commands fast, this makes sure that they arrive, and nothing on the data path ever waits for it. docs/relay.md
 */
import {
  type Command,
  type SyncAnswer,
  type SyncRequest,
  syncMax,
  type Usage,
} from '@porttunneler/shared/api/schemas/relays'
import { type BackoffShape, backoffMs } from '@porttunneler/shared/base/backoff'
import { type Clock, sleep, type Timer } from '@porttunneler/shared/base/clock'
import { codes, isFailure } from '@porttunneler/shared/base/errors'
import type { Log } from '@porttunneler/shared/base/log'
import type { TrustedProxies } from '@porttunneler/shared/base/trusted-proxies'
import { limits } from '@porttunneler/shared/protocol/limits'
import type { Bearer } from './credential.ts'
import type { Keeper } from './keeper.ts'
import type { ConnectionLog } from './meters/connection-log.ts'
import type { Meters } from './meters/meters.ts'
import type { UsageJournal } from './meters/usage.ts'
import type { Places } from './places.ts'
import type { Control } from './platform/control.http.ts'
import { takeTurns } from './policy/take-turns.ts'
import type { Routes } from './routes.ts'
import type { SecurityEvents } from './security-events.ts'
import type { Moment, ServerTime } from './server-time.ts'
import type { RelayState } from './state.ts'

/**
 * After a failure: quickly at first, for a control plane that just restarts, then as often as without failure. Half of
 * each pause is random, so that relays that lost it together do not come back together.
 */
const retryBackoff: BackoffShape = {
  fastTries: 0,
  fastMs: 0,
  minMs: 500,
  maxMs: limits.syncMs,
  jitter: 0.5,
}
/** Relays that started together drift apart. */
const rhythmJitter = 0.1
/** The bounds of the interval between syncs, whatever the control plane says. */
const syncMsBounds = { min: 1_000, max: 300_000 }
/** `soon` also serves strangers' tickets: at most one extra call in this time. */
const soonMs = 30_000
/** Agents that come and go are reported together: at most one extra call in this time. */
const presenceMs = 1_000
/** A clock that NTP keeps is never this wrong. */
const clockOffMs = 60_000
/** The last report before exit must not delay the exit for long. */
const lastReportMs = 5_000
const patientMs = 60_000

export type SyncOptions = {
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
  readonly control: Control
  readonly credential: Bearer
  readonly state: RelayState
  readonly time: ServerTime
  readonly routes: Routes
  readonly meters: Meters
  readonly journal: UsageJournal
  readonly events: SecurityEvents
  readonly connections?: Pick<ConnectionLog, 'report' | 'acknowledge'>
  readonly places: Pick<Places, 'prune'>
  readonly keeper: Keeper
  readonly proxies: TrustedProxies
  /** What this process reports about itself. */
  describe(): Pick<SyncRequest, 'boot' | 'state' | 'load'>
  onCommand(command: Command): void
  /** Agents would be sent to other relays than before. */
  onDirectory(): void
  /** Gets what each answer says about the cell's TLS. */
  onTls?(tls: SyncAnswer['tls']): void
}

export class ControlSync {
  readonly #options: SyncOptions
  readonly #closing = new AbortController()
  readonly #first = Promise.withResolvers<void>()
  #loop: Promise<void> = Promise.resolve()
  #wake: AbortController | undefined
  #soonAtMs = Number.NEGATIVE_INFINITY
  #presence: Timer | undefined
  /** Set when a sync was requested during another: the pause after it is left out. */
  #isDue = false
  #isClockOff = false
  /** What agents know, and what the last answer said instead. */
  #directory: { readonly known: string; readonly heard?: string } | undefined
  #sequence = 0
  #failures = 0

  constructor(options: SyncOptions) {
    this.#options = options
  }

  /** Resolves after the first answer of the control plane. */
  get firstAnswer(): Promise<void> {
    return this.#first.promise
  }

  /** Calls that failed since the last success; 0: in touch. */
  get failures(): number {
    return this.#failures
  }

  start(): void {
    this.#loop = this.#run()
  }

  /** Syncs now instead of at the next turn, because this relay has something new to report. */
  askNow(): void {
    this.#isDue = true
    // A control plane in trouble is not asked more often for that: the next try reports everything.
    if (this.#failures === 0) this.#wake?.abort()
  }

  /** Like `askNow`, but not often: a ticket names a key that we do not know. */
  soon(): void {
    const now = this.#options.clock.monotonic()
    if (now - this.#soonAtMs < soonMs) return
    this.#soonAtMs = now
    this.askNow()
  }

  /** Syncs within a second: an agent left for good, or came back. */
  presenceChanged(): void {
    if (this.#closing.signal.aborted) return
    this.#presence ??= this.#options.clock.after(presenceMs, () => {
      this.#presence = undefined
      this.askNow()
    })
  }

  /** Ends the rhythm; a running exchange is cancelled. */
  async stop(): Promise<void> {
    this.#presence?.clear()
    this.#closing.abort()
    await this.#loop
  }

  /**
   * Ends the rhythm and reports all that is left, once. If nobody waits for the end, it tries again for a minute,
   * because this process may not be started again for weeks. What cannot be delivered stays on disk.
   */
  async finish({ isPatient = false }: { readonly isPatient?: boolean } = {}): Promise<void> {
    const { clock, log } = this.#options
    await this.stop()
    const deadline = new AbortController()
    const timer = clock.after(isPatient ? patientMs : lastReportMs, () => deadline.abort())
    try {
      await this.#reportLast(deadline.signal, isPatient)
    } catch (error) {
      log.warn({ error }, 'The last report was not delivered and is kept for the next start')
    } finally {
      timer.clear()
      await this.#options.keeper.save()
    }
  }

  async #reportLast(signal: AbortSignal, isPatient: boolean): Promise<void> {
    const { clock, random } = this.#options
    for (let tries = 0; ; tries++) {
      try {
        await this.#exchange({ isLast: true, signal })
        return
      } catch (error) {
        if (!isPatient || signal.aborted) throw error
        await sleep(clock, backoffMs(retryBackoff, tries, random), signal)
      }
    }
  }

  async #run(): Promise<void> {
    const { clock } = this.#options
    const { signal } = this.#closing
    while (!signal.aborted) {
      this.#isDue = false
      const pauseMs = await this.#turn()
      if (this.#isDue && this.#failures === 0) continue
      this.#wake = new AbortController()
      try {
        await sleep(clock, pauseMs, AbortSignal.any([signal, this.#wake.signal]))
      } catch {
        // Woken early: by `soon`, or to close.
      }
      this.#wake = undefined
    }
  }

  /** Makes one exchange, with success or without. @returns ms until the next */
  async #turn(): Promise<number> {
    const { log, random } = this.#options
    try {
      const syncMs = await this.#exchange({ isLast: false, signal: this.#closing.signal })
      if (this.#failures > 0) log.info({ failures: this.#failures }, 'The control plane answers again')
      this.#failures = 0
      this.#first.resolve()
      // An agent's absence may be due before the next exchange.
      const awayInMs = Math.max(presenceMs, this.#options.routes.awayDueInMs)
      return Math.min(awayInMs, syncMs * (1 - rhythmJitter * random()))
    } catch (error) {
      if (!this.#closing.signal.aborted)
        log.warn({ error, failures: this.#failures, ...requestOf(error) }, 'Sync failed; tunnels go on')
      return backoffMs(retryBackoff, this.#failures++, random)
    }
  }

  /** @returns ms until the next */
  async #exchange({ isLast, signal }: { isLast: boolean; signal: AbortSignal }): Promise<number> {
    const { control, credential, routes, meters, journal, events, keeper, state, time, describe } =
      this.#options
    journal.account(meters.all(), time.now())
    // From here on nobody waits for this relay: its knowledge of names counts again after its next exchange.
    if (isLast) state.names.takeLeave()
    // To disk first: a crash may lose only what came after.
    await keeper.save()
    const bytesOf = (account: string) => meters.shares.reportBytes(account)
    const usage = await journal.report(time.now(), { all: isLast, bytesOf })
    // The rest comes with the next report.
    const away = takeTurns(routes.awayReports(), ({ account }) => account, syncMax.away)
    const sent = events.report()
    const ended = this.#options.connections?.report({ isLast }) ?? []
    const sequence = ++this.#sequence
    const report = `r${sequence}`
    const request: SyncRequest = {
      ...describe(),
      ...(state.cursor === undefined ? {} : { cursor: state.cursor }),
      sequence,
      ...(isLast && { last: true }),
      bound: boundOf(routes),
      away: away.map(({ account: _account, ...report }) => report),
      usage: [...usage],
      report,
      ...(this.#options.proxies.hasCloudflare && { proxies: ['cloudflare'] }),
      events: [...sent],
      ...(ended.length > 0 && { connections: [...ended] }),
    }
    const began = time.moment()
    const answer = await control.sync(request, await credential(signal), signal)
    routes.awayReported(away)
    // Something changed while the report was on its way.
    if (routes.awayReports().length > 0) this.presenceChanged()
    if (answer.acknowledged === report) {
      this.#noteRefused(usage, answer)
      const refused = new Set(answer.refused?.map(({ index }) => index))
      await journal.acknowledge(usage, time.now(), refused)
      events.acknowledge(sent)
      this.#options.connections?.acknowledge(ended)
    }
    await this.#take(answer, isLast ? undefined : began)
    return Math.min(syncMsBounds.max, Math.max(syncMsBounds.min, answer.syncMs))
  }

  #noteRefused(usage: readonly Usage[], { refused = [] }: SyncAnswer): void {
    for (const { index, code } of refused)
      this.#options.log.error({ code, row: usage[index] }, 'The control plane will never take this usage')
  }

  /** Nothing depends on the machine's clock, but logs of several machines are read side by side. */
  #noteClock(): void {
    const { wallOffsetMs } = this.#options.time
    const isOff = Math.abs(wallOffsetMs) > clockOffMs
    if (isOff === this.#isClockOff) return
    this.#isClockOff = isOff
    const { code, title, cure } = codes['relay.clock']
    const aheadSeconds = Math.round(-wallOffsetMs / 1000)
    if (isOff) this.#options.log.warn({ code, cure, aheadSeconds }, title)
    else this.#options.log.info({}, 'The clock of this machine is right again')
  }

  /** Instances of the control plane may differ for some seconds, so a change counts when it is heard twice. */
  #noteDirectory(mark: string | undefined): void {
    if (mark === undefined) return
    const { known, heard } = this.#directory ?? { known: mark }
    const isNews = mark !== known && mark === heard
    this.#directory = isNews || mark === known ? { known: mark } : { known, heard: mark }
    if (isNews) this.#options.onDirectory()
  }

  /** @param began undefined: it was the last exchange of this process */
  async #take(answer: SyncAnswer, began: Moment | undefined): Promise<void> {
    const { state, time, routes, places, meters, journal, log, onCommand } = this.#options
    journal.account(meters.all(), time.now())
    time.correct(answer.now)
    if (began) state.names.answered(began, time.moment())
    this.#noteClock()
    this.#noteDirectory(answer.directory)
    this.#options.onTls?.(answer.tls)
    state.take(answer, time.wallOffsetMs)
    this.#options.proxies.learn(answer.proxyNetworks?.cloudflare)
    const commands = answer.commands.filter((command) => command !== null)
    const unread = answer.commands.length - commands.length
    if (unread > 0) log.warn({ code: codes['relay.command'].code, unread }, 'Commands were not understood')
    for (const command of commands) onCommand(command)
    state.obeyed(answer.cursor)
    state.decrees.prune(time.now())
    routes.expire(time.now())
    const served = new Set(routes.all().map((route) => route.claims.sub))
    // The visitors that a command cut have their last bytes in the meters.
    journal.account(meters.all(), time.now())
    meters.prune((tunnel) => served.has(tunnel))
    state.names.prune(time.now(), (tunnel) => served.has(tunnel))
    state.takenDown.prune(time.now())
    places.prune(time.now(), routes.all())
    await this.#options.keeper.save()
  }
}

function boundOf(routes: Routes): SyncRequest['bound'] {
  const bound = routes.all().filter((route) => route.members.length > 0)
  return takeTurns(bound, ({ claims }) => claims.account, syncMax.bound).map(
    ({ endpoint, claims, members }) => ({
      endpoint,
      tunnel: claims.sub,
      epoch: claims.epoch,
      ...(members.every(({ session }) => session.state === 'detached') && { detached: true }),
    }),
  )
}

/** The id by which the control plane has the refused request in its log. */
function requestOf(error: unknown): { requestId?: string } {
  const id = isFailure(error) ? error.fields.requestId : undefined
  return typeof id === 'string' ? { requestId: id } : {}
}
