/**
 * How a session begins: the agent dials a relay and says HELLO, the relay answers WELCOME or REFUSE.
 * TLS 1.3 with ALPN `porttunneler`; each side gives the other a deadline.
 */
import { randomBytes } from 'node:crypto'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import type { Clock } from '../base/clock.ts'
import { codes, type ErrorKey, fail, keyOfCode, type PortTunnelerError } from '../base/errors.ts'
import { decodeJson, encodeJson, FrameType, type Payload } from '../protocol/frames.ts'
import { limits } from '../protocol/limits.ts'
import {
  type Hello,
  helloSchema,
  protocolVersions,
  refuseSchema,
  type Welcome,
  welcomeSchema,
} from '../protocol/messages.ts'
import type { Budget } from './budget.ts'
import { Carrier, type CarrierHandler } from './carrier.ts'
import type { Liveness } from './liveness.ts'
import { Session } from './session.ts'
import type { SessionEvents } from './session-frames.ts'
import type { Turn } from './turn.ts'

export const alpn = 'porttunneler'

/** AES-128 first: 5 to 10 % less CPU than AES-256 at no loss that matters (docs/performance.md). */
export const tlsCiphers = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256'

/** What the carriers of one process share. */
export type MuxShared = {
  readonly clock: Clock
  readonly turn: Turn
  readonly liveness: Liveness
  readonly budget: Budget
}

/** What a carrier's frames meet while nobody expects any. */
function quietHandler(carrier: () => Carrier): CarrierHandler {
  const refuse = () => {
    throw fail('frame.unexpected')
  }
  return {
    onData: refuse,
    onFrame: refuse,
    onWritable() {},
    onViolation: (reason) => carrier().lose(reason),
    onLost() {},
  }
}

/** Waits for the first frame of a fresh carrier, which must be one of `types`; `read` may hand the carrier on. */
function firstFrame<T>(
  carrier: Carrier,
  {
    clock,
    types,
    read,
  }: { clock: Clock; types: readonly FrameType[]; read: (type: FrameType, payload: Payload) => T },
): Promise<T> {
  const quiet = quietHandler(() => carrier)
  return new Promise((resolve, reject) => {
    const stop = (reason: unknown) => {
      timer.clear()
      carrier.handler = quiet
      reject(reason)
    }
    const timer = clock.after(limits.helloDeadlineMs, () => stop(fail('hello.deadline')))
    carrier.handler = {
      ...quiet,
      onFrame(type, _stream, payload) {
        if (!types.includes(type)) throw fail('frame.unexpected')
        timer.clear()
        carrier.handler = quiet
        try {
          resolve(read(type, payload))
        } catch (error) {
          reject(error)
        }
      },
      onViolation: stop,
      onLost: stop,
    }
  })
}

// --- relay -----------------------------------------------------------------------------------------------------------

export type AcceptedHello = {
  readonly hello: Hello
  /** Says WELCOME; the session takes the carrier over. */
  welcome(options: { relay: string; events: SessionEvents }): Session
  /** Says REFUSE and closes. */
  refuse(key: ErrorKey, detail?: string, retryAfterMs?: number): void
}

/**
 * Reads HELLO from a fresh agent connection.
 * @throws hello.deadline, hello.version, frame.*: the socket has been closed by then
 */
export async function acceptAgent(socket: TLSSocket, shared: MuxShared): Promise<AcceptedHello> {
  const carrier = newCarrier(socket, 0, shared)
  try {
    const hello = await firstFrame(carrier, {
      clock: shared.clock,
      types: [FrameType.hello],
      read: (_type, payload) => decodeJson(helloSchema, payload),
    })
    const version = protocolVersions.find((v) => hello.versions.includes(v))
    if (version === undefined) throw fail('hello.version')
    return {
      hello,
      welcome: ({ relay, events }) => welcome(carrier, { hello, version, relay, events, shared }),
      refuse: (key, detail, retryAfterMs) => refuse(carrier, key, detail, retryAfterMs),
    }
  } catch (error) {
    const reason = error as PortTunnelerError
    refuse(carrier, reason.key ?? 'frame.malformed', reason.detail)
    throw error
  }
}

function welcome(
  carrier: Carrier,
  {
    hello,
    version,
    relay,
    events,
    shared,
  }: { hello: Hello; version: number; relay: string; events: SessionEvents; shared: MuxShared },
): Session {
  const id = `ses_${randomBytes(15).toString('hex')}`
  const body: Welcome = {
    version,
    session: id,
    secret: randomBytes(32).toString('base64url'),
    resumed: false,
    lost: [],
    relay,
  }
  carrier.send(encodeJson(FrameType.welcome, body))
  return new Session({ side: 'relay', id, carrier, agentWindow: hello.window, events, ...shared })
}

function refuse(
  carrier: Carrier,
  key: ErrorKey,
  detail: string = codes[key].cause,
  retryAfterMs?: number,
): void {
  if (carrier.isLost) return
  const body = {
    code: codes[key].code,
    message: detail.slice(0, 500),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  }
  carrier.send(encodeJson(FrameType.refuse, body))
  carrier.end()
}

