/**
 * Live figures straight from the relay: `GET /v1/live` sends one sample a second as server-sent events (WHATWG HTML,
 * 9.2) of the tunnels that a watch ticket names. Any origin may ask: the ticket in the Authorization header is the only
 * credential, there are no cookies. A stream ends with its ticket; the console asks for a fresh one and comes again.
 * `GET /v1/live/history?tunnel=` returns what one of them has carried in the last six hours; with `since=` only what is
 * newer. `GET /v1/live/connections?tunnel=` lists its open connections, and those that ended and are soon kept.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { toProblem } from '@porttunneler/shared/api/problem'
import type { LiveSample } from '@porttunneler/shared/api/schemas/tunnels'
import type { Clock, Timer } from '@porttunneler/shared/base/clock'
import { fail, isFailure, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import type { FairPool } from '@porttunneler/shared/base/fair-pool'
import type { Log } from '@porttunneler/shared/base/log'
import { checkWatchTicket, type WatchClaims } from '@porttunneler/shared/protocol/watch-ticket'
import type { ConnectionLog } from './meters/connection-log.ts'
import { History } from './meters/history.ts'
import { liveConnections } from './meters/live-connections.ts'
import type { Meters } from './meters/meters.ts'
import type { TunnelMeter } from './meters/tunnel-meter.ts'
import { makePool } from './policy/pools.ts'
import type { Route, Routes } from './routes.ts'
import type { ServerTime } from './server-time.ts'
import type { RelayState } from './state.ts'

const sampleMs = 1_000
const paths: ReadonlySet<string> = new Set(['/v1/live', '/v1/live/history', '/v1/live/connections'])

export type LiveOptions = {
  readonly clock: Clock
  readonly log: Log
  readonly state: RelayState
  readonly time: ServerTime
  readonly meters: Meters
  readonly routes: Routes
  /** Undefined: nothing is kept. */
  readonly connections?: Pick<ConnectionLog, 'waiting'>
  readonly watchersMax: number
  /** So that no account can shut out all others. */
  readonly watchersPerAccount: number
  /** Where the pages about the codes are. */
  readonly docsUrl: string
}

type Watcher = { readonly claims: WatchClaims; readonly response: ServerResponse; readonly untilMs: number }
type TunnelSample = LiveSample['tunnels'][string]
type Samples = Map<string, TunnelSample>

export class LiveFigures {
  readonly #options: LiveOptions
  readonly #watchers: FairPool<Watcher>
  readonly #history = new History()
  #ticker: Timer | undefined
  #sampler: Timer | undefined
  /** By account, for this second: reading them costs a step for each open stream, and anybody may come often. */
  readonly #samples = new Map<string, Samples>()
  #readAtMs = Number.NEGATIVE_INFINITY

  constructor(options: LiveOptions) {
    this.#options = options
    this.#watchers = makePool('feeds', options.watchersMax)
  }

  get watchers(): number {
    return this.#watchers.size
  }

  /** Answers a request for one of the relay's own names; never rejects. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#answer(request, response)
    } catch (error) {
      if (isFailure(error)) this.#refuse(error, response)
      else {
        this.#options.log.error({ error }, 'Answering a watcher failed')
        response.destroy()
      }
    }
  }

  /** From now on it keeps the last six hours. */
  start(): void {
    const { clock, meters, time } = this.#options
    const sample = () => this.#history.sample(meters.all(), time.now())
    this.#sampler ??= clock.every(sampleMs, sample, { background: true })
  }

