/** The newest connections of tcp and tls tunnels, made from the agent's events: nobody reads their bytes. */
import type { InspectedConnection } from '@porttunneler/shared/api/schemas/inspection'
import type { Clock } from '@porttunneler/shared/base/clock'
import type { AgentEvent } from '../agent/events.ts'

const connectionsMax = 1_000

type Open = { readonly id: number; readonly at: number }
type Closed = Extract<AgentEvent, { readonly event: 'connection.closed' }>

export class ConnectionLog {
  readonly #clock: Clock
  #ids = 0
  /** By tunnel and visitor; bounded like the closed ones. */
  readonly #open = new Map<string, InspectedConnection>()
  readonly #closed: InspectedConnection[] = []
  /** Requests of these are shown one by one. */
  readonly #http = new Set<string>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  follow(tunnel: string, kind: string): void {
    if (kind === 'http') this.#http.add(tunnel)
    else this.#http.delete(tunnel)
  }

  /** The newest first. */
  get list(): readonly InspectedConnection[] {
    return [...this.#open.values(), ...this.#closed].toSorted((a, b) => b.id - a.id)
  }

  /** @returns whether it was about one of them */
  onEvent(event: AgentEvent): boolean {
    if (event.event !== 'connection.opened' && event.event !== 'connection.closed') return false
    const { tunnel, visitor } = event
    if (this.#http.has(tunnel)) return false
    const key = `${tunnel} ${visitor}`
    const known = this.#open.get(key)
    if (event.event === 'connection.closed') {
      this.#open.delete(key)
      this.#close(event, known)
      return true
    }
    const [oldest] = this.#open.keys()
    if (this.#open.size >= connectionsMax && oldest !== undefined) this.#open.delete(oldest)
    const at = this.#clock.now()
    this.#open.set(key, { id: ++this.#ids, tunnel, visitor, at, bytesIn: 0, bytesOut: 0 })
    return true
  }

  #close({ tunnel, visitor, bytesIn, bytesOut, ms, code }: Closed, known: Open | undefined): void {
    const id = known?.id ?? ++this.#ids
    const at = known?.at ?? this.#clock.now() - ms
    const ended = { id, tunnel, visitor, at, ms, bytesIn, bytesOut, ...(code !== undefined && { code }) }
    this.#closed.push(ended)
    if (this.#closed.length > connectionsMax) this.#closed.shift()
  }
}
