/** The last call of an agent that ends: it gives its leases back, so that another machine need not wait. */
import type { Lease } from '@porttunneler/shared/api/schemas/tunnels'
import type { Clock } from '@porttunneler/shared/base/clock'
import type { LeaseApi } from './home.ts'

export type GiveBackOptions = {
  readonly api: Pick<LeaseApi, 'release'>
  readonly agent: string
  readonly clock: Clock
  /** Aborted by a user who does not want to wait, and when the time is over. */
  readonly leaving: AbortController
  retire(lease: Lease): void
}

/** How long to wait for a slow or absent server. After that, others wait until relays miss the agent. */
const releaseMs = 3_000
/** The maximum for one call. */
const leasesPerCall = 50

/**
 * Never rejects. A ticket whose release may have arrived is not bound again; one whose release surely did not arrive
 * may be.
 */
export async function giveBack(
  held: readonly Lease[],
  { api, agent, clock, leaving, retire }: GiveBackOptions,
): Promise<void> {
  const { signal } = leaving
  const timer = clock.after(releaseMs, () => leaving.abort())
  try {
    for (let start = 0; start < held.length; start += leasesPerCall) {
      const some = held.slice(start, start + leasesPerCall)
      const leases = some.map(({ tunnel, epoch, expiresAt }) => ({ tunnel, epoch, expiresAt }))
      const isOver = await untilAborted(api.release({ agent, leases }, signal), signal)
      if (isOver) for (const lease of some) retire(lease)
    }
  } finally {
    timer.clear()
  }
}

/** @returns whether the call took effect or may have; false when it failed. Never rejects. */
async function untilAborted(call: Promise<void>, signal: AbortSignal): Promise<boolean> {
  const aborted = Promise.withResolvers<boolean>()
  signal.addEventListener('abort', () => aborted.resolve(true), { once: true })
  if (signal.aborted) aborted.resolve(true)
  const settled = call.then(
    () => true,
    () => signal.aborted,
  )
  return await Promise.race([settled, aborted.promise])
}
