/**
 * Takes reports of abuse from visitors. Whose tunnel an address is, at the time of the report, is looked up here and
 * kept for operators; who reports learns nothing but that it was received. docs/decisions/0104
 */
import { z } from 'zod'
import type { ReportKind } from '../../api/schemas/report-words.ts'
import { sourceOf } from '../../base/addresses.ts'
import { fail } from '../../base/errors.ts'
import { newId } from '../../base/ids.ts'
import { type Place, readAddress } from '../../base/reported-address.ts'
import type { Control } from '../control.ts'
import { deletedTunnels, tunnels } from '../documents.ts'
import { look } from '../jobs/jobs.ts'
import { queries } from '../query-table.ts'
import { countEvent } from '../rates.ts'
import { type AbuseCaseDoc, abuseCases, type ReportDoc } from './abuse-documents.ts'
import { isOurs, tunnelAt } from './find-tunnel.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
/** After the last report; long enough to see who does it again. */
export const caseKeptMs = 400 * dayMs
/** A network, by its source. */
const perSource = { scope: 'report', max: 10, windowMs: hourMs }
const perSourceDay = { scope: 'report.day', max: 30, windowMs: dayMs }
/** Far more than people read in a day; a flood from many networks fills neither the store nor the queue. */
const together = { scope: 'report.all', max: 2_000, windowMs: dayMs }
/** Operators get one mail for all that begin within it. */
const gatherMs = 5 * 60_000
/** The newest of a case; what a hundred others say is in them, too. */
const reportsMax = 20

export const reportTextMax = 2_000

export type Report = {
  readonly address: string
  readonly kind: ReportKind
  readonly text: string
  /** '' = no answer is wanted. */
  readonly email: string
  /** The network address of whoever reports; it is only counted. */
  readonly from: string
}

/** @throws report.address, report.email, api.rate; never because of who has the address */
export async function receiveReport(control: Control, report: Report): Promise<void> {
  const place = readAddress(report.address)
  if (!place) throw fail('report.address')
  const email = report.email.trim().toLowerCase()
  if (email !== '' && !z.email().max(254).safeParse(email).success) throw fail('report.email')
  for (const limit of [perSource, perSourceDay])
    await countEvent(control, limit, { subject: sourceOf(report.from), key: 'api.rate' })
  await countEvent(control, together, { subject: 'all', key: 'api.rate' })
  const whose = await whoseIs(control, place)
  if (!whose) throw fail('report.address', 'No address of this service looks like that one.')
  const address = place.port === undefined ? place.host : `${place.host}:${place.port}`
  const at = control.clock.now()
  const { kind, text } = report
  const given: ReportDoc = { at, kind, text: text.trim().slice(0, reportTextMax), email }
  await fold(control, { ...whose, address, key: whose.tunnel || address }, given)
}

type Whose = Pick<AbuseCaseDoc, 'account' | 'tunnel'>

/** @returns undefined for an address that this service does not have */
async function whoseIs(control: Control, place: Place): Promise<Whose | undefined> {
  const tunnel = await tunnelAt(control, place)
  if (tunnel === undefined) return (await isOurs(control, place)) ? { account: '', tunnel: '' } : undefined
  const [found, gone] = await Promise.all([
    control.store.get(tunnels.ref(tunnel)),
    control.store.get(deletedTunnels.ref(tunnel)),
  ])
  return { account: (found ?? gone)?.data.account ?? '', tunnel }
}

/** Reports of the same are one case until it is decided. */
async function fold(
  { store }: Pick<Control, 'store'>,
  of: Whose & Pick<AbuseCaseDoc, 'key' | 'address'>,
  given: ReportDoc,
): Promise<void> {
  const { at } = given
  const ttl = new Date(at + caseKeptMs)
  await store.transact(async (tx) => {
    const { items } = await tx.query(queries.abuseByKey, { where: { key: of.key, state: 'open' }, limit: 1 })
    const [open] = items
    if (!open) {
      const tell = await look(
        tx,
        { kind: 'abuse.news', subject: 'operators', account: '', dueAt: at + gatherMs },
        at,
      )
      tx.create(abuseCases.ref(newId('rep', at)), {
        ...of,
        state: 'open',
        firstAt: at,
        lastAt: at,
        count: 1,
        reports: [given],
        ttl,
      })
      // Due later, so there is nothing to kick.
      tell()
      return
    }
    const { data } = open
    const isRepeated = data.reports.some(
      ({ kind, text, email }) => kind === given.kind && text === given.text && email === given.email,
    )
    const reports = isRepeated ? data.reports : [...data.reports, given].slice(-reportsMax)
    tx.set(open.ref, { ...data, reports, count: data.count + 1, lastAt: at, ttl })
  })
}
