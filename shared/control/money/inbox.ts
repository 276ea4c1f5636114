/**
 * Events of the payment service. Each is stored before it is acknowledged, and stays `waiting` until its customer was
 * read after it came; so none is lost when a handler fails, and order and repetition change nothing. Events of types
 * that this release does not know stay too, for `ptunctl billing replay` of a later one.
 */
import { isFailure } from '../../base/errors.ts'
import type { Control } from '../control.ts'
import { type JobKind, look, type RunningJob } from '../jobs/jobs.ts'
import { kick } from '../jobs/kick.ts'
import type { Page } from '../platform.ts'
import { queries } from '../query-table.ts'
import { customers, type PaymentEventDoc, paymentEvents } from './billing-documents.ts'
import { type CaughtUp, catchUp } from './catching-up.ts'
import { isKnownEvent, isMeterError } from './event-types.ts'

export type Replayed = Pick<CaughtUp, 'adopted' | 'strange'> & {
  /** Kept events. */
  readonly events: number
  readonly customers: number
  readonly more: boolean
}

const keepMs = 90 * 24 * 3_600_000
const pageItems = 100
/** More of one customer wait only after an outage of days; the next look takes the rest. */
const pagesMax = 10
const kind = 'billing.event'

/** What we use of an event; everything else is asked for. */
export type PaymentEvent = {
  readonly id: string
  readonly type: string
  /** Id of its object, '' if it has none. */
  readonly object: string
  /** '' = the event does not say. */
  readonly customer: string
  /** The charge that it is about, where the customer must be asked for. */
  readonly charge: string
}

/** @returns what was done with it; `repeated`: it was stored before */
export async function receiveEvent(
  control: Control,
  event: PaymentEvent,
): Promise<'stored' | 'unknown' | 'repeated'> {
  const { store, clock, log } = control
  const nowMs = clock.now()
  const { id, type, object, customer, charge } = event
  const isKnown = isKnownEvent(type)
  if (isMeterError(type))
    log.error({ event: id, type, meter: object }, 'The payment service refused reports of transfer')
  const doc: PaymentEventDoc = {
    type,
    object: customer === '' && charge !== '' ? charge : object,
    customer,
    state: isKnown ? 'waiting' : 'unknown',
    tries: 0,
    receivedAt: nowMs,
    ttl: new Date(nowMs + keepMs),
  }
  try {
    const jobs = await store.transact(async (tx) => {
      const ref = paymentEvents.ref(id)
      const before = await tx.get(ref)
      const ask = isKnown ? await look(tx, wishOf(id, customer), nowMs) : undefined
      if (before && before.data.state !== 'waiting') return undefined
      if (!before) tx.create(ref, doc)
      return { ids: ask ? [ask()] : [], isNew: before === undefined }
    })
    if (!jobs) return 'repeated'
    await kick(control, jobs.ids)
    return jobs.isNew ? (isKnown ? 'stored' : 'unknown') : 'repeated'
  } catch (error) {
    // Another delivery of the same event was faster, and has asked for the job.
    if (isFailure(error, 'store.exists')) return 'repeated'
    throw error
  }
}

function wishOf(id: string, customer: string) {
  return customer === ''
    ? { kind, subject: id, account: '' }
    : { kind: 'billing.customer', subject: customer, account: '' }
}

/** Events that name no customer: the payment service is asked whose they are. */
export function settleEvents(control: Control): JobKind {
  return {
    name: kind,
    attemptsMax: 100,
    run: async (job: RunningJob) => {
      const ref = paymentEvents.ref(job.subject)
      const event = await control.store.get(ref)
      if (event?.data.state !== 'waiting') return
      await control.store.update(ref, { tries: event.data.tries + 1 })
      const { object, type } = event.data
      const isCharge = /^(ch|py)_/.test(object)
      const customer = isCharge ? await control.payments.customerOf(object) : ''
      if (!isCharge && !isMeterError(type))
        control.log.error({ event: job.subject, type, object }, 'A payment event names no customer')
      const nowMs = control.clock.now()
      await job.finish(async (tx) => {
        const ask = customer === '' ? undefined : await look(tx, wishOf('', customer), nowMs)
        tx.update(ref, customer === '' ? { state: 'handled' } : { customer })
        ask?.()
      })
    },
  }
}

/** Those of this customer that came before it was read. */
export async function finishEvents(
  { store }: Pick<Control, 'store'>,
  customer: string,
  readAt: number,
): Promise<void> {
  for (let pages = 0; pages < pagesMax; pages++) {
    const page: Page<PaymentEventDoc> = await store.query(queries.eventsOfCustomer, {
      where: { customer, state: 'waiting' },
      to: readAt,
      limit: pageItems,
    })
    const { items } = page
    if (items.length === 0) return
    await store.batch(
      items.map(({ ref, data: { tries } }) => ({
        op: 'update',
        ref,
        fields: { state: 'handled', tries: tries + 1 },
      })),
    )
    if (!page.next) return
  }
}

/**
 * Everything again: `event`, all of `customer`, or all since `since`, for which the payment service is asked too.
 * @returns how many were asked for
 * @throws billing.unavailable, billing.key
 */
export async function replayEvents(
  control: Control,
  asked: { readonly event?: string; readonly customer?: string; readonly since?: number },
): Promise<Replayed> {
  const { store, clock } = control
  const found = await findEvents(control, asked)
  const changed = await findChanged(control, asked)
  const wanted = new Set(found.items.map(({ data }) => data.customer).filter((id) => id !== ''))
  for (const customer of changed.customers) wanted.add(customer)
  if (asked.customer !== undefined && (await store.get(customers.ref(asked.customer))))
    wanted.add(asked.customer)
  const nowMs = clock.now()
  const jobs: string[] = []
  for (const { ref, data } of found.items) {
    if (!isKnownEvent(data.type)) continue
    await store.update(ref, { state: 'waiting' })
    if (data.customer === '')
      jobs.push(await store.transact(async (tx) => (await look(tx, wishOf(ref.id, ''), nowMs))()))
  }
  for (const customer of wanted)
    jobs.push(await store.transact(async (tx) => (await look(tx, wishOf('', customer), nowMs))()))
  await kick(control, jobs)
  const { adopted, strange, isWhole } = changed
  return {
    events: found.items.length,
    customers: wanted.size,
    adopted,
    strange,
    more: found.more || !isWhole,
  }
}

async function findChanged(
  control: Control,
  { event, customer, since }: Parameters<typeof replayEvents>[1],
): Promise<CaughtUp> {
  if (since !== undefined && event === undefined && customer === undefined) return catchUp(control, since)
  return { customers: [], adopted: 0, strange: [], isWhole: true }
}

async function findEvents(
  { store }: Control,
  { event, customer, since }: Parameters<typeof replayEvents>[1],
): Promise<{ readonly items: Page<PaymentEventDoc>['items']; readonly more: boolean }> {
  if (event !== undefined) {
    const found = await store.get(paymentEvents.ref(event))
    return { items: found ? [found] : [], more: false }
  }
  if (since === undefined) return { items: [], more: false }
  const page: Page<PaymentEventDoc> = await store.query(queries.eventsByTime, {
    where: {},
    from: since,
    limit: 500,
  })
  const items = page.items.filter(({ data }) => customer === undefined || data.customer === customer)
  return { items, more: page.next !== undefined }
}
