/**
 * Changes an endpoint and, when that may mean trouble, has its tunnel looked at, both in one transaction. What changes
 * nothing costs one read, as before there were alerts.
 */
import type { AnyControl } from '../control.ts'
import { type EndpointDoc, endpoints } from '../documents.ts'
import { lookToWatch } from './raising.ts'

/**
 * @param next the changed endpoint; undefined when nothing changes. It may be called several times.
 * @param watches whether the change may mean trouble
 */
export async function changeAndWatch(
  { store, clock }: Pick<AnyControl, 'store' | 'clock'>,
  id: string,
  {
    next,
    watches,
  }: {
    readonly next: (current: EndpointDoc | undefined) => EndpointDoc | undefined
    readonly watches: boolean
  },
): Promise<void> {
  const ref = endpoints.ref(id)
  const found = await store.get(ref)
  if (!next(found?.data)) return
  await store.transact(async (tx) => {
    const changed = next((await tx.get(ref))?.data)
    if (!changed) return
    const { account, tunnel } = changed
    const watch = watches ? await lookToWatch(tx, { account, tunnel }, clock.now()) : undefined
    tx.set(ref, changed)
    watch?.()
  })
}
