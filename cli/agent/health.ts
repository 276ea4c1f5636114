/**
 * Checks whether upstreams work, if ptun.yaml asks for it: by connecting, or by a GET. A sick upstream keeps its
 * tunnel, because its own error tells visitors more than a closed door; the agent reports it everywhere.
 */
import type { Socket } from 'node:net'
import type { Clock, Timer } from '@porttunneler/shared/base/clock'
import { fail, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import { writeProxyHeader } from '@porttunneler/shared/protocol/proxy-header'
import { connectHttp2 } from '../http/upstream-h2/connect.ts'
import { dialUpstream, type LoopbackMemory } from './dial-upstream.ts'
import { type Emit, problemOf } from './events.ts'
import { http2Options } from './http2-upstreams.ts'
import { type HealthCheck, labelOf, recovered, type Tunnel, type WantedTunnel } from './tunnels.ts'
import { authorityOf, formatUpstream } from './upstream.ts'

/** A failure is checked again before it is reported: a program that restarts is not sick. */
const failuresMax = 2
const againMs = 1_000
/** From the connection to the status line. */
const answerMs = 5_000
const statusLineBytesMax = 512

export type HealthOptions = {
  readonly clock: Clock
  readonly tunnels: readonly Tunnel[]
  readonly emit: Emit
}

export class HealthChecks {
  readonly #options: HealthOptions
  readonly #memory: LoopbackMemory = new Map()
  readonly #checks = new Map<Tunnel, Check>()

  constructor(options: HealthOptions) {
    this.#options = options
  }

  /** Checks at once, and then for ever. */
  start(): void {
    for (const tunnel of this.#options.tunnels) this.follow(tunnel)
  }

  /** Begins, or restarts if the tunnel's settings have changed. */
  follow(tunnel: Tunnel): void {
    this.drop(tunnel)
    const { health } = tunnel.wanted
    tunnel.health = health && { state: 'unknown' }
    if (!health) return
    const check = new Check({ tunnel, health, memory: this.#memory, ...this.#options })
    this.#checks.set(tunnel, check)
    check.run()
  }

  drop(tunnel: Tunnel): void {
    this.#checks.get(tunnel)?.close()
    this.#checks.delete(tunnel)
  }

  close(): void {
    for (const check of this.#checks.values()) check.close()
  }
}

type CheckOptions = {
  readonly tunnel: Tunnel
  readonly health: HealthCheck
  readonly memory: LoopbackMemory
  readonly clock: Clock
  readonly emit: Emit
}

class Check {
  readonly #options: CheckOptions
  #failures = 0
  #timer: Timer | undefined
  #cancel: () => void = () => {}

  constructor(options: CheckOptions) {
    this.#options = options
  }

  run(): void {
    const { tunnel } = this.#options
    if (tunnel.stopped) return
    this.#cancel = probe(tunnel.wanted, this.#options, (failure) => this.#onDone(failure))
  }

  close(): void {
    this.#cancel()
    this.#timer?.clear()
  }

  #onDone(failure: PortTunnelerError | undefined): void {
    this.#failures = failure ? this.#failures + 1 : 0
    const isDoubted = failure && this.#failures < failuresMax
    if (!isDoubted) this.#tell(failure)
    const waitMs = isDoubted ? againMs : this.#options.health.everyMs
    this.#timer = this.#options.clock.after(waitMs, () => this.run(), { background: true })
  }

  #tell(failure: PortTunnelerError | undefined): void {
    const { tunnel, emit } = this.#options
    const before = tunnel.health
    tunnel.health = failure ? { state: 'unhealthy', failure } : { state: 'healthy' }
    if (!failure) recovered(tunnel, emit)
    if (before?.state === tunnel.health.state && before.failure?.key === failure?.key) return
    const about = { tunnel: labelOf(tunnel), upstream: formatUpstream(tunnel.wanted.upstream) }
    if (failure) emit({ event: 'upstream.unhealthy', ...about, problem: problemOf(failure) })
    else emit({ event: 'upstream.healthy', ...about })
  }
}

/**
 * One check; `onDone` is called once, never before this returns.
 * @returns a function that gives up silently
 */
export function probe(
  wanted: WantedTunnel,
  { health, clock, memory }: Pick<CheckOptions, 'health' | 'clock' | 'memory'>,
  onDone: (failure: PortTunnelerError | undefined) => void,
): () => void {
  if (wanted.upstreamProtocol) return probeHttp2(wanted, { health, clock, memory }, onDone)
  let stopAsking: () => void = () => {}
  const stopDialling = dialUpstream(wanted.upstream, {
    clock,
    memory,
    tls: wanted.tls,
    onFail: onDone,
    onConnect: (socket) => {
      if (health.kind === 'http') stopAsking = ask(socket, { wanted, health, clock }, onDone)
      else {
        drop(socket)
        onDone(undefined)
      }
    },
  })
  return () => {
    stopDialling()
    stopAsking()
  }
}

/** Sends a GET and reads the status line; the rest of the answer is not read. */
function ask(
  socket: Socket,
  options: { wanted: WantedTunnel; health: HealthCheck & { kind: 'http' }; clock: Clock },
  onDone: (failure: PortTunnelerError | undefined) => void,
): () => void {
  const { wanted, health, clock } = options
  const name = formatUpstream(wanted.upstream)
  let seen = ''
  const stop = () => {
    timer.clear()
    drop(socket)
  }
  const done = (why: string | undefined) => {
    stop()
    onDone(why === undefined ? undefined : fail('upstream.unhealthy', `${name} ${why} to GET ${health.path}`))
  }
  const timer = clock.after(answerMs, () => done('gave no answer within 5 s'), { background: true })
  socket.on('data', (chunk: Buffer) => {
    seen += chunk.toString('latin1')
    if (seen.includes('\n') || seen.length > statusLineBytesMax) done(judge(seen, health.status))
  })
  socket.on('error', () => done('broke the connection off instead of answering'))
  socket.on('end', () => done('closed the connection instead of answering'))
  if (wanted.proxyProtocol) socket.write(writeProxyHeader(wanted.proxyProtocol, nobody))
  const fields = [
    `Host: ${wanted.requests?.host ?? authorityOf(wanted.upstream)}`,
    'User-Agent: ptun-health',
    'Accept: */*',
    'Connection: close',
  ]
  socket.write(`GET ${health.path} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`)
  socket.resume()
  return stop
}

/** The same in HTTP/2. The preface alone tells more than that something listens. */
function probeHttp2(
  wanted: WantedTunnel,
  { health, clock, memory }: Pick<CheckOptions, 'health' | 'clock' | 'memory'>,
  onDone: (failure: PortTunnelerError | undefined) => void,
): () => void {
  const options = http2Options(wanted, clock, memory)
  let stopAsking: () => void = () => {}
  const stopConnecting = connectHttp2(
    options,
    (session) => {
      if (health.kind === 'tcp') {
        session.destroy()
        onDone(undefined)
        return
      }
      const { path, status } = health
      const done = (why: string | undefined) => {
        stopAsking()
        onDone(
          why === undefined ? undefined : fail('upstream.unhealthy', `${options.name} ${why} to GET ${path}`),
        )
      }
      const timer = clock.after(answerMs, () => done('gave no answer within 5 s'), { background: true })
      stopAsking = () => {
        timer.clear()
        request.removeAllListeners()
        request.on('error', () => {})
        session.destroy()
      }
      const authority = wanted.requests?.host ?? authorityOf(wanted.upstream)
      const agent = ['user-agent', 'ptun-health', 'accept', '*/*']
      const pseudo = [':method', 'GET', ':scheme', options.scheme, ':authority', authority, ':path', path]
      const request = session.request([...pseudo, ...agent])
      request.on('response', (fields) => done(judgeStatus(Number(fields[':status']), status)))
      request.on('error', () => done('broke the request off instead of answering'))
      request.on('close', () => done('ended the request instead of answering'))
    },
    onDone,
  )
  return () => {
    stopConnecting()
    stopAsking()
  }
}

/** Why the answer is not the wanted one; without `wanted`, 200 to 399 are accepted. */
function judge(answer: string, wanted: number | undefined): string | undefined {
  const status = Number(/^HTTP\/1\.[01] ([1-5]\d\d)[ \r\n]/.exec(answer)?.[1] ?? Number.NaN)
  if (Number.isNaN(status)) return 'answered something that is not HTTP'
  return judgeStatus(status, wanted)
}

function judgeStatus(status: number, wanted: number | undefined): string | undefined {
  const isFine = wanted === undefined ? status >= 200 && status < 400 : status === wanted
  return isFine ? undefined : `answered ${status}`
}

/** A check is not a visitor: the PROXY header says that nothing is known. */
const nobody = { sourceAddress: '', sourcePort: 0, destinationAddress: '', destinationPort: 0 }

function drop(socket: Socket): void {
  socket.removeAllListeners()
  // Whatever the upstream sends on a closed connection does not matter.
  socket.on('error', () => {})
  socket.destroy()
}
