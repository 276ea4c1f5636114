/**
 * What happens because time passed: in the order of its time, also across customers, and each thing at its own second.
 */
import type { Stripe } from 'stripe'
import { finalizesAt } from './invoices.ts'
import { reportDue } from './meter-reports.ts'
import { scheduleDue } from './schedule-time.ts'
import { sessionDue } from './session-time.ts'
import { advanceInvoice, subscriptionDue } from './subscription-time.ts'
import { idOf, type World } from './world.ts'

/** Something that is due. */
export type Due = { readonly at: number; readonly act: () => void }

/** Far more than a year of all subscriptions of a test: more means that something becomes due for ever. */
const stepsMax = 200_000

/** Up to the server's clock, and up to where test clocks are being moved. */
export function catchUp(world: World): void {
  run(world, null, Math.floor(world.clock.now() / 1_000))
  for (const clock of world.all('clocks')) {
    const target = clock.status_details.advancing?.target_frozen_time
    if (target === undefined) continue
    run(world, clock.id, target)
    world.change('test_helpers.test_clock.ready', clock, () => finish(clock, target))
  }
}

function finish(clock: Stripe.TestHelpers.TestClock, target: number): void {
  clock.frozen_time = target
  clock.status = 'ready'
  clock.status_details = {}
}

/** @param clock null = the server's own */
function run(world: World, clock: string | null, until: number): void {
  const reached = world.reached.get(clock) ?? 0
  if (until < (world.quietUntil.get(clock) ?? 0)) {
    world.reached.set(clock, Math.max(reached, until))
    return
  }
  for (let step = 0; step < stepsMax; step++) {
    const next = firstDue(world, clock)
    if (!next || next.at > until) {
      world.reached.set(clock, Math.max(reached, until))
      world.quietUntil.set(clock, next?.at ?? Number.POSITIVE_INFINITY)
      return
    }
    // What became possible only now, such as the end of a wait for webhooks, does not happen in the past.
    world.at(Math.max(next.at, reached), next.act)
  }
  throw new RangeError('something becomes due without end')
}

/** At the same second: phases of schedules change first, then subscriptions renew, then invoices go on. */
function firstDue(world: World, clock: string | null): Due | undefined {
  let first: Due | undefined
  const consider = (due: Due | undefined) => {
    if (due && (!first || due.at < first.at)) first = due
  }
  const isHere = (testClock: string | Stripe.TestHelpers.TestClock | null | undefined) =>
    (testClock ? idOf(testClock) : null) === clock
  for (const schedule of world.all('schedules'))
    if (isHere(schedule.test_clock)) consider(scheduleDue(world, schedule))
  for (const subscription of world.all('subscriptions'))
    if (isHere(subscription.test_clock)) for (const due of subscriptionDue(world, subscription)) consider(due)
  for (const invoice of world.unsettled) {
    if (invoice.status !== 'draft' && invoice.status !== 'open') world.unsettled.delete(invoice)
    else if (isHere(invoice.test_clock)) consider(invoiceDue(world, invoice))
  }
  if (clock === null) {
    for (const session of world.all('sessions')) consider(sessionDue(world, session))
    consider(reportDue(world))
  }
  return first
}

function invoiceDue(world: World, invoice: Stripe.Invoice): Due | undefined {
  const at = finalizesAt(world, invoice) ?? (invoice.status === 'open' ? invoice.next_payment_attempt : null)
  return at === null || at === undefined ? undefined : { at, act: () => advanceInvoice(world, invoice) }
}
