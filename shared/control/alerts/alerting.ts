/** Alerts as their account sees them: lists, one alert, and what people do about it. */
import type { Alert, AlertAct } from '../../api/schemas/alerts.ts'
import { fail } from '../../base/errors.ts'
import { type AuditAction, byCaller, writeAudit } from '../audit.ts'
import { type Caller, mayTouch } from '../caller.ts'
import type { AccountControl } from '../control.ts'
import { tunnels } from '../documents.ts'
import type { Page, QueryOptions, Snapshot } from '../platform.ts'
import { queries } from '../query-table.ts'
import { type AlertDoc, alerts } from './alert-documents.ts'
import { kindTable } from './kinds.ts'
import { changed } from './states.ts'

/** What the bell counts to; more than that is "100 and more". */
const countMax = 100

type Wish = Pick<QueryOptions, 'limit' | 'after'> & { readonly state?: AlertDoc['state'] | undefined }

/** Those that changed last come first. A bound key gets only those of its tunnels, so its pages may be short. */
export async function listAlerts(
  control: AccountControl,
  caller: Caller,
  { state, ...page }: Wish,
): Promise<Page<AlertDoc>> {
  const { account } = caller
  const found = await (state === undefined
    ? control.store.query(queries.alertsOfAccount, { where: { account }, ...page })
    : control.store.query(queries.alertsByState, { where: { account, state }, ...page }))
  return { ...found, items: await withinReach(control, caller, found.items) }
}

/** How many are open, for the bell, and the newest that nobody has seen. */
export async function countAlerts(control: AccountControl, caller: Caller) {
  const { account } = caller
  const read = (state: AlertDoc['state']) =>
    control.store.query(queries.alertsByState, { where: { account, state }, limit: countMax })
  const pages = await Promise.all([read('firing'), read('acknowledged')])
  const [firing = [], acknowledged = []] = await Promise.all(
    pages.map(({ items }) => withinReach(control, caller, items)),
  )
  const [newest] = firing
  return {
    firing: firing.length,
    acknowledged: acknowledged.length,
    ...(newest && { newest: describeAlert(newest) }),
  }
}

/** @throws api.not_found for an unknown alert and for another account's alike */
export async function readAlert(
  control: AccountControl,
  caller: Caller,
  id: string,
): Promise<Snapshot<AlertDoc>> {
  const found = await control.store.get(alerts.ref(id))
  const [mine] = found ? await withinReach(control, caller, [found]) : []
  if (!mine) throw fail('api.not_found')
  return mine
}

/** A key that is bound to tunnels hears of these alone. */
async function withinReach(
  { store }: AccountControl,
  caller: Caller,
  found: readonly Snapshot<AlertDoc>[],
): Promise<readonly Snapshot<AlertDoc>[]> {
  if (caller.tunnels === undefined) return found
  const ofTunnels = found.filter(({ data }) => data.subject.startsWith('tun_'))
  const known = await store.getAll(ofTunnels.map(({ data }) => tunnels.ref(data.subject)))
  return ofTunnels.filter((_, index) => mayTouch(caller, known[index]?.data.name ?? ''))
}

const audited = {
  acknowledge: 'alert.acknowledged',
  resolve: 'alert.resolved',
  mute: 'alert.muted',
} as const satisfies Record<AlertAct['act'], AuditAction>

export function actionOf({ act }: AlertAct): AuditAction {
  return audited[act]
}

/** Repeating it changes nothing. @throws api.not_found, alert.over */
export async function actOnAlert(
  control: AccountControl,
  caller: Caller,
  { id, act }: { readonly id: string; readonly act: AlertAct },
): Promise<Snapshot<AlertDoc>> {
  await readAlert(control, caller, id)
  const nowMs = control.clock.now()
  return control.store.transact(async (tx) => {
    const before = await tx.get(alerts.ref(id))
    if (!before) throw fail('api.not_found')
    const next = afterAct(before.data, act, { by: caller.actor, nowMs })
    if (!next) return before
    tx.set(before.ref, next)
    const { kind, subject } = next
    writeAudit(
      tx,
      { ...byCaller(caller), target: id, action: actionOf(act), details: { kind, subject } },
      nowMs,
    )
    return { ...before, data: next }
  })
}

/** @returns undefined when nothing changes. @throws alert.over */
export function afterAct(
  before: AlertDoc,
  act: AlertAct,
  { by, nowMs }: { readonly by: string; readonly nowMs: number },
): AlertDoc | undefined {
  if (act.act === 'mute')
    return { ...changed(before, nowMs, 'muted', by), mutedUntil: nowMs + act.forMs, news: '', untold: 0 }
  if (before.state === 'resolved') {
    if (act.act === 'resolve') return undefined
    throw fail('alert.over')
  }
  if (act.act === 'resolve') {
    const closed = { state: 'resolved', endedAt: nowMs, quietAt: 0, unsteady: false, closedBy: by } as const
    return { ...changed(before, nowMs, 'closed by hand', by), ...closed, news: '', untold: 0 }
  }
  if (before.state === 'acknowledged') return undefined
  // Somebody looks after it: the mail that was about to go would only repeat it.
  return { ...changed(before, nowMs, 'acknowledged', by), state: 'acknowledged', news: '', untold: 0 }
}

export function describeAlert({ ref, data }: Snapshot<AlertDoc>): Alert {
  const { kind, subject, name, state, unsteady, since, last, endedAt, toldAt, mutedUntil } = data
  return {
    id: ref.id,
    kind,
    title: kindTable[kind].title,
    subject,
    name,
    state,
    unsteady,
    since,
    last,
    ...(endedAt > 0 && { endedAt }),
    ...(toldAt > 0 && { toldAt }),
    ...(mutedUntil > 0 && { mutedUntil }),
    cause: data.cause,
    ...(data.cure !== '' && { cure: data.cure }),
    ...(data.code !== '' && { code: data.code }),
    timeline: data.timeline.map(({ at, what, by }) => ({ at, what, ...(by !== '' && { by }) })),
  }
}
