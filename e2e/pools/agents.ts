/** Pools of agents, filled by their connections, sessions, tickets and bytes. */
import { systemClock } from '@porttunneler/shared/base/clock'
import { isFailure } from '@porttunneler/shared/base/errors'
import { newId } from '@porttunneler/shared/base/ids'
import { Budget } from '@porttunneler/shared/mux/budget'
import { anyVisitor, muxPair, Recorder } from '@porttunneler/shared/testing/mux-pair'
import { BindingQueue } from '../../relay-vm/binding-queue.ts'
import { FairRates } from '../../relay-vm/policy/fair-rates.ts'
import { agentSni } from '../../relay-vm/testing/test-relay.ts'
import { within } from '../harness/events.ts'
import type { FullPool, PoolCase } from './case.ts'
import { clientHello, greedyAccount, type Stage } from './stage.ts'
import { staged } from './staged.ts'

const plenty = { perMinute: 6_000_000, burst: 1_000_000 }
/** Hellos of agents: their handshakes go no further. */
const hello = clientHello(agentSni, 'porttunneler')

export const agentCases = {
  agentHandshakes: staged(
    { limits: { handshakes: { running: 20, source: plenty } } },
    {
      code: 'tls.budget',
      count: 40,
      ask: async (stage, count) => stage.hold(stage.ports.tlsPort, { count, first: await hello }),
      serve: (stage) => stage.serveTunnel(),
    },
  ),
  'rate agentHandshakeRate': staged(
    { limits: { handshakes: { agents: { perMinute: 600, burst: 400 }, source: plenty } } },
    {
      code: 'tls.budget',
      count: 480,
      more: 20,
      ask: async (stage, count) => stage.hold(stage.ports.tlsPort, { count, first: await hello }),
      serve: (stage) => stage.serveTunnel(),
    },
  ),
  carriers: staged(
    { limits: { strangersMax: 20 } },
    {
      code: 'session.limit',
      count: 30,
      ask: (stage, count) => stage.holdAgents(count),
      serve: (stage) => stage.serveTunnel(),
    },
  ),
  sessions: staged(
    { limits: { sessionsMax: 20 } },
    {
      code: 'session.limit',
      count: 25,
      ask: async (stage, count) => {
        for (let n = 0; n < count; n++) await beginSession(stage)
      },
      serve: (stage) => stage.serveTunnel(),
    },
  ),
  'rate checks': { open: openChecks },
  'budget streams': { open: openBytes },
} as const satisfies Record<string, PoolCase>

/** A session of one more agent of the greedy account; it may be refused. */
async function beginSession({ bench, control, ports }: Stage): Promise<void> {
  const agentId = newId('agt', 666)
  const claims = { endpoint: 'host:greedy.tunnels.test', account: greedyAccount, agent: agentId }
  await bench.dial(ports, { ticket: await control.ticket(claims), agentId }).catch(() => undefined)
}

/** Two accounts whose tickets wait to be checked, as their sessions at a relay do. */
function openChecks(): Promise<FullPool> {
  const rates = new FairRates(systemClock, { keysMax: 1 })
  const rate = { perMinute: 60_000, burst: 60_000 }
  const mayCheck = (account: string) => rates.take('checks', rate, [account, 'agent'])
  const answered = new Set<number>()
  const queueOf = (account: string, answer: (bind: number) => void) =>
    new BindingQueue({ clock: systemClock, mayCheck: () => mayCheck(account), answer })
  const greedy = queueOf('greedy', () => undefined)
  let heard: (() => void) | undefined
  const guest = queueOf('guest', (bind) => {
    answered.add(bind)
    heard?.()
  })
  let last = 0
  let isRefused = false
  return Promise.resolve({
    fill: () => {
      while (mayCheck('greedy'));
      isRefused = true
    },
    isFull: () => isRefused,
    again: () => {
      for (let bind = 0; bind < 100; bind++) greedy.add(bind, 'ticket')
    },
    serve: async () => {
      const bind = ++last
      const { promise, resolve } = Promise.withResolvers<void>()
      heard = resolve
      guest.add(bind, 'ticket')
      if (!answered.has(bind)) await within(promise, 'the answer to the guest’s BIND')
    },
    close: () => {
      greedy.close()
      guest.close()
    },
  })
}

const memoryBytes = 4 * 1024 * 1024

/** Two accounts of a relay with little memory; the agents of one take nothing of what its visitors send. */
function openBytes(): Promise<FullPool> {
  const memory = new Budget(memoryBytes, undefined, { isFair: true })
  const pairOf = (isHungry: boolean) => {
    const budget = new Budget(Number.POSITIVE_INFINITY, memory)
    const pair = muxPair({
      clock: systemClock,
      budget,
      agent: {
        onOpen(stream) {
          const heard = Object.assign(new Recorder(), { stream, isHungry })
          if (isHungry)
            heard.onData = (bytes: Buffer) => {
              stream.write(bytes)
              stream.consumed(bytes.length)
            }
          return heard
        },
      },
    })
    return { budget, pair }
  }
  const [greedy, guest] = [pairOf(false), pairOf(true)]
  const send = () => {
    try {
      greedy.pair.relay.open(anyVisitor, new Recorder()).write(Buffer.alloc(64 * 1024))
    } catch (error) {
      if (!isFailure(error) || error.key !== 'session.limit') throw error
    }
  }
  return Promise.resolve({
    fill: () => {
      for (let n = 0; n < 64; n++) send()
    },
    // One account alone may hold half of it.
    isFull: () => greedy.budget.usedBytes > memoryBytes * 0.4,
    again: send,
    serve: async () => {
      const heard = new Recorder()
      const stream = guest.pair.relay.open(anyVisitor, heard)
      heard.stream = stream
      const bytes = Buffer.alloc(64 * 1024, 'x')
      stream.write(bytes)
      await within(
        heard.until(() => heard.resetCode !== undefined || heard.bytes.length === bytes.length),
        'the echo of the guest’s bytes',
      )
      if (heard.resetCode !== undefined) throw new Error(`reset with ${heard.resetCode}`)
      stream.reset('stream.aborted')
    },
    close: () => {
      for (const { pair } of [greedy, guest])
        for (const session of [pair.relay, pair.agent]) session.close('session.closed')
    },
  })
}
