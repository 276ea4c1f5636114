/**
 * What operators want of feature flags, in one document that every process reads once in 30 s. A database that is away
 * changes nothing: what was read last stays in force, and before the first answer the code's own defaults. Set by
 * operator/flags.ts; base/flags.ts declares the flags and decides.
 */
import type { Clock } from '../base/clock.ts'
import { type FlagName, type FlagState, type FlagStates, flagNames, flags, isFlagOn } from '../base/flags.ts'
import type { Log } from '../base/log.ts'
import type { Control } from './control.ts'
import { globalCollection } from './names.ts'
import type { Store, Transaction } from './platform.ts'
import { ReadLately } from './read-lately.ts'

/** Id: `all`, so that one read is enough for all of them. */
type FlagsDoc = { readonly states: FlagStates }

const ref = globalCollection<FlagsDoc>('flags').ref('all')

export class Flags {
  readonly #states: ReadLately<FlagStates>

  constructor({
    store,
    clock,
    log,
  }: {
    readonly store: Pick<Store, 'get'>
    readonly clock: Clock
    readonly log: Log
  }) {
    this.#states = new ReadLately(
      clock,
      async () => (await store.get(ref))?.data.states ?? {},
      (error) => log.warn({ error }, 'Feature flags could not be read; those known last apply'),
    )
  }

  /** As they were at most 30 s ago. It never rejects. */
  async states(): Promise<FlagStates> {
    return (await this.#states.get()) ?? {}
  }

  /** The flags that are on for the account. */
  async of(account: string): Promise<FlagName[]> {
    const states = await this.states()
    return flagNames.filter((flag) => isFlagOn(flag, states, account))
  }

  /** They were changed here, so the next look reads them anew. */
  forget(): void {
    this.#states.forget()
  }
}

/** Changes what is wanted of one flag. @param change may run again; what it writes commits with the change */
export async function changeFlag(
  control: Pick<Control, 'store' | 'clock' | 'flags'>,
  flag: FlagName,
  change: (tx: Transaction, before: FlagState, nowMs: number) => FlagState,
): Promise<FlagState> {
  const after = await control.store.transact(async (tx) => {
    const states = (await tx.get(ref))?.data.states ?? {}
    const next = change(tx, states[flag] ?? untouched(flag), control.clock.now())
    tx.set(ref, { states: { ...states, [flag]: next } })
    return next
  })
  control.flags.forget()
  return after
}

/** What is wanted of every flag that this release has, read anew. */
export async function readFlags({
  store,
}: {
  readonly store: Pick<Store, 'get'>
}): Promise<readonly { readonly flag: FlagName; readonly state: FlagState }[]> {
  const states = (await store.get(ref))?.data.states ?? {}
  return flagNames.map((flag) => ({ flag, state: states[flag] ?? untouched(flag) }))
}

function untouched(flag: FlagName): FlagState {
  return { percent: flags[flag].default ? 100 : 0, in: [], out: [], killed: false }
}
