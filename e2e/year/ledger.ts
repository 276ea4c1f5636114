/** Sums of what was invoiced, by plan. */
import type { StripeInvoice, StripeWorld, YearWorld } from './world.ts'

type Sums = { invoices: number; amount: number; credits: number; refunds: number; open: number }
/** By plan; minor units of USD. */
export type Ledger = Readonly<Record<string, Sums>>

export function makeLedger({ stripe: { world } }: Pick<YearWorld, 'stripe'>): Ledger {
  const found: Record<string, Sums> = {}
  const refunded = new Map<string, number>()
  for (const { invoice, amount } of world.all('creditNotes')) {
    const id = typeof invoice === 'string' ? invoice : invoice.id
    refunded.set(id, (refunded.get(id) ?? 0) + amount)
  }
  for (const invoice of world.all('invoices')) {
    if (invoice.status === 'draft' || invoice.status === 'void') continue
    const plan = planOf(world, invoice)
    found[plan] ??= { invoices: 0, amount: 0, credits: 0, refunds: 0, open: 0 }
    const sums = found[plan]
    sums.invoices += 1
    sums.amount += invoice.total
    sums.credits += invoice.lines.data.reduce((sum, { amount }) => sum + Math.min(0, amount), 0)
    sums.refunds += refunded.get(invoice.id) ?? 0
    sums.open += invoice.status === 'open' ? invoice.amount_remaining : 0
  }
  return found
}

/** That of its last line that is a plan's. */
function planOf({ tables }: StripeWorld, { lines }: StripeInvoice): string {
  const keys = lines.data.map(({ pricing }) => {
    const price = pricing?.price_details?.price
    return tables.prices.get(typeof price === 'string' ? price : (price?.id ?? ''))?.lookup_key ?? ''
  })
  const key = keys.findLast((one) => !one.startsWith('pt:transfer:')) ?? 'pt:transfer'
  return key.split(':')[1]?.replace(/-seats$/, '') ?? ''
}

export function sayLedger(ledger: Ledger): string {
  const names = ['invoices', 'amount', 'credits', 'refunds', 'open'] as const
  const rows = Object.entries(ledger).map(([plan, sums]) => [
    plan,
    ...names.map((name) => (name === 'invoices' ? `${sums[name]}` : (sums[name] / 100).toFixed(2))),
  ])
  return [['plan', ...names], ...rows].map((row) => row.map((cell) => cell.padStart(12)).join('')).join('\n')
}