// --- agent -----------------------------------------------------------------------------------------------------------

/** Where a relay listens for agents, from the directory that came with the lease. */
export type DialAddress = {
  readonly host: string
  readonly port: number
  readonly sni: string
  /** PEM; then the only root. */
  readonly certificate?: string | undefined
}

export type DialOptions = MuxShared & {
  readonly address: DialAddress
  /** Any valid lease ticket of this cell: it proves the right to a session. */
  readonly ticket: string
  /** Id of this agent. */
  readonly agent: string
  readonly build: string
  readonly events: SessionEvents
  readonly signal: AbortSignal
}

/**
 * Dials a relay and begins a session.
 * @throws relay.unreachable, relay.identity, or the code of the relay's REFUSE (its `fields.retryAfterMs` if given)
 */
export async function dialRelay(options: DialOptions): Promise<Session> {
  const { clock, signal, address } = options
  signal.throwIfAborted()
  const socket = await connectTls(address, { clock, signal })
  const carrier = newCarrier(socket, 1, options)
  const onAbort = () => carrier.lose(fail('session.closed'))
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    const hello: Hello = {
      versions: [...protocolVersions],
      agent: options.agent,
      build: options.build,
      ticket: options.ticket,
      carrier: carrier.number,
      window: limits.windowBytesTight,
      lost: [],
    }
    carrier.send(encodeJson(FrameType.hello, hello))
    const answer = await firstFrame(carrier, {
      clock,
      types: [FrameType.welcome, FrameType.refuse],
      // The session takes over inside this call: frames that follow WELCOME in the same chunk are its own.
      read: (type, payload) =>
        type === FrameType.welcome ? begin(carrier, payload, options) : refusal(payload),
    })
    if (answer instanceof Session) return answer
    throw answer
  } catch (error) {
    carrier.lose(fail('session.closed'))
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

function begin(carrier: Carrier, payload: Payload, options: DialOptions): Session {
  const { session } = decodeJson(welcomeSchema, payload)
  return new Session({
    side: 'agent',
    id: session,
    carrier,
    agentWindow: limits.windowBytesTight,
    ...options,
  })
}

function refusal(payload: Payload): PortTunnelerError {
  const { code, message, retryAfterMs } = decodeJson(refuseSchema, payload)
  return fail(keyOfCode(code) ?? 'ticket.invalid', message, { fields: { retryAfterMs } })
}

function newCarrier(socket: TLSSocket, number: number, { turn, clock }: MuxShared): Carrier {
  const handler: CarrierHandler = {
    onData() {},
    onFrame() {},
    onWritable() {},
    onViolation() {},
    onLost() {},
  }
  return new Carrier({ socket, number, turn, clock, handler })
}

/** A TLS connection to a relay whose certificate was checked, and which speaks our protocol. */
function connectTls(
  address: DialAddress,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const { host, port, sni, certificate } = address
    const options: ConnectionOptions & { autoSelectFamilyAttemptTimeout: number } = {
      host,
      port,
      servername: sni,
      ALPNProtocols: [alpn],
      minVersion: 'TLSv1.3',
      ciphers: tlsCiphers,
      // Node's own 250 ms gives up on a family that a slow link would have reached.
      autoSelectFamilyAttemptTimeout: 1_000,
      ...(certificate !== undefined && { ca: [certificate] }),
    }
    const socket = connect(options)
    const stop = (error: Error) => {
      cleanUp()
      socket.on('error', () => {})
      socket.destroy()
      reject(error)
    }
    const onAbort = () => stop(fail('session.closed'))
    const onError = (cause: Error & { code?: string }) => stop(dialError(cause, address))
    const timer = clock.after(limits.helloDeadlineMs, () =>
      stop(
        fail(
          'relay.unreachable',
          `${host}:${port} did not answer within ${limits.helloDeadlineMs / 1000} s.`,
        ),
      ),
    )
    const cleanUp = () => {
      timer.clear()
      signal.removeEventListener('abort', onAbort)
      socket.off('error', onError)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    socket.on('error', onError)
    socket.once('secureConnect', () => {
      if (socket.alpnProtocol !== alpn)
        return stop(fail('relay.identity', `${host}:${port} is not a PortTunneler relay.`))
      cleanUp()
      socket.setNoDelay(true)
      socket.setKeepAlive(true, limits.tcpKeepAliveMs)
      resolve(socket)
    })
  })
}

/** TLS failures mean the wrong peer; everything else means no peer. */
function dialError(cause: Error & { code?: string }, { host, port }: DialAddress): PortTunnelerError {
  const code = cause.code ?? cause.message
  const isIdentity = /CERT|SSL|TLS|ALTNAME|SIGNED|ISSUER/.test(code)
  return isIdentity
    ? fail('relay.identity', `${host}:${port} has no certificate we trust (${code}).`, { cause })
    : fail('relay.unreachable', `${host}:${port} cannot be reached (${code}).`, { cause })
}
