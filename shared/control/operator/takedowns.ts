/** How an operator finds the tunnel behind an address, takes it down and puts it back. */
import { z } from 'zod'
import { fail } from '../../base/errors.ts'
import { findTunnelAt } from '../abuse/find-tunnel.ts'
import { restoreTunnel, takeDown } from '../abuse/takedown.ts'
import { describeEndpoint } from '../cells.ts'
import { type Control, controlOf } from '../control.ts'
import { accounts, type TunnelDoc } from '../documents.ts'
import type { Page, QueryOptions, Snapshot } from '../platform.ts'
import { queries } from '../query-table.ts'
import { describeTunnels } from '../tunnels.ts'
import { declareAct, reasonSchema } from './act.ts'

/** An id (tun_…), or what a visitor sees: https://shop.example.com/login, tcp.example.com:20001. */
const addressSchema = z.string().trim().min(1).max(2_000)

export const takedownActs = {
  'tunnels.find': declareAct(z.strictObject({ address: addressSchema }), async ({ control }, { address }) =>
    showFound(control, await requireTunnelAt(control, address)),
  ),
  'tunnels.take-down': declareAct(
    z.strictObject({ address: addressSchema, reason: reasonSchema }),
    async ({ control }, { address, reason }, by) => {
      const { ref } = await requireTunnelAt(control, address)
      await takeDown(control, { ...by, reason }, ref.id)
      return showFound(control, await requireTunnelAt(control, ref.id))
    },
  ),
  'tunnels.restore': declareAct(
    z.strictObject({ address: addressSchema }),
    async ({ control }, { address }, by) => {
      const { ref } = await requireTunnelAt(control, address)
      await restoreTunnel(control, by, ref.id)
      return showFound(control, await requireTunnelAt(control, ref.id))
    },
  ),
  'tunnels.taken-down': declareAct(
    z.strictObject({ limit: z.int().min(1).max(500).default(100) }),
    async ({ control }, { limit }) =>
      describeTakedowns(control, (await pageTakedowns(control, { limit })).items),
  ),
}

/** @throws operator.missing */
export async function requireTunnelAt(control: Control, address: string): Promise<Snapshot<TunnelDoc>> {
  const found = await findTunnelAt(control, address)
  if (!found) throw fail('operator.missing', `No tunnel has the address "${address}" now.`)
  return found
}

/** The tunnel with its account. */
export async function showFound(control: Control, found: Snapshot<TunnelDoc>) {
  const { account, takenDown, takenDownAt } = found.data
  const [[tunnel], owner] = await Promise.all([
    describeTunnels(controlOf(control, account), [found]),
    control.store.get(accounts.ref(account)),
  ])
  if (!tunnel) throw fail('operator.missing', 'The tunnel was deleted meanwhile.')
  const { id, name, kind, state, endpoint, createdAt } = tunnel
  return {
    id,
    name,
    kind,
    state,
    ...(endpoint && { url: endpoint.url }),
    createdAt,
    account,
    accountName: owner?.data.name ?? '',
    accountStatus: owner?.data.status ?? ('closed' as const),
    ...(takenDown && takenDownAt !== undefined && { takenDownAt, ...takenDown }),
  }
}

/** The newest first. */
export function pageTakedowns(
  { store }: Pick<Control, 'store'>,
  page: Pick<QueryOptions, 'limit' | 'after'>,
): Promise<Page<TunnelDoc>> {
  return store.query(queries.takenDownTunnels, { where: {}, ...page })
}

export async function describeTakedowns(control: Control, found: readonly Snapshot<TunnelDoc>[]) {
  const cells = await control.cells.latelyAll(found.map(({ data }) => data.cell))
  return found.map(({ ref, data }) => {
    const { account, name, kind, endpoint, cell: id, takenDown, takenDownAt = 0 } = data
    const cell = cells.get(id)
    const url = cell && endpoint !== '' ? { url: describeEndpoint(endpoint, kind, cell).url } : {}
    const { reason = '', by = '' } = takenDown ?? {}
    return { id: ref.id, name, kind, ...url, account, takenDownAt, reason, by }
  })
}
