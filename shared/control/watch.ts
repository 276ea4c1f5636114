/** Watch tickets for live figures: the console reads those directly from the relays, without the control plane. */
import { fail } from '../base/errors.ts'
import { type Caller, mayTouch } from './caller.ts'
import { watchUrlsOf } from './cells.ts'
import type { AccountControl } from './control.ts'
import { type TunnelDoc, tunnels } from './documents.ts'
import type { QueryOptions, Snapshot } from './platform.ts'
import { queries } from './query-table.ts'
import { findTunnelByName } from './tunnels.ts'

type Cursor = NonNullable<QueryOptions['after']>

/** Leases that are read at a time, to find the cells of an account's tunnels, and how often. */
const leases = { perPage: 100, pagesMax: 5 } as const

/**
 * @param ids only these tunnels, at most 200; default: all of the account, also those that come up later, or those of
 * the bound key
 * @throws api.not_found
 */
export async function issueWatch(
  control: AccountControl,
  caller: Caller,
  ids?: readonly string[],
): Promise<{ ticket: string; expiresAt: number; sources: string[] }> {
  const chosen = ids ? await byIds(control, caller, ids) : caller.tunnels && (await byKey(control, caller))
  const cells = chosen
    ? [...new Set(chosen.map(({ data }) => data.cell).filter((cell) => cell !== ''))]
    : await cellsOf(control)
  const sources = await Promise.all(
    cells.map(async (id) => watchUrlsOf(control, await control.cells.lately(id))),
  )
  const listed = chosen && { tunnels: chosen.map(({ ref }) => ref.id) }
  const claims = { account: caller.account, cells, ...listed }
  const signed = await control.signer.signWatch(claims, control.clock.now())
  return { ...signed, sources: sources.flat().map((url) => `${url}/v1/live`) }
}

async function byIds(
  control: AccountControl,
  caller: Caller,
  ids: readonly string[],
): Promise<readonly Snapshot<TunnelDoc>[]> {
  const found = await control.store.getAll(ids.map((id) => tunnels.ref(id)))
  const own = found.flatMap((one) => (one && mayTouch(caller, one.data.name) ? [one] : []))
  if (own.length < ids.length) throw fail('api.not_found')
  return own
}

async function byKey(
  control: AccountControl,
  { account, tunnels: names = new Set() }: Caller,
): Promise<readonly Snapshot<TunnelDoc>[]> {
  const found = await Promise.all([...names].map((name) => findTunnelByName(control, account, name)))
  return found.flatMap((one) => one ?? [])
}

/** Only a leased tunnel has live figures. Most accounts have all of theirs in one cell. */
async function cellsOf(control: AccountControl): Promise<readonly string[]> {
  const open = await control.cells.openIds()
  const cells = new Set<string>()
  let after: Cursor | undefined
  for (let page = 0; page < leases.pagesMax; page++) {
    const where = { state: 'leased' } as const
    const found = await control.store.query(queries.leasesOfAccount, {
      where,
      limit: leases.perPage,
      ...(after && { after }),
    })
    for (const { data } of found.items) cells.add(data.cell)
    after = found.next
    if (after === undefined || open.every((id) => cells.has(id))) break
  }
  return [...cells]
}
