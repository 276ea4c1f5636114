/**
 * One relay: it owns every part, starts them in order, drains and ends them. Nothing here is global, so two relays can
 * live in one process. Phases only go forward: starting, ready, draining, closed.
 */
import type { SecurityEvent, SyncRequest } from '@porttunneler/shared/api/schemas/relays'
import { type Clock, sleep, systemClock, type Timer } from '@porttunneler/shared/base/clock'
import { ClockJump } from '@porttunneler/shared/base/clock-jump'
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import type { Log } from '@porttunneler/shared/base/log'
import { applyCommand, applyFromBus, noteCommand } from './commands.ts'
import type { RelayConfig } from './config.ts'
import { type Bearer, enrol, readCredential } from './credential.ts'
import { drain } from './drain.ts'
import { googleCredential } from './google-credential.ts'
import { makeParts } from './parts.ts'
import { type CommandSource, noCommands } from './platform/commands.ts'
import { type Control, httpControl } from './platform/control.http.ts'
import type { EventOutlet } from './platform/events.ts'
import { instanceIdentity } from './platform/metadata.google.ts'
import { type RelayPorts, Running } from './running.ts'
import type { ServerTime } from './server-time.ts'
import { ControlSync } from './sync.ts'
import { version } from './version.ts'

export type RelayOptions = {
  readonly config: RelayConfig
  readonly log: Log
  readonly clock?: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  readonly control?: Control
  readonly commands?: CommandSource
  readonly events?: EventOutlet
  /** The control plane asks this relay to leave; the owner then calls `drain` and ends the process. */
  readonly onDrainCommand?: () => void
}

export type DrainOptions = { readonly signal?: AbortSignal; readonly hasSuccessor?: boolean }

type Phase = 'starting' | 'ready' | 'draining' | 'closed'

/** After this time a start without the control plane goes on with what the data folder has. */
const firstAnswerMs = 30_000
/** How often it samples RTTs and saves usage: a crash may lose the usage of this time. */
const houseworkMs = 10_000
/** How often memory and the clock are checked. */
const guardMs = 1_000

export class Relay {
  readonly #options: RelayOptions & { readonly clock: Clock; readonly commands: CommandSource }
  readonly #closing = new AbortController()
  #phase: Phase = 'starting'
  readonly #started = Promise.withResolvers<void>()
  #running: Running | undefined
  #housework: Timer | undefined
  #guard: Timer | undefined

  constructor(options: RelayOptions) {
    this.#options = { clock: systemClock, commands: noCommands, ...options }
  }

  get phase(): Phase {
    return this.#phase
  }

  /**
   * Opens all ports, proves itself to the control plane and waits for its first answer, at most 30 s. When it fails,
   * everything is closed again.
   * @throws relay.port, relay.data, relay.certificate, relay.enrolment
   */
  async start(): Promise<RelayPorts> {
    try {
      return await this.#start()
    } catch (error) {
      await this.close()
      throw error
    }
  }

  /**
   * Leaves in good order; resolves when all is closed. `signal` ends the grace period early. With a successor at the
   * same ports it waits until the agents have moved there, and admits visitors who come meanwhile.
   */
  async drain({ signal, hasSuccessor = false }: DrainOptions = {}): Promise<void> {
    const { config, clock, log } = this.#options
    const running = this.#running
    if (this.#phase === 'ready' && running !== undefined) {
      this.#phase = 'draining'
      const { parts } = running
      const steps = {
        announce: () => {
          running.stopVisitors()
          // The control plane should send no new lease here.
          running.sync?.askNow()
        },
        ...(hasSuccessor && {
          handOver: async (until: AbortSignal) => {
            parts.sessions.announceSuccessor(config.graceMs)
            await running.handOver(until)
          },
        }),
        settle: (until: AbortSignal) => running.settled(until),
        dismiss: (graceMs: number) => parts.sessions.goAway(graceMs),
        idle: (until: AbortSignal) => parts.visitors.idle(until),
        cut: () => {
          const left = parts.visitors.active
          parts.visitors.cut(() => true, 'relay.draining')
          return left
        },
        report: async () => await running.sync?.finish({ isPatient: hasSuccessor }),
      }
      await drain(steps, { clock, graceMs: config.graceMs, log, ...(signal && { signal }) })
    }
    await this.close()
  }

