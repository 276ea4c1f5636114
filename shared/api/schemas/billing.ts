/** Paying for a plan: what is paid, what it will come to, and what people do about it. */
import { z } from 'zod'
import { timeSchema as time } from './common.ts'

const amount = z.string().describe('Minor units, such as cents, as a text; below 0: given back')
const interval = z.enum(['month', 'year'])
const choice = {
  plan: z.string().max(32),
  interval,
  seats: z.int().min(1).max(10_000),
}

export const billingSchema = z.object({
  isOn: z.boolean().describe('false: nothing can be bought on this server'),
  state: z
    .enum(['free', 'trial', 'active', 'pastDue', 'limited'])
    .describe(
      'pastDue: an invoice is open, and everything goes on for a week. limited: the free plan, nothing is deleted',
    ),
  plan: z.string(),
  interval: interval.optional(),
  currency: z.string().optional(),
  seats: z.int().optional(),
  periodEnd: time.optional(),
  trialEnd: time.optional(),
  limitedFrom: time.optional().describe('When the free plan applies if the open invoice is not paid'),
  cancelAt: time.optional(),
  next: z
    .object({ ...choice, at: time })
    .optional()
    .describe('The change that waits for the next period'),
  cap: amount.optional().describe('The most that transfer beyond the plan may cost in a period; begins at 0'),
  capNow: amount.optional().describe('How much of it counts: less until three invoices are paid'),
  capMax: amount.optional(),
})
export type Billing = z.infer<typeof billingSchema>

const billSchema = z.object({
  lines: z.array(
    z.object({
      kind: z.enum(['plan', 'seats', 'transfer']),
      isProration: z.boolean().describe('It corrects what was paid at the start of the period'),
      from: time,
      to: time,
      quantity: z.string().describe('Seats, megabytes, or 1'),
      amount,
    }),
  ),
  subtotal: amount.describe('Without tax'),
})
export const billingPeriodSchema = z.object({
  start: time,
  end: time,
  currency: z.string(),
  includedMB: z.string(),
  usedMB: z.string(),
  soFar: billSchema.describe('What the invoice has now'),
  forecast: billSchema.describe('What it will have if transfer goes on as it has until now'),
})

export const checkoutSchema = z.object({
  plan: choice.plan,
  interval: choice.interval,
  seats: choice.seats.default(1),
  currency: z
    .string()
    .regex(/^[a-z]{3}$/, 'a currency such as usd')
    .default('usd'),
})
export const pageLinkSchema = z.object({ url: z.url() })
export const planChangeSchema = z.object({
  ...choice,
  seats: choice.seats.default(1),
  dryRun: z.boolean().default(false).describe('Only say what it costs'),
})
export const planChangedSchema = z.object({
  when: z.enum(['now', 'later', 'end', 'kept']),
  at: time,
  due: amount.describe('To pay now, with tax; told by a dry run'),
  currency: z.string(),
})
export const capSchema = z.object({
  cap: z
    .string()
    .regex(/^\d{1,9}(\.\d{1,9})?$/, 'an amount such as "25.00"')
    .describe('Major units, in the currency of the subscription'),
})
export const invoicesSchema = z.object({
  items: z.array(
    z.object({
      id: z.string(),
      number: z.string(),
      state: z.enum(['draft', 'open', 'paid', 'void', 'uncollectible']),
      currency: z.string(),
      createdAt: time,
      total: amount,
      tax: amount,
      url: z.string().describe("The payment service's page of it; empty for a draft"),
      pdf: z.string().describe('Where the invoice can be downloaded; empty for a draft'),
    }),
  ),
})
