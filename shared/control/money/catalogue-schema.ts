/**
 * The plan catalogue as an operator writes it (YAML; docs/plans.md). A version pins prices and limits, and never
 * changes once accounts have it. Amounts are texts, so that no reader of YAML makes a fraction of them.
 */
import { z } from 'zod'
import { currencySchema, decimalSchema } from './amounts.ts'

const pricesSchema = z.partialRecord(currencySchema, decimalSchema)
export const planNameSchema = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,31}$/, 'a plan is named in small letters, digits and hyphens')

/** How often a plan is paid. */
export const intervals = ['month', 'year'] as const

/** What some plans have and others have not. */
export const features = ['wildcards', 'teamPolicies', 'auditExport'] as const

/** The audit log's proof relies on it (audit/verify.ts). */
export const auditDaysMin = 7

const countSchema = z.int().min(0).max(10_000_000)

/** Every limit of a plan but its transfer, which is given in GB. docs/plans.md explains each. */
const limitsSchema = z.strictObject({
  tunnelsOnline: countSchema.min(1),
  tunnelsDefined: countSchema.min(1),
  reservedHosts: countSchema,
  reservedPorts: countSchema,
  domains: countSchema,
  connectionsPerMinute: countSchema.min(1),
  connectionsMax: countSchema.min(1),
  keys: countSchema.min(1),
  auditDays: z.int().min(auditDaysMin).max(400),
})

const planSchema = z.strictObject({
  /** As people read it. */
  title: z.string().min(1).max(40),
  limits: limitsSchema,
  /** 10^9 bytes, both directions together; 'unlimited' only where nothing is sold. */
  includedGB: z.union([z.int().min(0).max(1_000_000), z.literal('unlimited')]),
  features: z.array(z.enum(features)).default([]),
  /** Whether people can choose it. One that is not offered is given by operators. */
  offered: z.boolean().default(true),
  /** None: the plan costs nothing. */
  prices: z.strictObject({ month: pricesSchema.optional(), year: pricesSchema.optional() }).default({}),
  /** People with more than `included` pay for each; undefined: the plan does not count members. */
  seats: z
    .strictObject({
      included: z.int().min(1).max(10_000),
      max: z.int().min(1).max(10_000),
      prices: z.strictObject({ month: pricesSchema.optional(), year: pricesSchema.optional() }).default({}),
    })
    .optional(),
  trial: z.strictObject({ days: z.int().min(1).max(90), includedGB: z.int().min(0).max(1_000) }).optional(),
  /** Transfer beyond what is included, by the month; undefined: tunnels stop instead. */
  overage: z.strictObject({ capMax: pricesSchema }).optional(),
})

export const catalogueSchema = z.strictObject({
  version: z.int().min(1).max(1_000_000),
  /** The operator's own costs in US dollars: loading refuses a plan that loses money at full use. */
  costs: z.strictObject({
    /** A GB through relays, both directions counted once. */
    gb: decimalSchema,
    /** A tunnel that is online for a whole month. */
    tunnel: decimalSchema,
    /** The share and the fixed part that the payment service keeps of each payment. */
    feeShare: decimalSchema,
    feeFixed: decimalSchema,
    /** The most that an account may cost in a month whose plan is free and offered. */
    freeMax: decimalSchema,
    /** How much of a currency a US dollar buys. */
    usdTo: z.partialRecord(currencySchema, decimalSchema).default({}),
    /** The highest value added tax that is inside of inclusive prices. */
    vatMax: decimalSchema.default('0'),
  }),
  transfer: z.strictObject({ meter: z.string().regex(/^[a-z0-9_]{1,64}$/), perGB: pricesSchema }).optional(),
  taxBehavior: z.enum(['exclusive', 'inclusive']).default('exclusive'),
  plans: z.record(planNameSchema, planSchema),
})

/** As it is written. */
export type CatalogueFile = z.input<typeof catalogueSchema>
export type Catalogue = z.output<typeof catalogueSchema>
export type Plan = z.output<typeof planSchema>
export type Feature = (typeof features)[number]
export type Interval = (typeof intervals)[number]
