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
}

/** An agent that found its relay closed tries again after 20 s at the latest; its dial takes a little. */
const agentsBackMs = 30_000
const pollMs = 100

export class Relays {
  readonly #options: RelaysOptions
  readonly #relays: Relay[] = []
  readonly #ports: RelayPorts[] = []
  #rolling: Promise<void> | undefined
  #isStopped = false

  constructor(options: RelaysOptions) {
    this.#options = options
  }

  /** Of each that has started. */
  get ports(): readonly RelayPorts[] {
    return this.#ports
  }

  /** One after the other, because the first may choose the ports that all share. @throws standalone.relay */
  async start(): Promise<RelayPorts> {
    const { config, folder, newEnrolmentKey, onProcess } = this.#options
    let first: RelayPorts | undefined
    for (let index = 0; index < config.relays; index++) {
      const enrolmentKey = isEnrolled(folder, index) ? undefined : await newEnrolmentKey()
      const relay = startRelay({ ...this.#options, index, first, enrolmentKey })
      onProcess(relay.kill)
      this.#relays.push(relay)
      const ports = await relay.ready
      this.#ports.push(ports)
      first ??= ports
      if (this.#isStopped) break
    }
    if (first === undefined) throw new Error('A server has one relay at least')
    return first
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
