/**
 * How a carrier begins: the agent dials a relay and says HELLO, the relay answers WELCOME or REFUSE. The first one
 * begins a session, each further one joins it by proof of the session's secret.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import type { Clock } from '../base/clock.ts'
import { codes, type ErrorKey, fail, isFailure, keyOfCode, type PortTunnelerError } from '../base/errors.ts'
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
import { CarrierKeeper } from './carrier-keeper.ts'
import { connectTls, type DialAddress } from './connect-tls.ts'
import type { Liveness } from './liveness.ts'
import { Session } from './session.ts'
import type { SessionEvents } from './session-frames.ts'
import type { Turn } from './turn.ts'

/** What the carriers of one process share. */
export type MuxShared = {
  readonly clock: Clock
  readonly turn: Turn
  readonly liveness: Liveness
  readonly budget: Budget
}

// --- relay -----------------------------------------------------------------------------------------------------------

export type AcceptedHello = {
  readonly hello: Hello
  /** Says WELCOME and begins a session on this carrier. */
  welcome(options: { relay: string; events: SessionEvents }): Session
  /**
   * Says WELCOME and gives the carrier to a session that lives, whose agent and account the caller has compared.
   * @throws carrier.proof; REFUSE has been said by then
   */
  join(session: Session, relay: string): void
  /** Says REFUSE and closes. */
  refuse(key: ErrorKey, detail?: string, retryAfterMs?: number): void
}

/**
 * Reads HELLO from a fresh agent connection.
 * @throws hello.deadline, hello.version, frame.*: the socket has been closed by then
 */
export async function acceptAgent(socket: TLSSocket, shared: MuxShared): Promise<AcceptedHello> {
  const fresh = newCarrier(socket, 0, shared)
  try {
    const hello = await firstFrame(fresh, {
      clock: shared.clock,
      types: [FrameType.hello],
      read: (_type, payload) => decodeJson(helloSchema, payload),
    })
    const version = protocolVersions.find((v) => hello.versions.includes(v))
    if (version === undefined) throw fail('hello.version')
    fresh.number = hello.carrier
    fresh.kind = hello.kind
    return new Accepted({ hello, carrier: fresh, socket, version, shared })
  } catch (error) {
    const reason = isFailure(error) ? error : fail('frame.malformed', undefined, { cause: error })
    refuse(fresh, reason.key, reason.detail)
    throw reason
  }
}

class Accepted implements AcceptedHello {
  readonly hello: Hello
  readonly #carrier: Carrier
  readonly #socket: TLSSocket
  readonly #version: number
  readonly #shared: MuxShared

  constructor(options: {
    hello: Hello
    carrier: Carrier
    socket: TLSSocket
    version: number
    shared: MuxShared
  }) {
    this.hello = options.hello
    this.#carrier = options.carrier
    this.#socket = options.socket
    this.#version = options.version
    this.#shared = options.shared
  }

  welcome({ relay, events }: { relay: string; events: SessionEvents }): Session {
    const id = `ses_${randomBytes(15).toString('hex')}`
    const secret = randomBytes(32).toString('base64url')
    this.#say({ version: this.#version, session: id, secret, lost: [], relay })
    const agentWindow = this.hello.window
    return new Session({
      side: 'relay',
      id,
      secret,
      carrier: this.#carrier,
      agentWindow,
      events,
      ...this.#shared,
    })
  }

