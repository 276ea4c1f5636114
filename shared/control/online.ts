/**
 * Which tunnels of an account are online: the truth of its quota, one document an account. An away tunnel does
 * not count. Leases that lapsed without a word are found only when the quota is in the way, and then struck off.
 */
import type { Control } from './control.ts'
import { endpoints, type OnlineDoc, online } from './documents.ts'
import type { CellView } from './lease-rules.ts'
import { presenceOf } from './presence.ts'

type Entries = OnlineDoc['tunnels']

/** Strikes off what is no longer leased, or away, as the relays of the account's cell have it. */
export async function pruneOnline(control: Control, account: string, cell: CellView): Promise<void> {
  const before = await control.store.get(online.ref(account))
  const entries = Object.entries(before?.data.tunnels ?? {})
  const found = await control.store.getAll(entries.map(([, { endpoint }]) => endpoints.ref(endpoint)))
  const nowMs = control.clock.now()
  const stale = entries.filter(([tunnel], index) => {
    const current = found[index]
    const isLeased =
      current?.data.state === 'leased' && current.data.tunnel === tunnel && current.data.expiresAt > nowMs
    return !isLeased || presenceOf(current.ref.id, current.data, { cell, nowMs }).kind === 'away'
  })
  if (stale.length > 0) await strikeOff(control, account, Object.fromEntries(stale))
}

/** Removes `entries`, unless a tunnel has been claimed again since (a higher epoch). */
export async function strikeOff(control: Control, account: string, entries: Entries): Promise<void> {
  await control.store.change(online.ref(account), (current) => {
    if (!current) return 'keep'
    const rest = Object.entries(current.tunnels).filter(
      ([tunnel, { epoch }]) => (entries[tunnel]?.epoch ?? -1) < epoch,
    )
    if (rest.length === Object.keys(current.tunnels).length) return 'keep'
    return { ...current, tunnels: Object.fromEntries(rest) }
  })
}

/** A tunnel that was away is back. It counts again, even beyond the quota: what runs is not cut. */
export async function putOnline(control: Control, account: string, entries: Entries): Promise<void> {
  await control.store.change(online.ref(account), (current) => ({
    account,
    tunnels: { ...current?.tunnels, ...entries },
  }))
}
