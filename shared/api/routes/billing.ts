/** Paying for a plan. A customer of the payment service belongs to no account's part of the store. */

import { requirePerson } from '../../control/caller.ts'
import type { AccountControl } from '../../control/control.ts'
import type { Bill } from '../../control/money/bill.ts'
import { subscriptions } from '../../control/money/billing-documents.ts'
import { readBillingPeriod } from '../../control/money/billing-period.ts'
import { capMaxOf, setCap } from '../../control/money/capping.ts'
import { graceMs } from '../../control/money/following-rules.ts'
import { changePlan, invoicesOf, openPortal, startCheckout } from '../../control/money/selling.ts'
import { requireFresh } from '../../control/sign-ins/fresh.ts'
import { type ApiDeps, emptyAnswer, jsonAnswer, jsonBody, RouteGroup, route } from '../kit.ts'
import {
  type Billing,
  billingPeriodSchema,
  billingSchema,
  capSchema,
  checkoutSchema,
  invoicesSchema,
  pageLinkSchema,
  planChangedSchema,
  planChangeSchema,
} from '../schemas/billing.ts'

const tags = ['Billing']

const routes = {
  read: route({
    method: 'get',
    path: '/v1/billing',
    operationId: 'readBilling',
    summary: 'What the account pays for',
    tags,
    access: { permission: 'billing.read' },
    responses: { 200: jsonAnswer(billingSchema, 'The subscription, or that there is none') },
  }),
  period: route({
    method: 'get',
    path: '/v1/billing/period',
    operationId: 'readBillingPeriod',
    summary: "What this period's invoice has so far, and what it will have",
    description: 'Computed here, without tax; the invoice has the same lines.',
    tags,
    access: { permission: 'billing.read' },
    rate: 'costly',
    responses: { 200: jsonAnswer(billingPeriodSchema, 'The open period') },
  }),
  invoices: route({
    method: 'get',
    path: '/v1/billing/invoices',
    operationId: 'listInvoices',
    summary: 'Invoices, the newest first',
    tags,
    access: { permission: 'billing.read' },
    rate: 'costly',
    responses: { 200: jsonAnswer(invoicesSchema, 'At most 100') },
  }),
  checkout: route({
    method: 'post',
    path: '/v1/billing/checkout',
    operationId: 'startCheckout',
    summary: 'Open the page where a plan is paid',
    description: 'The plan is in force within seconds of the payment.',
    tags,
    access: { permission: 'billing.write', by: 'person' },
    request: jsonBody(checkoutSchema),
    responses: { 201: jsonAnswer(pageLinkSchema, 'The page of the payment service') },
  }),
  portal: route({
    method: 'post',
    path: '/v1/billing/portal',
    operationId: 'openBillingPortal',
    summary: 'Open the page for card, address, tax id and invoices',
    tags,
    access: { permission: 'billing.write', by: 'person' },
    fresh: true,
    responses: { 201: jsonAnswer(pageLinkSchema, 'The page of the payment service') },
  }),
  change: route({
    method: 'post',
    path: '/v1/billing/change',
    operationId: 'changePlan',
    summary: 'Change plan, interval or seats; the plan free ends the subscription',
    description:
      'More is charged now, for the rest of the period, and in force when it is paid. Less waits for the next ' +
      'period; the present choice takes that back.',
    tags,
    access: { permission: 'billing.write', by: 'person' },
    fresh: 'unless it is a dry run',
    request: jsonBody(planChangeSchema),
    responses: { 200: jsonAnswer(planChangedSchema, 'When it is in force, and what it costs now') },
  }),
  cap: route({
    method: 'post',
    path: '/v1/billing/cap',
    operationId: 'setTransferCap',
    summary: 'Set the most that transfer beyond the plan may cost in a period',
    description: 'It begins at 0: then tunnels stop when the plan is used up, and nothing more is charged.',
    tags,
    access: { permission: 'billing.write', by: 'person' },
    fresh: true,
    request: jsonBody(capSchema),
    responses: emptyAnswer('Set'),
  }),
}

export function billingRoutes({ control: whole }: ApiDeps): RouteGroup {
  return new RouteGroup()
    .add(routes.read, async (c, { caller, control }) => c.json(await describe(control, caller.plan), 200))
    .add(routes.period, async (c, { control }) => c.json(await describePeriod(control), 200))
    .add(routes.invoices, async (c, { control }) => {
      const items = await invoicesOf(whole, control)
      return c.json(
        { items: items.map((one) => ({ ...one, total: `${one.total}`, tax: `${one.tax}` })) },
        200,
      )
    })
    .add(routes.checkout, async (c, { caller, control }) =>
      c.json({ ...(await startCheckout(whole, control, caller, c.req.valid('json'))) }, 201),
    )
    .add(routes.portal, async (c, { caller, control }) =>
      c.json({ ...(await openPortal(whole, control, caller)) }, 201),
    )
    .add(routes.change, async (c, { caller, control }) => {
      const { dryRun, ...choice } = c.req.valid('json')
      if (!dryRun) await requireFresh(whole, requirePerson(caller))
      const done = await changePlan(whole, control, caller, { ...choice, isDry: dryRun })
      return c.json({ ...done, due: `${done.due}` }, 200)
    })
    .add(routes.cap, async (c, { caller, control }) => {
      await setCap(whole, control, caller, c.req.valid('json').cap)
      return c.body(null, 204)
    })
}

async function describe(control: AccountControl, plan: string): Promise<Billing> {
  const isOn = control.payments.kind !== 'none'
  const doc = (await control.store.get(subscriptions.ref(control.store.account)))?.data
  if (!doc || doc.state === 'free') return { isOn, state: 'free', plan }
  const { state, interval, currency, seats, periodEnd, trialEnd, cancelAt, next, cap, capNow } = doc
  const capMax = await capMaxOf(control, doc)
  return {
    isOn,
    state,
    plan: doc.plan,
    interval,
    currency,
    seats,
    periodEnd,
    ...(state === 'trial' && { trialEnd }),
    ...(state === 'pastDue' && { limitedFrom: doc.graceFrom + graceMs }),
    ...(cancelAt > 0 && { cancelAt }),
    ...(next && { next: { ...next } }),
    cap: `${cap}`,
    capNow: `${capNow}`,
    capMax: `${capMax.amount}`,
  }
}

async function describePeriod(control: AccountControl) {
  const period = await readBillingPeriod(control)
  const { start, end, currency, includedMB, usedMB, soFar, forecast } = period
  return {
    start,
    end,
    currency,
    includedMB: `${includedMB}`,
    usedMB: `${usedMB}`,
    soFar: describeBill(soFar),
    forecast: describeBill(forecast),
  }
}

function describeBill({ lines, subtotal }: Bill) {
  return {
    lines: lines.map(({ kind, isProration, from, to, quantity, amount }) => ({
      kind,
      isProration,
      from,
      to,
      quantity: `${quantity}`,
      amount: `${amount}`,
    })),
    subtotal: `${subtotal}`,
  }
}