  join(session: Session, relay: string): void {
    const proof = Buffer.from(this.hello.resume?.proof ?? '')
    const expected = Buffer.from(proofOf(this.#socket, session.secret, this.hello.carrier))
    const isProven = proof.length === expected.length && timingSafeEqual(proof, expected)
    if (!isProven || !session.accepts(this.hello.carrier)) {
      this.refuse('carrier.proof')
      throw fail('carrier.proof')
    }
    const told = session.carriers.unconfirmed
    const lost = [...new Set([...told, ...this.hello.lost])]
    this.#say({ version: this.#version, session: session.id, secret: '', lost, relay })
    session.attach(this.#carrier, { lost: this.hello.lost, told })
  }

  refuse(key: ErrorKey, detail?: string, retryAfterMs?: number): void {
    refuse(this.#carrier, key, detail, retryAfterMs)
  }

  #say(body: Welcome): void {
    this.#carrier.send(encodeJson(FrameType.welcome, body))
  }
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

export type DialOptions = MuxShared & {
  readonly address: DialAddress
  /** Id of this agent. */
  readonly agent: string
  readonly build: string
  readonly signal: AbortSignal
  /** How the TLS connection is made; tests have their own. */
  readonly connect?: typeof connectTls
}

/**
 * Dials a relay and begins a session, which from then on dials its further carriers by itself and ends only when it is
 * closed or its grace is over. `ticket` is any valid lease ticket of this cell: it proves the right to a session.
 * @throws relay.unreachable, relay.identity, or the code of the relay's REFUSE (`fields.retryAfterMs` if given)
 */
export async function dialRelay(
  options: DialOptions & {
    readonly ticket: string
    readonly random: () => number
    readonly events: SessionEvents
  },
): Promise<Session> {
  const { ticket, clock, random, events } = options
  // The session's life is not that of the dial that began it.
  const { signal: _dialSignal, ...lasting } = options
  let keeper: CarrierKeeper | undefined
  const kept: SessionEvents = {
    ...events,
    onCarrierLost: (carrier, reason) => {
      keeper?.wake()
      events.onCarrierLost?.(carrier, reason)
    },
    onWant: () => keeper?.wake(),
    onProbe: () => keeper?.hurry(),
    onClosed: (reason) => {
      keeper?.close()
      events.onClosed(reason)
    },
  }
  const agentWindow = limits.agentWindowBytes
  return await dial(options, { number: 1, kind: 'shared' }, () => ({
    hello: { ticket, lost: [] },
    begin: ({ session: id, secret }, carrier) => {
      const begun = new Session({ ...options, side: 'agent', id, secret, carrier, agentWindow, events: kept })
      keeper = new CarrierKeeper({
        session: begun,
        clock,
        random,
        dial: (kind, signal) => dialCarrier(begun, kind, { ...lasting, signal }),
      })
      return begun
    },
  }))
}

/**
 * Dials a further carrier for a session that lives.
 * @throws as dialRelay; session.unknown when the relay no longer has the session
 */
export function dialCarrier(session: Session, kind: Carrier['kind'], options: DialOptions): Promise<Session> {
  const number = session.nextCarrierNumber()
  return dial(options, { number, kind }, (socket) => {
    const told = session.carriers.unconfirmed
    const proof = proofOf(socket, session.secret, number)
    return {
      hello: { lost: told, resume: { session: session.id, proof } },
      begin: ({ lost }, carrier) => {
        if (!session.accepts(number)) throw fail('session.closed')
        session.attach(carrier, { lost, told })
        return session
      },
    }
  })
}

type Greeting = {
  readonly hello: Pick<Hello, 'ticket' | 'lost' | 'resume'>
  begin(welcome: Welcome, carrier: Carrier): Session
}

async function dial(
  options: DialOptions,
  { number, kind }: Pick<Carrier, 'number' | 'kind'>,
  greet: (socket: TLSSocket) => Greeting,
): Promise<Session> {
  const { clock, signal, address } = options
  signal.throwIfAborted()
  const socket = await (options.connect ?? connectTls)(address, { clock, signal })
  const carrier = newCarrier(socket, number, options)
  carrier.kind = kind
  const onAbort = () => carrier.lose(fail('session.closed'))
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    const { hello, begin } = greet(socket)
    const { agent, build } = options
    const window = limits.agentWindowBytes
    const body: Hello = {
      versions: [...protocolVersions],
      agent,
      build,
      carrier: number,
      kind,
      window,
      ...hello,
    }
    carrier.send(encodeJson(FrameType.hello, body))
    const answer = await firstFrame(carrier, {
      clock,
      types: [FrameType.welcome, FrameType.refuse],
      // The session takes over inside this call: frames that follow WELCOME in the same chunk are its own.
      read: (type, payload) =>
        type === FrameType.welcome ? begin(decodeJson(welcomeSchema, payload), carrier) : refusal(payload),
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

function refusal(payload: Payload): PortTunnelerError {
  const { code, message, retryAfterMs } = decodeJson(refuseSchema, payload)
  return fail(keyOfCode(code) ?? 'ticket.invalid', message, { fields: { retryAfterMs, isRefusal: true } })
}

// --- both ------------------------------------------------------------------------------------------------------------

/** Bound to this TLS connection by its exporter (RFC 8446 section 7.5) and to the carrier's number. */
function proofOf(socket: TLSSocket, secret: string, carrier: number): string {
  const exported = socket.exportKeyingMaterial(32, 'EXPORTER-porttunneler-carrier', Buffer.alloc(0))
  const number = Buffer.alloc(4)
  number.writeUInt32BE(carrier)
  return createHmac('sha256', secret).update(exported).update(number).digest('base64url')
}

function newCarrier(socket: TLSSocket, number: number, { turn, clock }: MuxShared): Carrier {
  return new Carrier({ socket, number, turn, clock, handler: unexpectingHandler })
}

const unexpected = () => {
  throw fail('frame.unexpected')
}
/** What a carrier's frames meet while nobody expects any. */
const unexpectingHandler: CarrierHandler = {
  onData: unexpected,
  onFrame: unexpected,
  onWritable() {},
  onViolation: (carrier, reason) => carrier.lose(reason),
  onLost() {},
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
  return new Promise((resolve, reject) => {
    const stop = (reason: unknown) => {
      timer.clear()
      carrier.handler = unexpectingHandler
      reject(reason)
    }
    const timer = clock.after(limits.helloDeadlineMs, () => stop(fail('hello.deadline')))
    carrier.handler = {
      ...unexpectingHandler,
      onFrame(_carrier, type, _stream, payload) {
        if (!types.includes(type)) throw fail('frame.unexpected')
        timer.clear()
        carrier.handler = unexpectingHandler
        try {
          resolve(read(type, payload))
        } catch (error) {
          reject(error)
        }
      },
      onViolation: (_carrier, reason) => stop(reason),
      onLost: (_carrier, reason) => stop(reason),
    }
  })
}
