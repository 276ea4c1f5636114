/**
 * The relays of a standalone server: one by default, several on a machine with several cores. They share the visitors'
 * ports, agents have a session to each, and each is replaced by a process that listens before the old one ends.
 */
import { join } from 'node:path'
import { isListening } from '@porttunneler/shared/base/is-listening'
import type { Secret } from '@porttunneler/shared/base/secret'
import {
  canShare,
  instanceAt,
  isEnrolled,
  type Relay,
  type RelayOptions,
  type RelayPlace,
  type RelayPorts,
  siblingsFolder,
  startedAt,
  startRelay,
} from './relay.ts'

export type RelaysOptions = Omit<RelayOptions, 'place' | 'enrolmentKey'> & {
  newEnrolmentKey(): Promise<Secret>
  /** Called for every process, with the way to end it at once. */
  onProcess(kill: () => void): void
  /** A running server gives up its relays, one after the other. */
  readonly takeOver?: {
    /** The ports of its relays. */
    readonly ports: readonly RelayPorts[]
    /** Its agents move to the new one; resolves when the old one is gone. */
    release(index: number): Promise<void>
  }
}

export class Relays {
  readonly #options: RelaysOptions
  /** The relay at each place. */
  readonly #relays: Relay[] = []
  readonly #ports: RelayPorts[] = []
  /** Also those that are about to be there, or to leave. */
  readonly #running = new Set<Relay>()
  readonly #released = new Set<number>()
  #rolling: Promise<void> | undefined
  #isStopped = false

  constructor(options: RelaysOptions) {
    this.#options = options
  }

  /** The ports of each that has started. */
  get ports(): readonly RelayPorts[] {
    return this.#ports
  }

  /** One after the other, because the first may choose the ports that all share. @throws standalone.relay */
  async start(): Promise<RelayPorts> {
    const { config, takeOver } = this.#options
    for (let index = 0; index < config.relays && !this.#isStopped; index++)
      await this.#install(index, takeOver?.ports[index], async () => await takeOver?.release(index))
    const [first] = this.#ports
    if (first === undefined) throw new Error('A server has one relay at least')
    return first
  }

  /** Ends one for good: another server has its place. */
  async release(index: number): Promise<void> {
    this.#released.add(index)
    await this.#end(this.#relays[index])
  }

  /** Starts the released ones again. @throws standalone.relay */
  async reclaim(): Promise<void> {
    const released = [...this.#released]
    this.#released.clear()
    for (const index of released) await this.#install(index, this.#ports[index])
  }

  send(message: object): void {
    for (const relay of this.#running) relay.send(message)
  }

  async stop(graceMs: number): Promise<void> {
    this.#isStopped = true
    await Promise.all([...this.#running].map((relay) => relay.stop(graceMs)))
  }

  /**
   * Replaces them in turn. A call during one waits for that one.
   * @throws standalone.relay when one does not start: the one before it goes on, and so do the others
   */
  roll(): Promise<void> {
    this.#rolling ??= this.#roll().finally(() => {
      this.#rolling = undefined
    })
    return this.#rolling
  }

  async #roll(): Promise<void> {
    for (const [index, relay] of this.#relays.entries()) {
      if (this.#isStopped) return
      await this.#install(index, this.#ports[index], () => this.#end(relay))
    }
  }

  /**
   * Starts a relay at a place, with the ports of the relay that was there, and ends that one when the new one listens;
   * or before, where two cannot have the same ports.
   */
  async #install(index: number, ports: RelayPorts | undefined, end?: () => Promise<void>): Promise<void> {
    const { config, folder } = this.#options
    const isShared = canShare(config, folder)
    if (!isShared) await end?.()
    const relay = await this.#launch({ index, turn: await this.#turnAt(index), first: this.#ports[0], ports })
    try {
      this.#ports[index] = await relay.ready
    } catch (error) {
      // If no other relay is there, keep trying.
      if (isShared) await this.#stop(relay, 0)
      throw error
    }
    this.#relays[index] = relay
    if (isShared) await end?.()
  }

  /**
   * Whose turn it is at a place: the relay that was there last, since its folder may hold unreported usage; but not
   * while it is still there.
   */
  async #turnAt(index: number): Promise<RelayPlace['turn']> {
    const { folder } = this.#options
    const lastFirst = (['a', 'b'] as const).toSorted(
      (one, other) => startedAt(folder, { index, turn: other }) - startedAt(folder, { index, turn: one }),
    )
    for (const turn of lastFirst) {
      const path = join(siblingsFolder(folder), `${instanceAt({ index, turn })}.sock`)
      if (!(await isListening(path))) return turn
    }
    return 'a'
  }

  async #launch(place: RelayPlace): Promise<Relay> {
    const { folder, newEnrolmentKey, onProcess } = this.#options
    const enrolmentKey = isEnrolled(folder, place) ? undefined : await newEnrolmentKey()
    const relay = startRelay({ ...this.#options, place, enrolmentKey })
    onProcess(relay.kill)
    this.#running.add(relay)
    return relay
  }

  /** Another relay has its place now. */
  async #end(relay: Relay | undefined): Promise<void> {
    const { config, folder } = this.#options
    const hasSuccessor = canShare(config, folder)
    if (relay !== undefined) await this.#stop(relay, config.graceSeconds * 1_000, hasSuccessor)
  }

  async #stop(relay: Relay, graceMs: number, hasSuccessor = false): Promise<void> {
    await relay.stop(graceMs, { hasSuccessor })
    this.#running.delete(relay)
  }
}
