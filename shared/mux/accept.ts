/**
 * Relay: the beginning of a carrier. The agent's HELLO is answered with WELCOME, for a new session or a live one, or
 * with REFUSE.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { codes, type ErrorKey, fail, isFailure } from '../base/errors.ts'
import { decodeJson, encodeJson, FrameType } from '../protocol/frames.ts'
import { type Hello, helloSchema, protocolVersions, type Welcome } from '../protocol/messages.ts'
import type { Budget } from './budget.ts'
import type { Carrier } from './carrier.ts'
import {
  type CarrierSource,
  exportedOf,
  type FreshCarrier,
  firstFrame,
  freshCarrier,
  type MuxShared,
  proofOf,
} from './fresh-carrier.ts'
import { Session } from './session.ts'
import type { SessionEvents } from './session-frames.ts'
import type { JoinWork } from './work-share.ts'

type WelcomeOptions = {
  readonly relay: string
  readonly events: SessionEvents
  /** The account's budget. Default: the process's. */
  readonly budget?: Budget
  /** The account's part of the loop for its carrier. Default: all of the loop. */
  readonly work?: JoinWork
}

export type AcceptedHello = {
  readonly hello: Hello
  /** Sends WELCOME and begins a session on this carrier. */
  welcome(options: WelcomeOptions): Session
  /**
   * Sends WELCOME and gives the carrier to a live session, whose agent and account the caller has compared.
   * @throws carrier.proof; REFUSE has been sent by then
   */
  join(session: Session, relay: string, work?: JoinWork): void
  /**
   * Sends REFUSE, because the session to resume is not known here, and reads the HELLO of a new one from this
   * connection.
   * @throws carrier.lost when the agent leaves; hello.deadline, hello.version, frame.*: REFUSE has been sent by then
   */
  beginAnew(): Promise<AcceptedHello>
  /** What the proof of the connection was made with, for another process of this machine. */
  readonly exported: Buffer
  /** Leaves the connection to another process. @returns HELLO for it; undefined: the agent has left */
  passOn(): Buffer | undefined
  /** Sends REFUSE and closes. */
  refuse(key: ErrorKey, detail?: string, retryAfterMs?: number): void
}

/**
 * Reads HELLO from a fresh agent connection.
 * @throws hello.deadline, hello.version, frame.*: the socket has been closed by then
 */
export function acceptAgent(socket: CarrierSource, shared: MuxShared): Promise<AcceptedHello> {
  return readHello(freshCarrier(socket, shared), shared)
}

async function readHello({ carrier, socket }: FreshCarrier, shared: MuxShared): Promise<Accepted> {
  try {
    const hello = await firstFrame(carrier, {
      clock: shared.clock,
      types: [FrameType.hello],
      read: (_type, payload) => decodeJson(helloSchema, payload),
    })
    const version = protocolVersions.find((v) => hello.versions.includes(v))
    if (version === undefined) throw fail('hello.version')
    carrier.introduce({ number: hello.carrier, kind: hello.kind })
    return new Accepted({ hello, carrier, socket, version, shared })
  } catch (error) {
    const reason = isFailure(error) ? error : fail('frame.malformed', undefined, { cause: error })
    refuse(carrier, reason.key, reason.detail)
    throw reason
  }
}

class Accepted implements AcceptedHello {
  readonly hello: Hello
  readonly #carrier: Carrier
  readonly #socket: CarrierSource
  readonly #version: number
  readonly #shared: MuxShared

  constructor(options: {
    hello: Hello
    carrier: Carrier
    socket: CarrierSource
    version: number
    shared: MuxShared
  }) {
    this.hello = options.hello
    this.#carrier = options.carrier
    this.#socket = options.socket
    this.#version = options.version
    this.#shared = options.shared
  }

  welcome({ relay, events, budget, work }: WelcomeOptions): Session {
    const id = `ses_${randomBytes(15).toString('hex')}`
    const secret = randomBytes(32).toString('base64url')
    this.#say({ version: this.#version, session: id, secret, lost: [], relay })
    const agentWindow = this.hello.window
    if (work) this.#carrier.countAs(work)
    return new Session({
      side: 'relay',
      id,
      secret,
      carrier: this.#carrier,
      agentWindow,
      events,
      ...this.#shared,
      ...(budget && { budget }),
    })
  }

  join(session: Session, relay: string, work?: JoinWork): void {
    const proof = Buffer.from(this.hello.resume?.proof ?? '')
    const expected = Buffer.from(proofOf(this.#socket, session.secret, this.hello.carrier))
    const isProven = proof.length === expected.length && timingSafeEqual(proof, expected)
    // It may also not report itself, or a carrier that never was, as lost.
    const { carrier, lost: lostThere } = this.hello
    if (
      !isProven ||
      session.state === 'closed' ||
      session.carriers.knows(carrier) ||
      !lostThere.every((number) => session.carriers.knows(number))
    ) {
      this.refuse('carrier.proof')
      throw fail('carrier.proof')
    }
    // An agent that dials several at once may be one ahead: that is no forgery.
    if (!session.accepts(carrier, lostThere)) {
      this.refuse('session.limit')
      throw fail('session.limit', 'The session has as many connections as it may.')
    }
    const told = session.carriers.unconfirmed
    const lost = [...new Set([...told, ...this.hello.lost])]
    this.#say({ version: this.#version, session: session.id, secret: '', lost, relay })
    if (work) this.#carrier.countAs(work)
    session.attach(this.#carrier, { lost: this.hello.lost, told })
  }

  async beginAnew(): Promise<AcceptedHello> {
    if (this.#carrier.isLost) throw fail('carrier.lost')
    this.#carrier.frames.send(refuseFrame('session.unknown'))
    const again = await readHello({ carrier: this.#carrier, socket: this.#socket }, this.#shared)
    if (!again.hello.resume) return again
    again.refuse('frame.unexpected')
    throw fail('frame.unexpected')
  }

  get exported(): Buffer {
    return exportedOf(this.#socket)
  }

  passOn(): Buffer | undefined {
    if (this.#carrier.isLost) return undefined
    this.#carrier.detach()
    return encodeJson(FrameType.hello, this.hello)
  }

  refuse(key: ErrorKey, detail?: string, retryAfterMs?: number): void {
    refuse(this.#carrier, key, detail, retryAfterMs)
  }

  #say(body: Welcome): void {
    this.#carrier.frames.send(encodeJson(FrameType.welcome, body))
  }
}

function refuse(carrier: Carrier, key: ErrorKey, detail?: string, retryAfterMs?: number): void {
  if (carrier.isLost) return
  carrier.frames.send(refuseFrame(key, detail, retryAfterMs))
  carrier.end()
}

function refuseFrame(key: ErrorKey, detail: string = codes[key].cause, retryAfterMs?: number): Buffer {
  const { code } = codes[key]
  const message = detail.slice(0, 500)
  return encodeJson(FrameType.refuse, { code, message, ...(retryAfterMs !== undefined && { retryAfterMs }) })
}
