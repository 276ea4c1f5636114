/**
 * The relays of the directory, with a runner for each. A new one is dialled at once. One that is no longer named is let
 * go when the others have had time to take its tunnels, and everything over it has ended. If it is lost before that, it
 * is still dialled: a restarting relay is missing from the directory while it starts.
 */
import type { RelayAddress } from '@porttunneler/shared/api/schemas/tunnels'
import type { Timer } from '@porttunneler/shared/base/clock'
import type { ErrorKey, PortTunnelerError } from '@porttunneler/shared/base/errors'
import { isSameCell, type PlacedRelay } from './directory.ts'
import type { RelayStatus } from './events.ts'
import { RelayLookout } from './relay-lookout.ts'
import { RelayRunner } from './relay-runner.ts'
import type { RelayRunnerOptions } from './relay-runner-options.ts'

/** `relay` names a relay as long as it is at its address: for an agent, it and its successor are one. */
export type RelaysOptions = Omit<RelayRunnerOptions, 'tickets' | 'onBound' | 'onUnbound'> & {
  /** What to bind at the relays of a cell. */
  tickets(cell: string | undefined): ReadonlyMap<number, string>
  onBound(relay: string, bind: number): void
  onUnbound(relay: string, bind: number, failure?: PortTunnelerError): void
  /** Asks the control plane where the relays are. */
  lookUp(): void
}

/** Dialling another relay and binding there takes a second, on a bad line ten. */
const letGoMs = 15_000
/** Longer than the lookout waits for its second question (relay-lookout.ts). */
const letGoLostMs = 30_000

export class Relays {
  readonly #options: RelaysOptions
  /** By address. */
  readonly #runners = new Map<string, RelayRunner>()
  /** The cell of each relay, also by address. */
  readonly #cells = new Map<string, string | undefined>()
  /** For relays that the directory no longer names: when to check them again. */
  readonly #leaving = new Map<string, Timer>()
  readonly #lookout: RelayLookout

  constructor(options: RelaysOptions) {
    this.#options = options
    this.#lookout = new RelayLookout({
      ...options,
      isComplete: () => [...this.#runners.values()].every(({ isConnected }) => isConnected),
    })
  }

  status(): RelayStatus[] {
    return [...this.#runners.values()].map((runner) => runner.status())
  }

  /** Makes the runners match the directory. */
  follow(directory: readonly PlacedRelay[]): void {
    const wanted = new Map(directory.map(({ address }) => [nameOf(address), address]))
    for (const { address, cell } of directory)
      if (cell !== undefined || !this.#cells.has(nameOf(address))) this.#cells.set(nameOf(address), cell)
    for (const [relay, address] of wanted) {
      const present = this.#runners.get(relay)
      if (present) this.#keep(relay, present, address)
      else this.#add(relay, address)
    }
    for (const [relay, runner] of this.#runners)
      if (!wanted.has(relay) && !this.#isLeaving(relay)) this.#letGo(relay, runner)
  }

  /** Shows a ticket to every relay of its cell, or only to those without the tunnel. Relays of other cells lose it. */
  bind(
    bind: number,
    ticket: string,
    { cell, but }: { readonly cell?: string | undefined; readonly but?: ReadonlySet<string> } = {},
  ): void {
    for (const [relay, runner] of this.#runners)
      if (!isSameCell(cell, this.#cells.get(relay))) runner.unbind(bind)
      else if (!this.#isLeaving(relay) && but?.has(relay) !== true) runner.bind(bind, ticket)
  }

  unbind(bind: number): void {
    for (const runner of this.#runners.values()) runner.unbind(bind)
  }

  /** The machine's network or clock changed. */
  probe(gone: ReadonlySet<string>): void {
    for (const runner of this.#runners.values()) runner.probe(gone)
  }

  /** A relay says that the list has changed. */
  lookSoon(): void {
    this.#lookout.lookSoon()
  }

  close(key: ErrorKey): void {
    this.#lookout.close()
    for (const timer of this.#leaving.values()) timer.clear()
    for (const runner of this.#runners.values()) runner.close(key)
  }

  #isLeaving(relay: string): boolean {
    return this.#leaving.has(relay)
  }

  #add(relay: string, address: RelayAddress): void {
    const options = this.#options
    const runner = new RelayRunner(address, {
      ...options,
      tickets: () => options.tickets(this.#cells.get(relay)),
      onBound: (_instance, bind) => options.onBound(relay, bind),
      // This agent itself, at another address of that relay, may take the tunnel from one that is being let go.
      onUnbound: (_instance, bind, failure) =>
        options.onUnbound(relay, bind, this.#isLeaving(relay) ? undefined : failure),
      onConnected: (instance) => {
        // The directory did not name it a moment ago; ask whether it does now.
        if (this.#isLeaving(relay)) this.#lookout.startOwing()
        options.onConnected(instance)
      },
      onLost: (instance, loss) => {
        this.#lookout.start()
        options.onLost(instance, loss)
      },
    })
    this.#runners.set(relay, runner)
    runner.start()
  }

  #keep(relay: string, runner: RelayRunner, address: RelayAddress): void {
    runner.readdress(address)
    runner.start()
    if (!this.#isLeaving(relay)) return
    this.#leaving.get(relay)?.clear()
    this.#leaving.delete(relay)
    for (const [bind, ticket] of this.#options.tickets(this.#cells.get(relay))) runner.bind(bind, ticket)
  }

  #letGo(relay: string, runner: RelayRunner): void {
    const ms = runner.isConnected ? letGoMs : letGoLostMs
    this.#leaving.set(
      relay,
      this.#options.clock.after(ms, () => this.#takeLeave(relay, runner)),
    )
  }

  #takeLeave(relay: string, runner: RelayRunner): void {
    for (const bind of this.#options.tickets(this.#cells.get(relay)).keys()) {
      runner.unbind(bind)
      this.#options.onUnbound(relay, bind)
    }
    if (runner.activeStreams > 0) this.#letGo(relay, runner)
    else {
      if (!runner.isConnected) this.#lookout.startOwing()
      this.#drop(relay, runner)
    }
  }

  #drop(relay: string, runner: RelayRunner): void {
    runner.close('session.closed')
    this.#runners.delete(relay)
    this.#cells.delete(relay)
    this.#leaving.delete(relay)
  }
}

function nameOf({ host, port, sni }: RelayAddress): string {
  return `${host}:${port} ${sni}`
}
