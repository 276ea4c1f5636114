/** Alerts of an account, the rules that make them, and windows of maintenance. docs/decisions/0102 */
import { z } from 'zod'
import { idSchema, timeSchema } from './common.ts'

const minuteMs = 60_000

/** What an account is told of. */
export const ownerAlerts = [
  'tunnel.down',
  'tunnel.upstream',
  'tunnel.errors',
  'tunnel.latency',
  'quota.near',
  'quota.reached',
  'domain.failing',
  'certificate.failing',
  'payment.failed',
  'webhook.failing',
] as const
/** What the operators of the service are told of, besides certificates of cells. */
const serviceAlerts = [
  'relay.down',
  'job.dead',
  'job.failing',
  'dependency.failing',
  'backup.overdue',
  'disk.low',
] as const
export type AlertKind = (typeof ownerAlerts)[number] | (typeof serviceAlerts)[number]
export const alertStates = ['firing', 'acknowledged', 'resolved'] as const

const alertIdSchema = idSchema('alr')
export const alertParamsSchema = z.object({ alert: alertIdSchema })
export const alertQuerySchema = z.object({
  state: z.enum(alertStates).optional().describe('Default: all'),
})

export const alertSchema = z.object({
  id: alertIdSchema,
  kind: z.string().describe('Such as tunnel.down'),
  title: z.string(),
  subject: z.string().describe('What it is about: the id of a tunnel, a host, the account'),
  name: z.string().describe('The same for people'),
  state: z.enum(alertStates),
  unsteady: z.boolean().describe('It comes and goes: nobody is told of each time'),
  since: timeSchema.describe('Since when it has been so'),
  last: timeSchema.describe('When the alert changed last'),
  endedAt: timeSchema.optional(),
  toldAt: timeSchema.optional().describe('When its people were told last; omitted: not yet'),
  mutedUntil: timeSchema.optional(),
  cause: z.string(),
  cure: z.string().optional(),
  code: z.string().optional(),
  timeline: z.array(z.object({ at: timeSchema, what: z.string(), by: z.string().optional() })),
})
export type Alert = z.infer<typeof alertSchema>

export const alertCountSchema = z.object({
  firing: z.int().describe('Up to 100'),
  acknowledged: z.int(),
  newest: alertSchema.optional(),
})

/** Longer than that, a rule that is off says better what is meant. */
const muteMsMax = 7 * 24 * 60 * minuteMs
export const alertActSchema = z.discriminatedUnion('act', [
  z.strictObject({ act: z.literal('acknowledge') }),
  z.strictObject({ act: z.literal('resolve') }),
  z.strictObject({ act: z.literal('mute'), forMs: z.int().min(minuteMs).max(muteMsMax) }),
])
export type AlertAct = z.infer<typeof alertActSchema>

const scopeShape = {
  tunnel: idSchema('tun').optional().describe('Only this tunnel'),
  tag: z.string().max(32).optional().describe('Only tunnels with this tag'),
}
const ruleWishSchema = z
  .strictObject({
    kind: z.enum(ownerAlerts),
    ...scopeShape,
    on: z.boolean(),
    threshold: z
      .number()
      .min(0)
      .max(3_600_000)
      .optional()
      .describe('Per cent, or ms; default: the usual one'),
    forMs: z
      .int()
      .min(minuteMs)
      .max(60 * minuteMs)
      .optional()
      .describe('How long it must be so; default: as usual'),
  })
  .refine(({ tunnel, tag }) => tunnel === undefined || tag === undefined, {
    message: 'a rule is for one tunnel or for one tag',
  })
export const rulesWishSchema = z.strictObject({ items: z.array(ruleWishSchema).max(50) })

const ruleSchema = z.object({
  kind: z.string(),
  title: z.string(),
  tunnel: z.string().optional(),
  tag: z.string().optional(),
  on: z.boolean(),
  threshold: z.number().optional(),
  unit: z.enum(['%', 'ms']).optional(),
  forMs: z.int().optional(),
  own: z.boolean().describe('The account has set it; false: it is as usual'),
})
export const rulesSchema = z.object({ items: z.array(ruleSchema), revision: z.int() })
export type AlertRule = z.infer<typeof ruleSchema>

/** A month: whatever is under work for longer needs a rule that is off. */
const windowMsMax = 31 * 24 * 60 * minuteMs
export const windowWishSchema = z
  .strictObject({
    tunnel: idSchema('tun').optional().describe('Default: all of the account'),
    from: timeSchema,
    until: timeSchema,
    note: z.string().trim().max(200).default(''),
  })
  .refine(({ from, until }) => until > from && until - from <= windowMsMax, {
    message: 'it must end after it begins, and last 31 days at most',
  })
export const windowSchema = z.object({
  id: z.string(),
  tunnel: z.string().optional(),
  from: timeSchema,
  until: timeSchema,
  note: z.string(),
  by: z.string(),
})
export type MaintenanceWindow = z.infer<typeof windowSchema>
export const windowsSchema = z.object({ items: z.array(windowSchema) })
export const windowParamsSchema = z.object({ window: idSchema('mnt') })
