/** The API calls that an agent needs, and which cell its claims ask for. */
import { type ClaimResult, runningHeader } from '@porttunneler/shared/api/schemas/tunnels'
import type { Clock } from '@porttunneler/shared/base/clock'
import type { ClaimRequest, LeaseApi } from '../agent/home.ts'
import { NearCells } from '../agent/near-cells.ts'
import type { SavedLease } from '../agent/tunnels.ts'
import type { Connection } from '../context.ts'
import type { ChooseProxy } from '../proxy/settings.ts'

/** Where a claim's tunnels should be. */
type Place = (
  tunnels: ClaimRequest['tunnels'],
  signal: AbortSignal,
) => Promise<{ readonly cell?: string; readonly near?: string[] }>

export function leaseApi({ client }: Pick<Connection, 'client'>, place: Place): LeaseApi {
  return {
    claim: async ({ key, tunnels, runningMs, ...request }, signal): Promise<ClaimResult> =>
      client.claim(
        { ...request, ...(await place(tunnels, signal)), tunnels: tunnels.map((tunnel) => ({ ...tunnel })) },
        { signal, idempotencyKey: key, headers: { [runningHeader]: `${runningMs}` } },
      ),
    renew: ({ agent, leases }, signal): Promise<ClaimResult> =>
      client.renew({ agent, leases: leases.map((lease) => ({ ...lease })) }, { signal }),
    release: ({ agent, leases }, signal): Promise<void> =>
      client.release({ agent, leases: leases.map((lease) => ({ ...lease })) }, { signal }),
    report: ({ agent, upstreams }, signal): Promise<void> =>
      client.reportUpstreams({ agent, upstreams: upstreams.map((one) => ({ ...one })) }, { signal }),
  }
}

/** The named cell, or which cells are near, for tunnels that never had an address. */
export function placeBy({
  connection: { client, server },
  folder,
  clock,
  chooseProxy,
  saved,
  cell,
}: {
  readonly connection: Connection
  readonly folder: string | undefined
  readonly clock: Clock
  readonly chooseProxy: ChooseProxy
  readonly saved: readonly (SavedLease | undefined)[]
  readonly cell: () => string | undefined
}): Place {
  const known = new Set(saved.flatMap((one) => (one ? [one.lease.name] : [])))
  const near = new NearCells({
    list: (signal) => client.cells({ signal }),
    server,
    folder,
    clock,
    isProxied: (place) => chooseProxy({ ...place, isEncrypted: true }) !== undefined,
  })
  return async (tunnels, signal) => {
    const named = cell()
    if (named !== undefined) return { cell: named }
    // Tunnels that had an address stay where they are.
    if (tunnels.every(({ name }) => name !== undefined && known.has(name))) return {}
    const ids = await near.find(signal)
    return ids.length > 0 ? { near: [...ids] } : {}
  }
}
