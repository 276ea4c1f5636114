/**
 * Feature flags: what each of them switches, and for whom it is on. The control plane and the relays decide by the one
 * function here, so an account gets the same answer everywhere. shared/control/flags.ts keeps what operators want, and
 * relays hear it with `sync`. docs/decisions/0077-gradual-roll-out.md
 */
import { createHash } from 'node:crypto'

type FlagEntry = {
  readonly does: string
  /** Applies to everybody until an operator says otherwise. */
  readonly default: boolean
  /** The part of the system whose maintainers decide about it. */
  readonly owner: 'control plane' | 'data plane'
  /** A test fails after this day: by then the flag is removed, or somebody has a reason to keep it longer. */
  readonly removeBy: string
}

export const flags = {
  'visitor-http2': {
    does: 'Relays offer HTTP/2 to visitors; without it they speak HTTP/1.1, and gRPC clients fail.',
    default: true,
    owner: 'data plane',
    removeBy: '2027-12-31',
  },
} as const satisfies Record<string, FlagEntry>

export type FlagName = keyof typeof flags
export const flagNames = Object.keys(flags) as readonly FlagName[]

/** What an operator wants of a flag. */
export type FlagState = {
  /** 0 to 100: the share of accounts that have it. Raising it never takes the flag from an account. */
  readonly percent: number
  /** Accounts that have it whatever the share, and accounts that do not. */
  readonly in: readonly string[]
  readonly out: readonly string[]
  /** It is off for everybody, whatever else is said. */
  readonly killed: boolean
}
/** By the flag's name. Flags without an entry are as the code says; unknown names are of another release. */
export type FlagStates = { readonly [flag: string]: FlagState }

/** @param account undefined: not known, so the flag is on only if everybody has it */
export function isFlagOn(flag: FlagName, states: FlagStates, account: string | undefined): boolean {
  const state = Object.hasOwn(states, flag) ? states[flag] : undefined
  if (state === undefined) return flags[flag].default
  if (state.killed) return false
  if (account !== undefined && state.out.includes(account)) return false
  if (account !== undefined && state.in.includes(account)) return true
  if (state.percent >= 100) return true
  return account !== undefined && placeOf(flag, account) < state.percent
}

/** A place from 0 to 100 that never changes. It differs from flag to flag, so that no account is the first in all. */
function placeOf(flag: FlagName, account: string): number {
  const digest = createHash('sha256').update(`${flag}:${account}`).digest()
  return (digest.readUInt32BE(0) / 2 ** 32) * 100
}
