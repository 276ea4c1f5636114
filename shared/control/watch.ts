/** Watch tickets for live figures: the console reads those directly from the relays, without the control plane. */
import { fail } from '../base/errors.ts'
import { type Caller, mayTouch } from './caller.ts'
import { watchUrlsOf } from './cells.ts'
import type { AccountControl } from './control.ts'
import { tunnels } from './documents.ts'
import { listTunnels } from './tunnels.ts'

/** As many ids in a JWT as fit into a header. */
const watchTunnelsMax = 200

/** @param ids only these tunnels; default: the account's newest 200. @throws api.not_found */
export async function issueWatch(
  control: AccountControl,
  caller: Caller,
  ids?: readonly string[],
): Promise<{ ticket: string; expiresAt: number; sources: string[] }> {
  const found = ids
    ? await control.store.getAll(ids.map((id) => tunnels.ref(id)))
    : (await listTunnels(control, caller, { limit: watchTunnelsMax })).items
  const own = found.flatMap((snapshot) =>
    snapshot && mayTouch(caller, snapshot.data.name) ? [snapshot] : [],
  )
  if (ids && own.length < ids.length) throw fail('api.not_found')
  const cells = [...new Set(own.map(({ data }) => data.cell).filter((cell) => cell !== ''))]
  const sources = await Promise.all(
    cells.map(async (id) => watchUrlsOf(control, await control.cells.lately(id))),
  )
  const listed = own.map(({ ref }) => ref.id)
  const signed = await control.signer.signWatch(
    { account: caller.account, tunnels: listed, cells },
    control.clock.now(),
  )
  return { ...signed, sources: sources.flat().map((url) => `${url}/v1/live`) }
}
