/** Names that more than one module of the control plane must agree on: collections with their shapes, bus topics. */
import { idOfHost } from '../base/wildcards.ts'
import type { Doc, Reach, Ref } from './platform.ts'

/** A collection of documents of one shape; `ref(id)` names one. Ids match `[A-Za-z0-9:._-]{1,128}`. */
export type Collection<T extends Doc> = {
  readonly name: string
  readonly reach: Reach
  ref(id: string): Ref<T>
}

/** Every document carries its `account`, and never passes to another. */
export function collection<T extends Doc>(name: string): Collection<T> {
  return { name, reach: 'account', ref: (id) => ({ collection: name, id }) }
}

/** Documents that belong to no account; `(g)` in the data model. */
export function globalCollection<T extends Doc>(name: string): Collection<T> {
  return reaching(name, 'global')
}

/** One document for each account, with the account's id. */
export function ownIdCollection<T extends Doc>(name: string): Collection<T> {
  return reaching(name, 'ownId')
}

/** Documents that pass from one account to another; `account` says whose they are now, '' = nobody's. */
export function sharedCollection<T extends Doc>(name: string): Collection<T> {
  return reaching(name, 'shared')
}

/** The same with hosts as ids; `ref` takes the host, also a wildcard. */
export function byHost<T extends Doc>(of: Collection<T>): Collection<T> {
  return { ...of, ref: (host) => of.ref(idOfHost(host)) }
}

/** Every account may add to it, and none reads it. */
export function outboxCollection<T extends Doc>(name: string): Collection<T> {
  return reaching(name, 'outbox')
}

function reaching<T extends Doc>(name: string, reach: Reach): Collection<T> {
  return { name, reach, ref: (id) => ({ collection: name, id, reach }) }
}

export const topics = {
  /** Commands for every relay of one cell. */
  commands: (cell: string) => `commands.${cell}`,
  /** What relays of all cells saw and cannot wait for their next sync to report. */
  events: 'events',
  /** Ids of jobs that were just requested. */
  jobs: 'jobs',
} as const
