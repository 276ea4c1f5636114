/**
 * Events for an operator or an account, kept on disk until `sync` has delivered them. They are bounded: when too many
 * wait, the newest events of whoever causes most are dropped and counted. An event may be delivered twice; its id shows
 * it.
 */
import { randomUUID } from 'node:crypto'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { type SecurityEvent, securityEventSchema, syncMax } from '@porttunneler/shared/api/schemas/relays'
import { sourcePath } from '@porttunneler/shared/base/addresses'
import { z } from 'zod'
import { KeptFile, type OnSetAside, readJson } from './files.ts'
import { makePool } from './policy/pools.ts'
import type { ServerTime } from './server-time.ts'

const fileSchema = z.object({
  version: z.literal(1),
  events: z.array(securityEventSchema).max(syncMax.events),
})

/** Somebody tries to take over a foreign session. */
const urgentKinds: ReadonlySet<string> = new Set(['carrier.proof'])

export class SecurityEvents {
  readonly #time: ServerTime
  readonly #file: KeptFile
  readonly #waiting = makePool<SecurityEvent>('events', syncMax.events)
  #onUrgent: (event: SecurityEvent) => void = () => {}
  /** Dropped because too many waited. */
  dropped = 0

  private constructor(path: string, time: ServerTime, events: readonly SecurityEvent[]) {
    this.#time = time
    for (const event of events) this.#wait(event)
    this.#file = new KeptFile(path, () => JSON.stringify({ version: 1, events: this.report() }))
  }

  /** @throws relay.data */
  static async load(dataDir: string, time: ServerTime, onSetAside?: OnSetAside): Promise<SecurityEvents> {
    const path = join(dataDir, 'events.json')
    const kept = await readJson(path, fileSchema, onSetAside)
    return new SecurityEvents(path, time, kept?.events ?? [])
  }

  /** `listen` is called for an event that should not wait for the next report; the report has it too. */
  whenUrgent(listen: (event: SecurityEvent) => void): void {
    this.#onUrgent = listen
  }

  add(kind: string, fields: SecurityEvent['fields']): void {
    const event = { id: randomUUID(), at: Math.round(this.#time.now()), kind, fields }
    if (!this.#wait(event)) return
    this.#file.changed()
    if (urgentKinds.has(kind)) this.#onUrgent(event)
  }

  /** All that wait, oldest first. */
  report(): readonly SecurityEvent[] {
    return [...this.#waiting.members()]
  }

  /** The control plane has `report`. */
  acknowledge(report: readonly SecurityEvent[]): void {
    if (report.length === 0) return
    for (const event of report) this.#waiting.remove(event)
    this.#file.changed()
  }

  #wait(event: SecurityEvent): boolean {
    const drop = () => {
      this.dropped += 1
    }
    const isRefused = this.#waiting.add(event, causeOf(event), drop) !== undefined
    if (isRefused) drop()
    return !isRefused
  }

  /** Writes them when they changed. @throws relay.data */
  save(): Promise<void> {
    return this.#file.save()
  }
}

/** What the event is about, and who causes it. */
function causeOf({ kind, fields }: SecurityEvent): readonly string[] {
  const from = String(fields.from ?? '')
  return isIP(from) === 0 ? [kind, String(fields.session ?? '')] : [kind, ...sourcePath(from)]
}
