/** Names and ports to offer instead of a taken one: allowed, and free at this moment. */
import { isFailure } from '../base/errors.ts'
import { nameMax } from '../base/labels.ts'
import type { Control } from './control.ts'
import { checkNewName } from './deny-lists.ts'
import { endpoints, tunnelNames } from './documents.ts'
import { queries } from './query-table.ts'
import { namesLike } from './readable-names.ts'

const suggested = 3
/** How many to look at: nearly all are free. */
const drawn = 8

export async function suggestNames(
  { store, random }: Pick<Control, 'store' | 'random'>,
  { account, name, domain }: { readonly account: string; readonly name: string; readonly domain: string },
): Promise<readonly string[]> {
  const like = [...new Set(namesLike(name, { count: drawn, max: nameMax, random }))].filter(isAllowed)
  const hosts = await store.getAll(like.map((one) => endpoints.ref(`host:${one}.${domain}`)))
  const own = await store.getAll(like.map((one) => tunnelNames.ref(`${account}:${one}`)))
  return like.filter((_, at) => !hosts[at] && !own[at]).slice(0, suggested)
}

function isAllowed(name: string): boolean {
  try {
    checkNewName(name)
    return true
  } catch (error) {
    if (!isFailure(error)) throw error
    return false
  }
}

/** Ports of the cell that are free at this moment, as texts like all suggestions. */
export async function suggestPorts(control: Control, cell: string): Promise<readonly string[]> {
  const where = { cell, kind: 'tcp', state: 'free' }
  for (const from of [control.random(), 0]) {
    const { items } = await control.store.query(queries.freeEndpoints, { where, from, limit: suggested })
    if (items.length === suggested || from === 0)
      return items.map(({ ref }) => ref.id.slice(ref.id.lastIndexOf(':') + 1))
  }
  return []
}