  close(): void {
    this.#sampler?.clear()
    for (const watcher of [...this.#watchers.members()]) this.#end(watcher)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // One request a connection: an idle one would only hold a socket.
    response.shouldKeepAlive = false
    allowAnyOrigin(response)
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://relay')
    if (!paths.has(pathname)) answerPlain(response, 404)
    else if (request.method === 'OPTIONS') answerPlain(response, 204)
    else if (request.method !== 'GET') answerPlain(response, 405)
    else {
      const claims = await this.#check(request.headers.authorization)
      if (pathname === '/v1/live') this.#admit(claims, response)
      else if (pathname === '/v1/live/history') this.#sendHistory(claims, searchParams, response)
      else this.#sendConnections(claims, searchParams, response)
    }
  }

  async #check(authorization = ''): Promise<WatchClaims> {
    const { state, time } = this.#options
    const ticket = /^Bearer ([A-Za-z0-9_.-]{1,12000})$/i.exec(authorization)?.[1]
    if (ticket === undefined || state.cell === undefined) throw fail('watch.invalid')
    // No tolerance: the ticket is valid for a minute, and the relay's time is that of the control plane that made it.
    const { jwks: keys, issuer } = state.keys
    const check = { keys, issuer, nowMs: time.now(), skewMs: 0 }
    return await checkWatchTicket(ticket, { ...check, cell: state.cell.id })
  }

  #admit(claims: WatchClaims, response: ServerResponse): void {
    const { watchersPerAccount, time, clock } = this.#options
    const untilMs = clock.monotonic() + claims.exp * 1000 - time.now()
    const watcher: Watcher = { claims, response, untilMs }
    const drop = () => this.#end(watcher)
    if (this.#watchers.add(watcher, [claims.sub], drop, [watchersPerAccount]) !== undefined)
      throw fail('watch.limit')
    response.on('close', () => this.#forget(watcher))
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    if (clock.monotonic() - this.#readAtMs >= sampleMs) this.#forgetSamples()
    if (!this.#samples.has(claims.sub)) this.#read(new Set([claims.sub]))
    this.#send(watcher)
    this.#ticker ??= clock.every(sampleMs, () => this.#tick(), { background: true })
  }

  /** A tunnel that is not the ticket's has no history. */
  #sendHistory(claims: WatchClaims, asked: URLSearchParams, response: ServerResponse): void {
    const since = Number(asked.get('since')) || 0
    const meter = this.#meterOf(claims, asked)
    const history = this.#history.read(meter, Math.round(this.#options.time.now()), since)
    answerJson(response, history)
  }

  /** A tunnel that is not the ticket's has no connections. */
  #sendConnections(claims: WatchClaims, asked: URLSearchParams, response: ServerResponse): void {
    const { time, clock, connections } = this.#options
    const meter = this.#meterOf(claims, asked)
    const ended = meter && connections ? connections.waiting(meter.tunnel) : []
    const offsetMs = time.now() - clock.now()
    answerJson(response, liveConnections(meter?.open() ?? [], ended, { nowMs: time.now(), offsetMs }))
  }

  /** The meter of the tunnel that is asked for, if the ticket is for it. */
  #meterOf(claims: WatchClaims, asked: URLSearchParams): TunnelMeter | undefined {
    const tunnel = asked.get('tunnel') ?? ''
    const meter = this.#options.meters.get(tunnel)
    const isOwn = meter?.account === claims.sub && (claims.tunnels?.includes(tunnel) ?? true)
    return isOwn ? meter : undefined
  }

  #refuse(error: PortTunnelerError, response: ServerResponse): void {
    const problem = toProblem(error, { docsUrl: this.#options.docsUrl })
    response.writeHead(problem.status, { 'content-type': 'application/problem+json' })
    response.end(JSON.stringify(problem))
  }

  #tick(): void {
    const now = this.#options.clock.monotonic()
    this.#forgetSamples()
    this.#read(new Set(Array.from(this.#watchers.members(), (watcher) => watcher.claims.sub)))
    for (const watcher of [...this.#watchers.members()]) {
      if (now >= watcher.untilMs) this.#end(watcher)
      // A reader that does not keep up misses samples; counters are cumulative, so nothing is lost.
      else if (!watcher.response.writableNeedDrain) this.#send(watcher)
    }
  }

  #send({ claims, response }: Watcher): void {
    const all = this.#samples.get(claims.sub) ?? new Map<string, TunnelSample>()
    const shown = claims.tunnels === undefined ? all : pick(all, claims.tunnels)
    const sample: LiveSample = {
      at: Math.round(this.#options.time.now()),
      tunnels: Object.fromEntries(shown),
    }
    response.write(`data: ${JSON.stringify(sample)}\n\n`)
  }

  #forgetSamples(): void {
    this.#samples.clear()
    this.#readAtMs = this.#options.clock.monotonic()
  }

  /** One pass over all meters serves every watcher of these accounts. */
  #read(accounts: ReadonlySet<string>): void {
    const { routes, meters } = this.#options
    for (const account of accounts) this.#samples.set(account, new Map())
    for (const meter of meters.all())
      if (accounts.has(meter.account))
        this.#samples.get(meter.account)?.set(meter.tunnel, sampleOf(meter, routes.ofTunnel(meter.tunnel)))
  }

  #end(watcher: Watcher): void {
    this.#forget(watcher)
    watcher.response.end()
  }

  #forget(watcher: Watcher): void {
    this.#watchers.remove(watcher)
    if (this.#watchers.size > 0) return
    this.#ticker?.clear()
    this.#ticker = undefined
  }
}

function sampleOf(meter: TunnelMeter, route: Route | undefined): TunnelSample {
  const { in: bytesIn, out, opened, refused, active } = meter.read()
  const members = route?.members ?? []
  const rtts = members.flatMap(({ session }) => session.rttMs ?? [])
  return {
    in: bytesIn,
    out,
    opened,
    refused,
    active,
    attached: members.length > 0,
    ...(rtts.length > 0 && { rttMs: Math.min(...rtts) }),
  }
}

function pick(all: Samples, tunnels: readonly string[]): Samples {
  const picked: Samples = new Map()
  for (const tunnel of tunnels) {
    const sample = all.get(tunnel)
    if (sample !== undefined) picked.set(tunnel, sample)
  }
  return picked
}

function allowAnyOrigin(response: ServerResponse): void {
  response.setHeader('access-control-allow-origin', '*')
  response.setHeader('access-control-allow-headers', 'authorization')
  response.setHeader('access-control-allow-methods', 'GET')
  response.setHeader('access-control-max-age', '86400')
}

function answerJson(response: ServerResponse, answer: object): void {
  response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(JSON.stringify(answer))
}

function answerPlain(response: ServerResponse, status: number): void {
  response.writeHead(status).end()
}
