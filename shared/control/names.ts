/** Names that more than one module of the control plane must agree on: collections with their shapes, bus topics. */
import type { Doc, Ref } from './platform.ts'

/** A collection of documents of one shape; `ref(id)` names one. Ids match `[A-Za-z0-9:._-]{1,128}`. */
export type Collection<T extends Doc> = {
  readonly name: string
  /** Its documents belong to no account; `(g)` in the data model. */
  readonly isGlobal: boolean
  ref(id: string): Ref<T>
}

export function collection<T extends Doc>(name: string): Collection<T> {
  return { name, isGlobal: false, ref: (id) => ({ collection: name, id }) }
}

export function globalCollection<T extends Doc>(name: string): Collection<T> {
  return { name, isGlobal: true, ref: (id) => ({ collection: name, id, isGlobal: true }) }
}

export const topics = {
  /** Commands for every relay of one cell. */
  commands: (cell: string) => `commands.${cell}`,
  /** What relays of all cells saw and must not wait for their next sync. */
  events: 'events',
} as const
