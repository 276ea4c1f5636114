/** The rules of an account's alerts and its windows of maintenance, which are one document. */
import type { z } from 'zod'
import {
  type AlertRule,
  ownerAlerts,
  type rulesWishSchema,
  type windowWishSchema,
} from '../../api/schemas/alerts.ts'
import { fail } from '../../base/errors.ts'
import { newId } from '../../base/ids.ts'
import { byCaller, writeAudit } from '../audit.ts'
import type { Caller } from '../caller.ts'
import type { AccountControl } from '../control.ts'
import { tunnels } from '../documents.ts'
import { type AlertRulesDoc, noRules, type RuleDoc, rulesRef, type WindowDoc } from './alert-documents.ts'
import { isSameScope, kindTable } from './kinds.ts'

/** One read has them all, and nobody keeps more in mind. */
const windowsMax = 50

export async function readRules(control: AccountControl, { account }: Caller): Promise<AlertRulesDoc> {
  return (await control.store.get(rulesRef(account)))?.data ?? noRules(account)
}

/** The usual rule of each kind, or the account's own in its place, then those for tags and tunnels. */
export function describeRules({ rules }: Pick<AlertRulesDoc, 'rules'>): AlertRule[] {
  const general = ownerAlerts.map((kind) => {
    const own = rules.find((rule) => isSameScope(rule, { kind, on: true }))
    return describeRule(own ?? { kind, on: kindTable[kind].on }, own !== undefined)
  })
  const narrow = rules.filter(({ tunnel, tag }) => tunnel !== undefined || tag !== undefined)
  return [...general, ...narrow.map((rule) => describeRule(rule, true))]
}

function describeRule({ kind: name, tunnel, tag, on, threshold, forMs }: RuleDoc, own: boolean): AlertRule {
  const kind = ownerAlerts.find((one) => one === name)
  const usual = kind && kindTable[kind]
  const limit = usual?.unit && (threshold ?? usual.threshold)
  const time = usual?.forMs === undefined ? undefined : (forMs ?? usual.forMs)
  return {
    kind: name,
    title: usual?.title ?? name,
    ...(tunnel !== undefined && { tunnel }),
    ...(tag !== undefined && { tag }),
    on,
    ...(limit !== undefined && { threshold: limit }),
    ...(usual?.unit && { unit: usual.unit }),
    ...(time !== undefined && { forMs: time }),
    own,
  }
}

type RulesWish = z.infer<typeof rulesWishSchema>

/**
 * Puts these in the place of all rules that the account has set; kinds that are not among them are as usual again.
 * @throws alert.rules, api.conflict, api.not_found for a tunnel of others
 */
export async function setRules(
  control: AccountControl,
  caller: Caller,
  { wish: { items }, ifRevision }: { readonly wish: RulesWish; readonly ifRevision?: number | undefined },
): Promise<AlertRulesDoc> {
  const rules = items.map(({ kind, tunnel, tag, on, threshold, forMs }): RuleDoc => {
    const { forMs: usualMs, unit, thresholdMin = 0 } = kindTable[kind]
    if (threshold !== undefined && (unit === undefined || threshold < thresholdMin))
      throw fail('alert.rules', `${kindTable[kind].title}: the least is ${thresholdMin} ${unit ?? ''}.`)
    if (forMs !== undefined && usualMs === undefined)
      throw fail('alert.rules', `${kindTable[kind].title}: this has no time of its own.`)
    if ((tunnel !== undefined || tag !== undefined) && !kind.startsWith('tunnel.'))
      throw fail('alert.rules', `${kindTable[kind].title}: this is about the account, not about a tunnel.`)
    const scope = { ...(tunnel !== undefined && { tunnel }), ...(tag !== undefined && { tag }) }
    const values = { ...(threshold !== undefined && { threshold }), ...(forMs !== undefined && { forMs }) }
    return { kind, ...scope, on, ...values }
  })
  for (const [index, rule] of rules.entries())
    if (rules.slice(0, index).some((other) => isSameScope(other, rule)))
      throw fail('alert.rules', 'Two of them are for the same alert and the same tunnels.')
  await requireTunnels(
    control,
    rules.flatMap(({ tunnel }) => tunnel ?? []),
  )
  return change(control, caller, {
    ifRevision,
    details: { rules: rules.length },
    next: (before) => ({ ...before, rules }),
  })
}

/** @throws alert.rules when there are too many, api.not_found for a tunnel of others */
export async function addWindow(
  control: AccountControl,
  caller: Caller,
  { tunnel = '', from, until, note }: z.infer<typeof windowWishSchema>,
): Promise<WindowDoc> {
  const nowMs = control.clock.now()
  if (until <= nowMs) throw fail('alert.rules', 'The maintenance is over already.')
  await requireTunnels(control, tunnel === '' ? [] : [tunnel])
  const window = { id: newId('mnt', nowMs), tunnel, from, until, note, by: caller.actor }
  await change(control, caller, {
    details: { maintenance: window.id },
    next: (before) => {
      const windows = before.windows.filter((one) => one.until > nowMs)
      if (windows.length >= windowsMax) throw fail('alert.rules', `There are ${windowsMax} already.`)
      return { ...before, windows: [...windows, window] }
    },
  })
  return window
}

/** It is over now. @throws api.not_found */
export async function removeWindow(control: AccountControl, caller: Caller, id: string): Promise<void> {
  await change(control, caller, {
    details: { maintenance: id },
    next: (before) => {
      const windows = before.windows.filter((one) => one.id !== id)
      if (windows.length === before.windows.length) throw fail('api.not_found')
      return { ...before, windows }
    },
  })
}

async function requireTunnels({ store }: AccountControl, ids: readonly string[]): Promise<void> {
  const found = await store.getAll([...new Set(ids)].map((id) => tunnels.ref(id)))
  if (found.some((tunnel) => !tunnel)) throw fail('api.not_found')
}

async function change(
  { store, clock }: AccountControl,
  caller: Caller,
  {
    ifRevision,
    details,
    next,
  }: {
    readonly ifRevision?: number | undefined
    readonly details: { readonly [what: string]: string | number }
    readonly next: (before: AlertRulesDoc) => AlertRulesDoc
  },
): Promise<AlertRulesDoc> {
  const { account } = caller
  const ref = rulesRef(account)
  return store.transact(async (tx) => {
    const before = (await tx.get(ref))?.data ?? noRules(account)
    if (ifRevision !== undefined && ifRevision !== before.revision) throw fail('api.conflict')
    const after = { ...next(before), revision: before.revision + 1 }
    tx.set(ref, after)
    const entry = { ...byCaller(caller), target: account, action: 'alert.rules', details } as const
    writeAudit(tx, entry, clock.now())
    return after
  })
}
