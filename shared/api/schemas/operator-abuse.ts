/** What operators ask for about abuse: the tunnel behind an address, takedowns, and what people reported. */
import { z } from 'zod'
import { tunnelKinds } from '../../protocol/endpoint.ts'
import { idSchema, pageQuerySchema, timeSchema } from './common.ts'
import { decisions, reportKindNames } from './report-words.ts'
import { tunnelSchema } from './tunnels.ts'

const kindSchema = z.enum(tunnelKinds)
export const takeDownSchema = z.strictObject({
  reason: z
    .string()
    .trim()
    .min(3)
    .max(500)
    .describe('The owners of the account are told it; it goes into the audit log'),
})
export const operatorTunnelParamsSchema = z.object({ tunnel: idSchema('tun') })
export const tunnelAtQuerySchema = z.object({
  at: z
    .string()
    .trim()
    .min(1)
    .max(2_000)
    .describe(
      'What a visitor sees, such as https://shop.example.com/login or tcp.example.com:20001; or an id',
    ),
})
const takenDownShape = {
  takenDownAt: timeSchema,
  reason: z.string().describe('As the owners are told'),
  by: z.string().describe('The operator'),
}
export const foundTunnelSchema = z.object({
  id: idSchema('tun'),
  name: z.string(),
  kind: kindSchema,
  state: tunnelSchema.shape.state,
  url: z.string().optional().describe('Omitted for one that has no address now'),
  createdAt: timeSchema,
  account: idSchema('acc'),
  accountName: z.string(),
  accountStatus: z.enum(['active', 'suspended', 'closed']),
  takenDownAt: takenDownShape.takenDownAt.optional(),
  reason: takenDownShape.reason.optional(),
  by: takenDownShape.by.optional(),
})
export const takedownsQuerySchema = pageQuerySchema
export const takedownSchema = z.object({
  id: idSchema('tun'),
  name: z.string(),
  kind: kindSchema,
  url: z.string().optional(),
  account: idSchema('acc'),
  ...takenDownShape,
})

const caseStates = ['open', ...decisions] as const
export const reportsQuerySchema = pageQuerySchema.extend({
  state: z.enum(caseStates).optional().describe('Default: open. Not together with `account`'),
  account: idSchema('acc').optional().describe('Of this account alone, in whatever state'),
})
export const reportParamsSchema = z.object({ report: idSchema('rep') })
export const reportSchema = z.object({
  id: idSchema('rep'),
  address: z.string(),
  kinds: z.array(z.enum(reportKindNames)),
  count: z.int().describe('How many reported it'),
  firstAt: timeSchema,
  lastAt: timeSchema,
  state: z.enum(caseStates),
  account: z.string().describe("Who had the address when it was first reported; '' = nobody"),
  tunnel: z.string().describe("'' = none"),
})
export const reportPageSchema = reportSchema.extend({
  reports: z
    .array(
      z.object({
        at: timeSchema,
        kind: z.enum(reportKindNames),
        text: z.string(),
        wantsAnswer: z.boolean().describe('Gets a mail when it is decided'),
      }),
    )
    .describe('The newest 20; whoever says the same again is only counted'),
  decidedBy: z.string().optional(),
  decidedAt: timeSchema.optional(),
  reason: z.string().optional(),
  tunnelNow: foundTunnelSchema.optional().describe('Omitted when it was deleted'),
  owner: z
    .object({
      id: idSchema('acc'),
      name: z.string(),
      plan: z.string(),
      status: z.enum(['active', 'suspended', 'closed']),
      createdAt: timeSchema,
      owners: z.array(z.string()),
      mailProven: z.boolean().describe('Whether every owner has proven the mail address'),
      tunnels: z.int(),
      online: z.int(),
      usedBytes: z.number().optional().describe('In this period; omitted where the plan has no limit'),
    })
    .optional(),
  earlier: z
    .array(reportSchema.extend({ reason: z.string().optional() }))
    .describe('Other cases of the same account, the newest 50'),
})
export const decideSchema = z.strictObject({
  decision: z.enum(decisions),
  reason: takeDownSchema.shape.reason.describe(
    'It goes into the audit log; owners are told it with a warning or a takedown',
  ),
})
