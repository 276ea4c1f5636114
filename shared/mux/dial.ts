/**
 * Agent: dials a relay and sends HELLO. The first carrier begins a session, each further one joins it with a proof of
 * the session's secret.
 */
import { fail, isFailure, keyOfCode, type PortTunnelerError } from '../base/errors.ts'
import { decodeJson, encodeJson, FrameType, type Payload } from '../protocol/frames.ts'
import { limits } from '../protocol/limits.ts'
import {
  type Hello,
  protocolVersions,
  refuseSchema,
  type Welcome,
  welcomeSchema,
} from '../protocol/messages.ts'
import type { Carrier } from './carrier.ts'
import { CarrierKeeper } from './carrier-keeper.ts'
import { connectTls, type DialAddress } from './connect-tls.ts'
import {
  type CarrierSource,
  type FreshCarrier,
  firstFrame,
  freshCarrier,
  type MuxShared,
  proofOf,
} from './fresh-carrier.ts'
import { Session } from './session.ts'
import type { SessionEvents } from './session-frames.ts'
import type { Spare } from './spare.ts'

export type DialOptions = MuxShared & {
  readonly address: DialAddress
  /** Id of this agent. */
  readonly agent: string
  readonly build: string
  readonly signal: AbortSignal
  /** Where a connection waits after its relay said that it does not know the session. */
  readonly spare?: Spare
  /** How the TLS connection is made; tests pass their own. */
  readonly connect?: typeof connectTls
}

/**
 * Dials a relay and begins a session. From then on the session dials its further carriers itself and ends only when it
 * is closed or its grace is over. `ticket` is any valid lease ticket of this cell: it proves the right to a session.
 * @throws relay.unreachable, relay.identity, relay.validity, or the code of the relay's REFUSE (`fields.retryAfterMs`
 * if given)
 */
export async function dialRelay(
  options: DialOptions & {
    readonly ticket: string
    readonly random: () => number
    readonly events: SessionEvents
  },
): Promise<Session> {
  const { ticket, clock, random, events } = options
  // The session outlives the dial that began it.
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
  const first = { number: 1, kind: 'shared', spare: options.spare?.take() } as const
  return await dial(options, first, () => ({
    hello: { ticket, lost: [] },
    begin: ({ session: id, secret }, carrier) => {
      const begun = new Session({ ...options, side: 'agent', id, secret, carrier, agentWindow, events: kept })
      keeper = new CarrierKeeper({
        session: begun,
        clock,
        random,
        dial: async (kind, signal) => {
          try {
            await dialCarrier(begun, kind, { ...lasting, signal })
          } catch (error) {
            const isTold = begun.carriers.size === 0 && !signal.aborted && isFailure(error)
            if (isTold) events.onDialFailed?.(error)
            throw error
          }
        },
      })
      return begun
    },
  }))
}

/**
 * Dials a further carrier for a live session.
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
        if (!session.accepts(number) || lost.includes(number)) throw fail('session.closed')
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
  { number, kind, spare }: Pick<Carrier, 'number' | 'kind'> & { spare?: FreshCarrier | undefined },
  greet: (socket: CarrierSource) => Greeting,
): Promise<Session> {
  const { clock, signal } = options
  const fresh = spare ?? (await connect(options))
  const { carrier, socket } = fresh
  carrier.introduce({ number, kind })
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
    carrier.frames.send(encodeJson(FrameType.hello, body))
    const answer = await firstFrame(carrier, {
      clock,
      types: [FrameType.welcome, FrameType.refuse],
      // The session takes over inside this call: frames after WELCOME in the same chunk are its own.
      read: (type, payload) =>
        type === FrameType.welcome ? begin(decodeJson(welcomeSchema, payload), carrier) : refusal(payload),
    })
    if (answer instanceof Session) return answer
    throw answer
  } catch (error) {
    const mayBeginAnew = isFailure(error) && error.key === 'session.unknown'
    if (mayBeginAnew && options.spare) options.spare.keep(fresh)
    else carrier.lose(fail('session.closed'))
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

async function connect(options: DialOptions): Promise<FreshCarrier> {
  const { clock, signal, address } = options
  signal.throwIfAborted()
  const socket = await (options.connect ?? connectTls)(address, { clock, signal })
  return freshCarrier(socket, options)
}

function refusal(payload: Payload): PortTunnelerError {
  const { code, message, retryAfterMs } = decodeJson(refuseSchema, payload)
  return fail(keyOfCode(code) ?? 'ticket.invalid', message, { fields: { retryAfterMs, isRefusal: true } })
}
