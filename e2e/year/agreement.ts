/**
 * Compares Stripe's invoices with `bill()`, and what accounts may do with what they pay for. What is compared with is
 * read from the test server's own tables, by no code of the control plane.
 */
import { readAccount } from '@porttunneler/shared/control/accounts'
import { type Bill, type BillInput, bill } from '@porttunneler/shared/control/money/bill'
import { billInputOf } from '@porttunneler/shared/control/money/billing-period'
import { type ComparedLine, lineDifferences } from '@porttunneler/shared/control/money/line-differences'
import { limitsOf } from '@porttunneler/shared/control/plans'
import type { Period, Person } from './person.ts'
import { dayMs, type StripeLine, type StripeWorld, type YearWorld } from './world.ts'

/** An event that is lost is made good within a week. */
export const madeGoodMs = 8 * dayMs
const graceMs = 7 * dayMs

/** Lines of all invoices that were made for good. Kept by customer and by the id of the invoice. */
function linesOf(
  { stripe: { world } }: YearWorld,
  customer: string,
): readonly (ComparedLine & { finalAt: number })[] {
  return world.all('invoices').flatMap((invoice) => {
    const finalAt = invoice.status_transitions.finalized_at
    if (invoice.customer !== customer || finalAt === null || invoice.status === 'void') return []
    return invoice.lines.data.map((line) => ({
      price: keyOf(world, line),
      isProration: line.parent?.subscription_item_details?.proration ?? false,
      from: line.period.start * 1_000,
      to: line.period.end * 1_000,
      quantity: BigInt(line.quantity ?? 0),
      amount: BigInt(line.amount),
      finalAt: finalAt * 1_000,
    }))
  })
}

function keyOf({ tables }: StripeWorld, { pricing }: StripeLine): string {
  const price = pricing?.price_details?.price
  const id = typeof price === 'string' ? price : (price?.id ?? '')
  return tables.prices.get(id)?.lookup_key ?? id
}

/** A period that is over, long enough ago for everything about it to be final. @returns what does not agree */
export async function compareBill(
  world: YearWorld,
  person: Person,
  period: Period,
): Promise<readonly string[]> {
  const all = linesOf(world, person.customer())
  const flat = all.filter(({ price, to }) => !isTransfer(price) && to === period.end)
  const metered = all.filter(({ price, from }) => isTransfer(price) && from === period.start)
  const finalAt = Math.max(0, ...metered.map((line) => line.finalAt))
  const input = async (before: number) => inputOf(world, person, { period, before })
  const name = `${person.email} ${new Date(period.start).toISOString()}`
  const wanted = bill(await input(0))
  const wrong = [
    ...lineDifferences(
      flat,
      wanted.lines.filter(({ kind }) => kind !== 'transfer'),
    ),
  ]
  if (metered.length > 0) {
    // What had come two looks before was reported for sure; what came later than the invoice was forgiven.
    const sure = transferOf(bill(await input(finalAt - 2 * world.stepMs)))
    const most = transferOf(bill(await input(finalAt)))
    wrong.push(...compareTransfer(metered, sure, most))
  }
  return wrong.map((text) => `${name}: ${text}`)
}

/** Each line is rounded on its own. */
const taxSlack = 0.5

/**
 * Final invoices: what people read of them is what Stripe has, and tax is what their place asks for on top of each
 * line, whatever we sell.
 */
export async function compareTaxes(world: YearWorld, person: Person): Promise<readonly string[]> {
  const { stripe, t } = world
  const customer = person.customer()
  const shown = new Map((await t.control.payments.listInvoices(customer)).map((one) => [one.id, one]))
  return stripe.world.all('invoices').flatMap((invoice) => {
    if (invoice.customer !== customer || invoice.status === 'draft' || invoice.status === 'void') return []
    const lines = invoice.lines.data.map(({ amount }) => amount)
    const net = lines.reduce((sum, amount) => sum + amount, 0)
    const tax = invoice.total - net
    const name = `${person.email} ${invoice.number}`
    const seen = shown.get(invoice.id)
    return [
      ...(Math.abs(tax - net * person.tax) > taxSlack * lines.length + 0.001
        ? [`${name}: tax of ${tax} on ${net}, at ${person.tax}`]
        : []),
      ...(seen?.total === invoice.total && seen.tax === tax ? [] : [`${name}: people read ${seen?.total}`]),
    ]
  })
}

function isTransfer(price: string): boolean {
  return price.startsWith('pt:transfer:')
}

async function inputOf(
  world: YearWorld,
  person: Person,
  { period, before }: { readonly period: Period; readonly before: number },
): Promise<BillInput> {
  const hours = new Map<number, bigint>()
  for (const { hour, bytes, arrivedAt } of person.carried)
    if (arrivedAt <= before) hours.set(hour, (hours.get(hour) ?? 0n) + BigInt(bytes))
  const { start, end, cutAt } = period
  const span = { start, end, ...(cutAt !== undefined && { cutAt }) }
  const input = await billInputOf(world.t.control, period.doc, { period: span, hours })
  if (!input) throw new RangeError('a subscription in no currency of ours')
  return input
}

function transferOf({ lines }: Bill): { readonly quantity: bigint; readonly amount: bigint } {
  return lines.find(({ kind }) => kind === 'transfer') ?? { quantity: 0n, amount: 0n }
}

function compareTransfer(
  lines: readonly ComparedLine[],
  sure: ReturnType<typeof transferOf>,
  most: ReturnType<typeof transferOf>,
): readonly string[] {
  const quantity = lines.reduce((sum, line) => sum + line.quantity, 0n)
  const amount = lines.reduce((sum, line) => sum + line.amount, 0n)
  if (quantity < sure.quantity || quantity > most.quantity)
    return [`transfer of ${quantity} MB is billed, and relays carried ${sure.quantity} to ${most.quantity}`]
  return amount < sure.amount || amount > most.amount
    ? [`transfer costs ${amount}, not ${sure.amount} to ${most.amount}`]
    : []
}

/** What the account should have by Stripe's tables: "plan seats". */
export function paidFor({ stripe: { world }, now }: YearWorld, customer: string): string {
  const live = world
    .all('subscriptions')
    .filter((one) => one.customer === customer && ['trialing', 'active', 'past_due'].includes(one.status))
  const [one] = live
  if (!one) return 'free 1'
  const open = world
    .all('invoices')
    .filter((invoice) => invoice.customer === customer && invoice.status === 'open')
  const since = Math.min(...open.map(({ status_transitions: at }) => (at.finalized_at ?? 0) * 1_000))
  if (one.status === 'past_due' && since + graceMs <= now()) return 'free 1'
  const items = one.items.data.map(({ price, quantity = 1 }) => ({ key: price.lookup_key ?? '', quantity }))
  const seats = items.find(({ key }) => key.includes('-seats:'))?.quantity ?? 0
  const plan = items.find(({ key }) => !key.includes('-seats:') && !isTransfer(key))?.key.split(':')[1] ?? ''
  return `${plan} ${seats + (plan === 'team' ? 3 : 1)}`
}

/** What it has: the same words. */
export async function has({ t }: YearWorld, account: string): Promise<string> {
  const { data } = await readAccount(t.control, account)
  return `${data.plan} ${limitsOf(data).seats}`
}
