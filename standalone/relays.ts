/**
 * The relay processes of a standalone server: one by default, several on a machine with several cores. They share the
 * visitors' ports, agents have a session to each, and any of them may be restarted while the others serve.
 */
import { type Clock, sleep } from '@porttunneler/shared/base/clock'
import type { Secret } from '@porttunneler/shared/base/secret'
import { isEnrolled, type Relay, type RelayOptions, type RelayPorts, startRelay } from './relay.ts'

export type RelaysOptions = Omit<RelayOptions, 'index' | 'first' | 'enrolmentKey'> & {
  newEnrolmentKey(): Promise<Secret>
  /** Told of every process, with the way to end it at once. */
  onProcess(kill: () => void): void
  /** A server that runs gives its relays up, one after the other. */
  readonly takeOver?: {
    /** Of its relays. */
    readonly ports: readonly RelayPorts[]
    /** Resolves when that one is gone. @returns how many endpoints had their agent at it */
    release(index: number): Promise<number>
  }
}

/** An agent that found its relay closed tries again after 20 s at the latest; its dial takes a little. */
const agentsBackMs = 30_000
const pollMs = 100

export class Relays {
  readonly #options: RelaysOptions
  readonly #relays: Relay[] = []
  readonly #ports: RelayPorts[] = []
  readonly #released = new Set<number>()
  #rolling: Promise<void> | undefined
  #isStopped = false

  constructor(options: RelaysOptions) {
    this.#options = options
  }

  /** Of each that has started. */
  get ports(): readonly RelayPorts[] {
    return this.#ports
  }

  /**
   * One after the other, because the first may choose the ports that all share. Where it takes over, a relay that does
   * not start ends this as long as none has; then the others go on, and it tries again.
   * @throws standalone.relay
   */
  async start(): Promise<RelayPorts> {
    const { config, takeOver, clock, onTrouble } = this.#options
    for (let index = 0; index < config.relays && !this.#isStopped; index++) {
      const served = (await takeOver?.release(index)) ?? 0
      const own = takeOver?.ports[index]
      const relay = await this.#launch(index, own)
      try {
        this.#ports[index] = await relay.ready
      } catch (error) {
        if (own === undefined || index === 0) throw error
        this.#ports[index] = own
        onTrouble(`A relay did not start, and tries again: ${String(error)}`)
      }
      if (takeOver) await agentsBack(relay, served, clock)
    }
    const [first] = this.#ports
    if (first === undefined) throw new Error('A server has one relay at least')
    return first
  }

  /** Ends one for good: another server has its place. @returns how many endpoints had their agent at it */
  async release(index: number): Promise<number> {
    const relay = this.#relays[index]
    if (relay === undefined) return 0
    const served = await relay.served()
    this.#released.add(index)
    await relay.stop(this.#options.config.graceSeconds * 1_000)
    return served
  }

  /** Starts those again that were released. @throws standalone.relay */
  async reclaim(): Promise<void> {
    const released = [...this.#released]
    this.#released.clear()
    for (const index of released) await (await this.#launch(index, this.#ports[index])).ready
  }

  async #launch(index: number, own: RelayPorts | undefined): Promise<Relay> {
    const { folder, newEnrolmentKey, onProcess } = this.#options
    const enrolmentKey = isEnrolled(folder, index) ? undefined : await newEnrolmentKey()
    const relay = startRelay({ ...this.#options, index, first: this.#ports[0], own, enrolmentKey })
    onProcess(relay.kill)
    this.#relays[index] = relay
    return relay
  }

  send(message: object): void {
    for (const relay of this.#relays) relay.send(message)
  }

  async stop(graceMs: number): Promise<void> {
    this.#isStopped = true
    await Promise.all(this.#relays.map((relay) => relay.stop(graceMs)))
  }

  /**
   * Restarts them in turn, each only when the agents are back at the one before: with two or more no request of an
   * http tunnel is lost. A call while one is under way waits for that one.
   */
  roll(): Promise<void> {
    this.#rolling ??= this.#roll().finally(() => {
      this.#rolling = undefined
    })
    return this.#rolling
  }

  async #roll(): Promise<void> {
    const { config, clock } = this.#options
    for (const relay of this.#relays) {
      if (this.#isStopped) return
      const served = await relay.served()
      await relay.restart(config.graceSeconds * 1_000)
      await agentsBack(relay, served, clock)
    }
  }
}

/** Resolves when as many endpoints have their agent again as before, or when waiting longer makes no sense. */
async function agentsBack(relay: Relay, served: number, clock: Clock): Promise<void> {
  const untilMs = clock.monotonic() + agentsBackMs
  while (clock.monotonic() < untilMs && (await relay.served()) < served) await sleep(clock, pollMs)
}
