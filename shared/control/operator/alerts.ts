/** Alerts of the service itself, for its operators: in the console, and by ptunctl. */
import { z } from 'zod'
import type { AlertAct } from '../../api/schemas/alerts.ts'
import { fail } from '../../base/errors.ts'
import { type AlertDoc, alerts } from '../alerts/alert-documents.ts'
import { actionOf, afterAct, describeAlert } from '../alerts/alerting.ts'
import type { Control } from '../control.ts'
import type { Page, QueryOptions, Snapshot } from '../platform.ts'
import { queries } from '../query-table.ts'
import { type By, declareAct, writeAct } from './act.ts'

const listSchema = z.strictObject({ limit: z.int().min(1).max(500).default(100) })
const idSchema = z.strictObject({ id: z.string().min(1).max(128) })

export const alertActs = {
  'alerts.list': declareAct(listSchema, async ({ control }, page) => {
    const { items } = await pageServiceAlerts(control, page)
    return items.map(describeAlert).map(({ id, title, name, state, since, last: changedAt, code = '' }) => ({
      ...{ id, title, name, state, since, changedAt, code },
    }))
  }),
  'alerts.acknowledge': declareAct(idSchema, async ({ control }, { id }, by) => {
    const { data } = await actOnServiceAlert(control, { id, act: { act: 'acknowledge' } }, by)
    return { id, state: data.state }
  }),
}

type Wish = Pick<QueryOptions, 'limit' | 'after'> & { readonly state?: AlertDoc['state'] | undefined }

/** Those that changed last come first. */
export function pageServiceAlerts(
  { store }: Pick<Control, 'store'>,
  { state, ...page }: Wish,
): Promise<Page<AlertDoc>> {
  const where = { account: '' }
  if (state === undefined) return store.query(queries.alertsOfAccount, { where, ...page })
  return store.query(queries.alertsByState, { where: { ...where, state }, ...page })
}

/** Repeating it changes nothing. @throws operator.missing for one of an account too, alert.over */
export async function actOnServiceAlert(
  { store, clock }: Pick<Control, 'store' | 'clock'>,
  { id, act }: { readonly id: string; readonly act: AlertAct },
  by: By,
): Promise<Snapshot<AlertDoc>> {
  const nowMs = clock.now()
  return store.transact(async (tx) => {
    const before = await tx.get(alerts.ref(id))
    if (before?.data.account !== '')
      throw fail('operator.missing', `There is no alert "${id}" of the service.`)
    const data = afterAct(before.data, act, { by: by.actor, nowMs })
    if (!data) return before
    tx.set(before.ref, data)
    const { kind, subject } = data
    writeAct(tx, by, { action: actionOf(act), target: id, details: { kind, subject } }, nowMs)
    return { ...before, data }
  })
}
