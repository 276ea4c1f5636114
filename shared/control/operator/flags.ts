/** Feature flags: an operator gives a feature to more and more accounts, to some by name, or takes it from all. */
import { z } from 'zod'
import { fail } from '../../base/errors.ts'
import { type FlagName, type FlagState, flagNames, flags, isFlagOn } from '../../base/flags.ts'
import type { Control } from '../control.ts'
import { changeFlag, readFlags } from '../flags.ts'
import { find } from './accounts.ts'
import { type By, declareAct, reasonSchema, writeAct } from './act.ts'

/** One document has all flags, and each relay gets it with every report. */
const accountsMax = 100

const nameSchema = z.string().max(64)
const setSchema = z.strictObject({
  flag: nameSchema,
  value: z.union([z.enum(['on', 'off', 'share']), z.number().min(0).max(100)]),
  account: z.string().max(64).optional(),
})

export const flagActs = {
  'flags.list': declareAct(z.strictObject({}), async ({ control }) =>
    (await readFlags(control)).map(({ flag, state }) => describe(flag, state)),
  ),
  /** For everybody `on` is 100 % and `off` 0 %; for one account `share` lets the share decide again. */
  'flags.set': declareAct(setSchema, async ({ control }, { flag: name, value, account }, by) => {
    const { flag, state } = await setFlag(control, { flag: name, value, account }, by)
    return describe(flag, state)
  }),
  'flags.kill': declareAct(
    z.strictObject({ flag: nameSchema, reason: reasonSchema }),
    async ({ control }, { flag: name, reason }, by) => {
      const { flag, state } = await switchFlag(control, { flag: name, killed: true }, { ...by, reason })
      return describe(flag, state)
    },
  ),
  'flags.revive': declareAct(
    z.strictObject({ flag: nameSchema }),
    async ({ control }, { flag: name }, by) => {
      const { flag, state } = await switchFlag(control, { flag: name, killed: false }, by)
      return describe(flag, state)
    },
  ),
}

/** Every flag of this release, with the accounts that it names. */
export async function listFlags(control: Control) {
  return (await readFlags(control)).map(({ flag, state: { percent, killed, in: added, out } }) => {
    const { does, owner, removeBy } = flags[flag]
    return { flag, does, percent, killed, in: [...added], out: [...out], owner, removeBy }
  })
}

/** What the account has of every flag of this release, and why. */
export async function flagsOf(control: Control, account: string) {
  const known = await readFlags(control)
  const states = Object.fromEntries(known.map(({ flag, state }) => [flag, state]))
  return known.map(({ flag, state: { percent, killed, in: added, out } }) => ({
    flag,
    does: flags[flag].does,
    on: isFlagOn(flag, states, account),
    set: out.includes(account)
      ? ('off' as const)
      : added.includes(account)
        ? ('on' as const)
        : ('share' as const),
    percent,
    killed,
  }))
}

type FlagWish = {
  readonly flag: string
  readonly value: z.infer<typeof setSchema>['value']
  /** For this account alone; undefined: for everybody. */
  readonly account?: string | undefined
}

/** @throws operator.missing, operator.input */
export async function setFlag(
  control: Control,
  { flag: name, value, account }: FlagWish,
  by: By,
): Promise<{ readonly flag: FlagName; readonly state: FlagState }> {
  const flag = known(name)
  if (account !== undefined && value !== 'share') await find(control, account)
  const state = await changeFlag(control, flag, (tx, before, nowMs) => {
    const details = account === undefined ? { value, before: before.percent } : { value, account }
    writeAct(tx, by, { action: 'flag.changed', target: flag, details }, nowMs)
    return account === undefined ? withShare(before, value) : withAccount(before, value, account)
  })
  return { flag, state }
}

/** Takes the flag from everybody, whatever else is set, or ends that. @throws operator.missing */
export async function switchFlag(
  control: Control,
  { flag: name, killed }: { readonly flag: string; readonly killed: boolean },
  by: By,
): Promise<{ readonly flag: FlagName; readonly state: FlagState }> {
  const flag = known(name)
  const state = await changeFlag(control, flag, (tx, before, nowMs) => {
    const action = killed ? 'flag.killed' : 'flag.revived'
    writeAct(tx, by, { action, target: flag }, nowMs)
    return { ...before, killed }
  })
  return { flag, state }
}

/** @throws operator.missing */
function known(name: string): FlagName {
  const flag = flagNames.find((one) => one === name)
  if (flag === undefined) throw fail('operator.missing', `This release has no flag "${name}".`)
  return flag
}

/** @throws operator.input */
function withShare(before: FlagState, value: z.infer<typeof setSchema>['value']): FlagState {
  if (value === 'share') throw fail('operator.input', 'Only an account can be left to the share.')
  return { ...before, percent: value === 'on' ? 100 : value === 'off' ? 0 : value }
}

/** @throws operator.input */
function withAccount(
  before: FlagState,
  value: z.infer<typeof setSchema>['value'],
  account: string,
): FlagState {
  if (typeof value === 'number') throw fail('operator.input', 'For one account a flag is on, off or share.')
  const without = (list: readonly string[]) => list.filter((one) => one !== account)
  const after = {
    ...before,
    in: value === 'on' ? [...without(before.in), account] : without(before.in),
    out: value === 'off' ? [...without(before.out), account] : without(before.out),
  }
  if (after.in.length > accountsMax || after.out.length > accountsMax)
    throw fail('operator.input', `A flag names at most ${accountsMax} accounts; use the share for more.`)
  return after
}

function describe(flag: FlagName, { percent, killed, in: added, out }: FlagState) {
  const { does, owner, removeBy } = flags[flag]
  const share = percent >= 100 ? 'on' : percent <= 0 ? 'off' : `${percent} %`
  return { flag, state: killed ? `killed (${share} before)` : share, in: added, out, owner, removeBy, does }
}