  /** Ends at once: streams are reset and nothing is reported. All counts are on disk for the next start. */
  async close(): Promise<void> {
    if (this.#phase === 'closed') return
    this.#phase = 'closed'
    this.#started.resolve()
    this.#closing.abort()
    this.#housework?.clear()
    this.#guard?.clear()
    const { commands, events } = this.#options
    await Promise.all([commands.close(), events?.close(), this.#running?.close()])
    this.#options.log.info({}, 'The relay is closed')
  }

  async #start(): Promise<RelayPorts> {
    const { config, log, clock, random } = this.#options
    const parts = await makeParts({
      config,
      clock,
      random,
      log,
      refusal: () => this.#refusal(),
      started: this.#started.promise,
      onUnknownKey: () => this.#running?.sync?.soon(),
      onPresence: () => this.#running?.sync?.presenceChanged(),
      syncFailures: () => this.#running?.sync?.failures ?? 0,
    })
    const running = new Running(parts, this.#options, () => this.#notReady())
    this.#running = running
    const ports = await running.listen()
    await this.#connect(running, ports)
    if (this.#phase !== 'starting') return ports
    this.#phase = 'ready'
    this.#started.resolve()
    // Tunnels are leased only where a ready relay has reported, so this report must not wait for its turn.
    running.sync?.askNow()
    running.parts.live.start()
    this.#housework = clock.every(houseworkMs, () => running.housework(), { background: true })
    const jump = new ClockJump(clock)
    const guard = () => {
      parts.shedding.look()
      // The machine slept: commands were missed, and only the control plane knows the time.
      if (jump.look()) running.sync?.askNow()
    }
    this.#guard = clock.every(guardMs, guard, { background: true })
    log.info(
      { ...ports, instance: config.instance, cell: parts.state.cell?.id, version },
      'The relay is ready',
    )
    return ports
  }

  /** Enrols when needed, then begins to sync and waits for the first answer. */
  async #connect(running: Running, ports: RelayPorts): Promise<void> {
    const { config, log, clock, random, commands, onDrainCommand } = this.#options
    const { parts } = running
    const control = this.#options.control ?? httpControl(config.controlUrl)
    const { signal } = this.#closing
    const credential = await this.#credential(control, parts.time)
    const targets = {
      ...parts,
      onKeys: () => sync.soon(),
      onDrain: () => onDrainCommand?.(),
    }
    const sync = new ControlSync({
      ...parts,
      clock,
      random,
      log,
      control,
      credential,
      describe: () => running.describe(ports, this.#syncState()),
      onCommand: (command) => noteCommand(log, command, applyCommand(command, targets)),
      onDirectory: () => parts.sessions.tellDirectory(),
      onTls: (tls) => running.takeTls(tls),
    })
    running.syncBy(sync)
    commands.start((command) => {
      const outcome = applyFromBus(command, targets, parts.time.now())
      if (outcome === 'late')
        log.warn({ id: command.id, kind: command.kind }, 'A command came too late to be carried out')
      else if (noteCommand(log, command, outcome)) running.remember()
    })
    parts.events.whenUrgent((event) => this.#tell(parts.state.relay, event))
    sync.start()
    parts.certificates.start(
      async (hosts, until) => (await control.certificates?.(hosts, await credential(until), until)) ?? [],
    )
    const wait = new AbortController()
    const late = sleep(clock, firstAnswerMs, AbortSignal.any([wait.signal, signal])).then(
      () =>
        log.error({ controlUrl: config.controlUrl }, 'The control plane did not answer; serving from memory'),
      () => {},
    )
    await Promise.race([sync.firstAnswer, late])
    wait.abort()
  }

  #tell(relay: string | undefined, event: SecurityEvent): void {
    const { config, events } = this.#options
    if (relay !== undefined) events?.send({ relay, instance: config.instance, event })
  }

  /** @throws relay.enrolment, relay.data */
  async #credential(control: Control, time: ServerTime): Promise<Bearer> {
    const { config, log, clock, random } = this.#options
    const { dataDir, instance: name, enrolmentKey: key, controlUrl } = config
    if (config.identity === 'google')
      return googleCredential({ ask: instanceIdentity(), audience: new URL(controlUrl).origin, time })
    const { signal } = this.#closing
    const secret =
      (await readCredential(dataDir)) ??
      (await enrol({ control, dataDir, name, key, clock, random, log, signal }))
    return async () => secret
  }

  #refusal(): ErrorKey | undefined {
    if (this.#phase === 'ready') return undefined
    return this.#phase === 'starting' ? 'relay.starting' : 'relay.draining'
  }

  #notReady(): string | undefined {
    if (this.#phase !== 'ready') return this.#phase
    return this.#running?.parts.state.cell === undefined ? 'no cell known yet' : undefined
  }

  #syncState(): SyncRequest['state'] {
    return this.#phase === 'closed' ? 'draining' : this.#phase
  }
}
