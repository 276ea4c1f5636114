/**
 * Many agents in this process, each with an account and some tunnels of its own, and no visitors. They are the agents
 * of `ptun` (`RelayRunner`): they come back by themselves, with its pauses.
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import type { TestControl } from '@porttunneler/relay-vm/testing/test-control'
import { systemClock } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import { newId } from '@porttunneler/shared/base/ids'
import { Budget } from '@porttunneler/shared/mux/budget'
import { connectTls } from '@porttunneler/shared/mux/connect-tls'
import { dialRelay } from '@porttunneler/shared/mux/dial'
import { Liveness } from '@porttunneler/shared/mux/liveness'
import { Turn } from '@porttunneler/shared/mux/turn'
import { RelayRunner } from '../cli/agent/relay-runner.ts'
import type { AgentAddress } from './lone-relay.ts'

/** How many agents dial at once. */
const parallel = 48

type Agent = { readonly id: string; readonly account: string; readonly tickets: Map<number, string> }

export class Crowd {
  readonly #control: TestControl
  readonly #address: AgentAddress
  readonly #tunnels: number
  readonly #mux = {
    clock: systemClock,
    turn: new Turn(),
    liveness: new Liveness({ clock: systemClock, side: 'agent' }),
    budget: new Budget(256 * 1024 ** 2),
    build: 'bench',
    random: Math.random,
  }
  readonly #agents: { readonly agent: Agent; readonly runner: RelayRunner }[] = []
  /** Agent and number of each valid binding. */
  readonly #bound = new Set<string>()
  #lost = 0
  readonly #waiting = new Set<{ readonly count: number; readonly resolve: () => void }>()

  constructor(
    control: TestControl,
    { address, tunnels }: { readonly address: AgentAddress; readonly tunnels: number },
  ) {
    this.#control = control
    this.#address = address
    this.#tunnels = tunnels
  }

  get size(): number {
    return this.#agents.length
  }

  /** Tunnels that are served now. */
  get bound(): number {
    return this.#bound.size
  }

  /** Sessions that ended without being told to. */
  get lost(): number {
    return this.#lost
  }

  /** Adds agents until there are `count`, each with its tunnels served. */
  async grow(count: number): Promise<void> {
    let next = this.#agents.length
    const come = async () => {
      while (next < count) await this.#join(next++)
    }
    await Promise.all(Array.from({ length: parallel }, come))
  }

  /** Resolves when the relay has reported this many tunnels as served from now on, each once. */
  servedAnew(count: number): Promise<void> {
    this.#bound.clear()
    return new Promise((resolve) => this.#waiting.add({ count, resolve }))
  }

  /** Sends the relay a fresh ticket for every tunnel; resolves when it has accepted them all. */
  async renew(): Promise<void> {
    for (const { agent } of this.#agents) await this.#fetchTickets(agent)
    const done = this.servedAnew(this.#agents.length * this.#tunnels)
    for (const { agent, runner } of this.#agents)
      for (const [bind, ticket] of agent.tickets) runner.bind(bind, ticket)
    await done
  }

  close(): void {
    for (const { runner } of this.#agents) runner.close('session.closed')
  }

  async #join(index: number): Promise<void> {
    const now = systemClock.now() + index
    const agent: Agent = { id: newId('agt', now), account: newId('acc', now), tickets: new Map() }
    await this.#fetchTickets(agent)
    const served = Promise.withResolvers<void>()
    const key = (bind: number) => `${agent.id} ${bind}`
    let isServed = false
    const runner = new RelayRunner(
      { instance: 'r1', ...this.#address },
      {
        clock: systemClock,
        random: Math.random,
        dial: (address, options) =>
          dialRelay({ ...this.#mux, ...options, address, agent: agent.id, connect: connectFrom(index) }),
        tickets: () => agent.tickets,
        onOpen: () => {
          throw new Error('nobody visits')
        },
        onConnected: () => undefined,
        onBound: (_instance, bind) => {
          this.#bound.add(key(bind))
          isServed ||= [...agent.tickets.keys()].every((number) => this.#bound.has(key(number)))
          if (isServed) served.resolve()
          this.#look()
        },
        onUnbound: (_instance, bind, failure) => {
          this.#bound.delete(key(bind))
          if (failure) served.reject(failure)
        },
        onLost: () => {
          // Before that it was only refused, and tries again.
          if (isServed) this.#lost += 1
        },
        onNotice: () => undefined,
      },
    )
    this.#agents.push({ agent, runner })
    runner.start()
    await served.promise
  }

  async #fetchTickets({ id, account, tickets }: Agent): Promise<void> {
    for (let bind = 1; bind <= this.#tunnels; bind++) {
      const endpoint = `host:${id.slice(4).toLowerCase()}-${bind}.tunnels.test`
      tickets.set(bind, await this.#control.ticket({ endpoint, agent: id, account }))
    }
  }

  /** A binding came. */
  #look(): void {
    for (const wait of this.#waiting) {
      if (this.#bound.size < wait.count) continue
      this.#waiting.delete(wait)
      wait.resolve()
    }
  }
}

/**
 * Dials at a time: more than a relay lets run, so that it has to refuse some. All agents at once would wait for this
 * process, which they share and real ones do not, for longer than a dial may take.
 */
const dialsMax = 1_000
let dials = 0
const queue: (() => void)[] = []

/** Dials from a loopback address and network of the agent's own, as agents elsewhere have. */
function connectFrom(index: number): typeof connectTls {
  const localAddress = `127.${1 + Math.floor(index / 250)}.${1 + (index % 250)}.1`
  return async (address, options) => {
    if (dials === dialsMax) await new Promise<void>((resolve) => queue.push(resolve))
    else dials += 1
    try {
      const { host, port } = address
      const socket = connect({ host, port, localAddress })
      await once(socket, 'connect', { signal: options.signal }).catch((cause) => {
        socket.destroy()
        throw fail('relay.unreachable', undefined, { cause })
      })
      return await connectTls(address, { ...options, socket })
    } finally {
      const next = queue.shift()
      if (next) next()
      else dials -= 1
    }
  }
}
