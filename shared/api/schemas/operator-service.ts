/** What operators ask for about the service itself: cells and relays, jobs, feature flags, codes of a beta. */
import { z } from 'zod'
import { idSchema, pageQuerySchema, timeSchema } from './common.ts'

const reasonSchema = z.string().trim().min(3).max(500).describe('It goes into the audit log')
const planSchema = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/)
const figure = z.number().min(0).optional()

export const cellsQuerySchema = pageQuerySchema.extend({
  state: z.enum(['open', 'closed']).default('open').describe('A closed one takes no new tunnels'),
})
const relaySchema = z.object({
  relay: idSchema('rel'),
  instance: z.string().describe('The process, where a relay has several'),
  state: z
    .enum(['starting', 'ready', 'draining', 'silent', 'left'])
    .describe('`silent`: not heard of for 2 minutes; `left`: it said so'),
  version: z.string(),
  address: z.string().describe('Where agents dial it'),
  bootAt: timeSchema.describe('When this process was first heard of'),
  seenAt: timeSchema
    .optional()
    .describe('Its last report, which the figures are of; omitted when it has left'),
  load: z.object({
    sessions: z.int().describe('Agents connected'),
    streams: z.int().describe('Visitors connected'),
    cpu: z.number().describe('The share of one core'),
    rssBytes: z.int(),
    memoryBytes: figure.describe('What the process may use'),
    loopMs: figure.describe('99th percentile of how late it gets to what is due'),
    descriptors: figure.describe('Open files and sockets'),
    descriptorsMax: figure,
    bytesPerSecond: figure.describe('Both ways'),
  }),
})
export const operatorCellSchema = z.object({
  id: z.string(),
  state: z.enum(['open', 'closed']),
  host: z.string(),
  domain: z.string(),
  createdAt: timeSchema,
  relays: z.array(relaySchema).describe('Those that need somebody first'),
})
export const cellParamsSchema = z.object({ cell: z.string().regex(/^[a-z0-9-]{1,32}$/) })
export const relayParamsSchema = z.object({ relay: idSchema('rel') })
export const drainedSchema = z.object({
  relay: idSchema('rel'),
  cell: z.string(),
  instances: z.array(z.string()).describe('The processes that got the order'),
})

export const jobsQuerySchema = pageQuerySchema.extend({
  state: z.enum(['live', 'dead']).default('dead').describe('`dead`: it failed for good'),
})
export const jobSchema = z.object({
  id: z.string().describe('Kind and subject'),
  account: z.string().describe("'' = the service itself"),
  attempts: z.int(),
  error: z.string().describe("Of the last try, with its code; '' = none failed"),
  dueAt: timeSchema,
})
export const jobParamsSchema = z.object({ job: z.string().min(1).max(128) })

const flagSchema = z.object({
  flag: z.string(),
  does: z.string(),
  percent: z.number().min(0).max(100).describe('The share of accounts that have it'),
  in: z.array(z.string()).describe('Accounts that have it whatever the share'),
  out: z.array(z.string()).describe('Accounts that do not'),
  killed: z.boolean().describe('Nobody has it, whatever else is set'),
  owner: z.string(),
  removeBy: z.string().describe('A day'),
})
export const flagsSchema = z.object({ items: z.array(flagSchema) })
export const flagParamsSchema = z.object({ flag: z.string().max(64) })
export const flagShareSchema = z.strictObject({ percent: z.number().min(0).max(100) })
export const flagAccountSchema = z.strictObject({
  account: idSchema('acc'),
  value: z.enum(['on', 'off', 'share']).describe('`share`: as the share says'),
})
export const flagKillSchema = z.strictObject({ reason: reasonSchema })

export const invitesQuerySchema = pageQuerySchema
export const inviteSchema = z.object({
  id: z.string(),
  state: z.enum(['open', 'expired', 'revoked']),
  taken: z.int().describe('Accounts that came by it'),
  places: z.int(),
  plan: z.string(),
  note: z.string(),
  createdAt: timeSchema,
  expiresAt: timeSchema,
})
const daysSchema = z.int().min(1).max(365).default(30)
export const inviteCreateSchema = z.strictObject({
  places: z.int().min(1).max(200).default(1),
  days: daysSchema,
  plan: planSchema.default('free'),
  note: z.string().trim().max(200).default(''),
})
export const inviteCreatedSchema = z.object({
  id: z.string(),
  code: z.string().describe('Shown only this once'),
  places: z.int(),
  plan: z.string(),
  expiresAt: timeSchema,
})
export const inviteParamsSchema = z.object({ invite: idSchema('inv') })

const waitingStates = ['asked', 'waiting', 'invited', 'came'] as const
export const waitingQuerySchema = pageQuerySchema.extend({
  state: z.enum(waitingStates).default('waiting').describe('`asked`: the address is not proven yet'),
})
export const waitingSchema = z.object({
  email: z.string(),
  state: z.enum(waitingStates),
  at: timeSchema.describe('When it got into this state'),
  invite: z.string().optional(),
  account: z.string().optional().describe('As which it came'),
})
export const inviteWaitingSchema = z.strictObject({
  count: z.int().min(1).max(100),
  plan: planSchema.default('free'),
  days: daysSchema,
})
export const invitedSchema = z.object({
  items: z.array(
    z.object({
      email: z.string(),
      invite: z.string(),
      expiresAt: timeSchema,
      code: z.string().optional().describe('Where no mail is sent, for you to send; shown only this once'),
    }),
  ),
})
