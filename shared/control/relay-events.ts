/**
 * What relays saw, as `sync` reports it for certain and Pub/Sub at once. An event has its own id and may come both ways
 * and several times; every log line has the id, so that readers count it once. docs/decisions/0025
 */
import { relayEventSchema } from '../api/schemas/relay-events.ts'
import type { SecurityEvent } from '../api/schemas/relays.ts'
import { codes } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { recordRepeated } from './audit/tallies.ts'
import type { Control } from './control.ts'
import { relays } from './documents.ts'
import { asFailure } from './failures.ts'

/** By then `sync` has brought it twenty times: an event that still fails would never succeed. */
const freshMs = 10 * 60_000

/** The service's own log gets refused tickets: nothing proves which account they belong to. */
export async function auditRelayEvents(
  control: Pick<Control, 'store' | 'clock' | 'log'>,
  relay: string,
  events: readonly (SecurityEvent | null)[],
): Promise<void> {
  const counts = new Map<string, number>()
  for (const event of events) {
    if (event?.kind !== 'ticket.invalid') continue
    const from = String(event.fields.from ?? '')
    counts.set(from, (counts.get(from) ?? 0) + 1)
  }
  if (counts.size === 0) return
  const refused = [...counts].map(([from, count]) => ({
    action: 'ticket.refused' as const,
    target: relay,
    from,
    count,
  }))
  try {
    await recordRepeated(control, '', refused)
  } catch (error) {
    // A failed tally must not fail the sync: usage and commands would wait for it.
    control.log.error(
      { code: asFailure(error).code, error },
      'refused tickets were not noted in the audit log',
    )
  }
}

/** @param log says which relay it was */
export function logRelayEvent(log: Log, { id, kind, at, fields }: SecurityEvent): void {
  log.info({ event: id, kind, at, ...fields }, 'a relay saw something')
}

/**
 * Takes one message from the events topic. It also resolves for a message that can never be taken, after logging it: a
 * message that fails would be sent again and again.
 * @throws store.unavailable
 */
export async function takeRelayEvent(control: Control, message: unknown): Promise<void> {
  const { log, store, clock } = control
  const parsed = relayEventSchema.safeParse(message)
  if (!parsed.success) {
    const { code } = codes['relay.event']
    log.error({ code, issues: parsed.error.issues }, 'a message is no event of a relay and is passed over')
    return
  }
  const { relay, instance, event } = parsed.data
  if (event.at < clock.now() - freshMs) return
  const known = await store.get(relays.ref(`${relay}:${instance}`))
  if (known) logRelayEvent(log.child({ relay, instance, cell: known.data.cell }), event)
  else
    log.warn({ code: codes['relay.unknown'].code, relay, instance }, 'an event of a relay that is not here')
}
