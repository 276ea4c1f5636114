/**
 * Tells once what happens to many tunnels at the same moment: a range of ports that comes up, a plan that has no room
 * for twenty of them. Lines for people only; programs get every event (agent-output.ts).
 */
import type { Clock, Timer } from '@porttunneler/shared/base/clock'
import type { AgentEvent } from '../agent/events.ts'

/** What the server refuses comes in one answer, and relays bind what they are asked in a few milliseconds. */
const waitMs = 200

/** Events of one kind, with the same code if something went wrong, in the order in which they came. */
export type Alike = readonly [AgentEvent, ...AgentEvent[]]

export class ToldOnce {
  readonly #clock: Clock
  readonly #tell: (events: Alike) => void
  readonly #waiting = new Map<string, [AgentEvent, ...AgentEvent[]]>()
  #timer: Timer | undefined

  constructor(clock: Clock, tell: (events: Alike) => void) {
    this.#clock = clock
    this.#tell = tell
  }

  /** What cannot have its like is told at once, behind what waits. */
  take(event: AgentEvent): void {
    const key = keyOf(event)
    if (key === undefined || this.#hasAnotherOf(event, key)) this.flush()
    if (key === undefined) {
      this.#tell([event])
      return
    }
    const alike = this.#waiting.get(key)
    if (alike) alike.push(event)
    else this.#waiting.set(key, [event])
    this.#timer ??= this.#clock.after(waitMs, () => this.flush(), { background: true })
  }

  flush(): void {
    this.#timer?.clear()
    this.#timer = undefined
    const all = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const alike of all) this.#tell(alike)
  }

  /** The order of what happens to one tunnel stays. */
  #hasAnotherOf(event: AgentEvent, key: string): boolean {
    return [...this.#waiting].some(
      ([other, events]) => other !== key && events.some((one) => tunnelOf(one) === tunnelOf(event)),
    )
  }
}

function tunnelOf(event: AgentEvent): string | undefined {
  return 'tunnel' in event ? event.tunnel : undefined
}

/** @returns undefined for what is told by itself */
function keyOf(event: AgentEvent): string | undefined {
  switch (event.event) {
    case 'tunnel.refused':
    case 'tunnel.stopped':
      return `${event.event} ${event.problem.code}`
    case 'tunnel.offline':
      return event.event
    case 'tunnel.online': {
      // A port of a range is called by it; whatever else comes up has an address of its own to be told.
      const [, stem, port] = /^(.*)-(\d+)$/.exec(event.tunnel) ?? []
      return port !== undefined && event.url.endsWith(`:${port}`) ? `online ${stem}` : undefined
    }
    default:
      return undefined
  }
}
