/**
 * What was refused to an agent that asked for a tunnel, kept at the tunnel, so that its owner sees it where they look:
 * an agent on a far machine has nobody in front of it. Agents ask again all the time, so it is written once an hour.
 */
import type { PortTunnelerError } from '../base/errors.ts'
import type { AccountControl } from './control.ts'
import { type TunnelDoc, tunnels } from './documents.ts'
import type { Outcome } from './lease-answer.ts'
import type { Snapshot } from './platform.ts'

const hourMs = 3_600_000
/** After this an agent that still asked would have been refused again. */
export const refusalLastsMs = 2 * hourMs

/** These say that another agent serves the tunnel, or that the same question in a moment gets another answer. */
const passing: readonly string[] = ['lease.held', 'lease.unclear', 'lease.busy', 'endpoint.unclear']

/** Records the refusals among `outcomes`, by their place in `found`. */
export async function recordRefusals(
  control: AccountControl,
  found: readonly (Snapshot<TunnelDoc> | undefined)[],
  outcomes: readonly Outcome[],
): Promise<void> {
  await Promise.all(
    found.map(async (tunnel, index) => {
      const outcome = outcomes[index]
      // A new tunnel was not made: there is nobody to tell it of.
      if (!tunnel || tunnel.version === '' || !outcome || !('error' in outcome)) return
      if (!passing.includes(outcome.error.key)) await recordRefusal(control, tunnel, outcome.error)
    }),
  )
}

async function recordRefusal(
  control: AccountControl,
  { ref, data }: Snapshot<TunnelDoc>,
  { entry: { code } }: PortTunnelerError,
): Promise<void> {
  const nowMs = control.clock.now()
  if (isSaid(data, code, nowMs)) return
  await control.store.change(tunnels.ref(ref.id), (current) => {
    // What a takedown says outlasts it.
    if (!current || current.takenDown || isSaid(current, code, nowMs)) return 'keep'
    const { refused: before } = current
    const isSame = before?.code === code && nowMs - before.at < refusalLastsMs
    const refused = { code, since: isSame ? before.since : nowMs, at: nowMs }
    return { ...current, refused, refusedAt: nowMs }
  })
}

function isSaid({ refused }: TunnelDoc, code: string, nowMs: number): boolean {
  return refused?.code === code && nowMs - refused.at < hourMs
}
