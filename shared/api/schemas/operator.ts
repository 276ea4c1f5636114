/** What operators ask for in the console: people, accounts, notes about both. */
import { z } from 'zod'
import { roles } from './access.ts'
import { memberSchema } from './accounts.ts'
import { idSchema, pageQuerySchema, timeSchema } from './common.ts'
import { tunnelSchema } from './tunnels.ts'

const leavingAtSchema = timeSchema.optional().describe('Its deletion can be undone until then')
const reasonSchema = z.string().trim().min(3).max(500).describe('It goes into the audit log')
const aboutSchema = z.string().regex(/^(usr|acc)_[0-9a-z]{26}$/)

export const peopleQuerySchema = pageQuerySchema.extend({
  who: z.string().trim().min(1).max(254).describe('The beginning of an e-mail address, or an id (usr_…)'),
})
export const operatorPersonSchema = z.object({
  id: idSchema('usr'),
  email: z.string(),
  emailVerified: z.boolean(),
  status: z.enum(['active', 'disabled']),
  leavingAt: leavingAtSchema,
  accounts: z.array(z.string()),
})
const accountRowShape = {
  id: idSchema('acc'),
  name: z.string(),
  plan: z.string(),
  status: z.enum(['active', 'suspended', 'closed']),
}
export const accountsQuerySchema = pageQuerySchema.extend({
  who: z.string().trim().min(1).max(100).describe('The beginning of a name, or an id (acc_…)'),
})
export const accountRowSchema = z.object({ ...accountRowShape, createdAt: timeSchema })
export const operatorPersonPageSchema = operatorPersonSchema.extend({
  operator: z.boolean(),
  factor: z.boolean().describe('Has a second factor'),
  recovering: z.boolean().optional().describe('Lost every factor and waits to get in without one'),
  providers: z.array(z.string()).describe('How they can sign in'),
  accounts: z.array(
    z.object({ ...accountRowShape, role: z.enum(roles), member: z.enum(['active', 'disabled']) }),
  ),
  signIns: z
    .array(
      z.object({
        method: z.string(),
        signedInAt: timeSchema,
        lastUsedAt: timeSchema.describe('To the hour'),
        from: z.string().describe('Network, a /24 or /64'),
        device: z.string(),
      }),
    )
    .describe('Where they are signed in, the last used first'),
})
const countSchema = z.int().min(0)
const accountFlagSchema = z.object({
  flag: z.string(),
  does: z.string(),
  on: z.boolean().describe('Whether the account has it now'),
  set: z.enum(['on', 'off', 'share']).describe('For this account: always, never, or as the share decides'),
  percent: z.number().describe('The share of accounts that have it'),
  killed: z.boolean().describe('Nobody has it, whatever else is set'),
})
export const operatorAccountSchema = z.object({
  ...accountRowShape,
  createdAt: timeSchema,
  leavingAt: leavingAtSchema,
  members: z.array(memberSchema),
  limits: z.record(z.string(), z.number()).describe('What is in force now'),
  overrides: z.array(z.string()).describe('Those that an operator changed for this account'),
  counts: z
    .object({ tunnels: countSchema, online: countSchema, keys: countSchema, domains: countSchema })
    .describe('`online`: tunnels that an agent holds'),
  tunnels: z
    .array(
      tunnelSchema.pick({ id: true, name: true, kind: true, state: true, endpoint: true, holders: true }),
    )
    .describe('The newest 50, with the agents that hold them'),
  flags: z.array(accountFlagSchema).describe('Every flag of this release'),
})
export const operatorAccountParamsSchema = z.object({ account: idSchema('acc') })
export const operatorPersonParamsSchema = z.object({ person: idSchema('usr') })
export const operatorReasonSchema = z.strictObject({ reason: reasonSchema })

export const notesQuerySchema = z.object({ about: aboutSchema })
export const noteAddSchema = z.strictObject({ about: aboutSchema, text: z.string().trim().min(1).max(2_000) })
export const noteParamsSchema = z.object({ note: idSchema('not') })
export const notesSchema = z.object({
  items: z.array(z.object({ id: idSchema('not'), text: z.string(), by: z.string(), at: timeSchema })),
})

export const viewBeginSchema = z.strictObject({
  account: idSchema('acc'),
  person: idSchema('usr').optional().describe('A member to see it as; without one: as an owner'),
  reason: reasonSchema,
})
export const viewSchema = z.object({
  id: idSchema('viw').describe('Value of the header PortTunneler-View'),
  account: idSchema('acc'),
  accountName: z.string(),
  person: idSchema('usr').optional(),
  email: z.string().optional(),
  startedAt: timeSchema,
  endsAt: timeSchema,
})
export const viewNowSchema = z.object({ view: viewSchema.optional() })

export const driftSchema = z.object({
  accounts: z.array(
    z.object({
      account: idSchema('acc'),
      customer: z.string().describe('The id at the payment service'),
      since: timeSchema,
      drift: z.array(z.string()).describe('What differs, in words'),
    }),
  ),
  more: z.boolean().describe('There are more than these 20; nothing is put right then'),
})
