/** What operators read about the whole service: money and transfer, who carries most, security events, dependencies. */
import { z } from 'zod'
import { idSchema, pageQuerySchema, timeSchema } from './common.ts'

const count = z.int().min(0)
const daySchema = z.string().regex(/^\d{4}-\d{2}-\d{2}$/)

export const revenueSchema = z.object({
  months: z
    .array(
      z.object({
        month: z.string().describe('YYYY-MM, UTC'),
        days: count.describe('Days that are in it; a day when no server ran is not'),
        lastDay: daySchema.describe('Counts are those of this day'),
        madeAt: timeSchema,
        plans: z.array(
          z.object({
            plan: z.string(),
            accounts: count,
            paying: count,
            trial: count,
            online: count.describe('Tunnels with a lease'),
            recurring: z
              .record(z.string(), z.int())
              .describe(
                'What those who pay will have paid in a month: minor units by currency, without transfer',
              ),
            bytes: count.describe('Carried in these days, both ways'),
            netMicros: z
              .int()
              .describe(
                "Millionths of a US dollar: these days' part of the recurring amounts, after fees and included tax",
              ),
            costMicros: count.describe(
              "The same, of what transfer and tunnels cost by the catalogue's cost figures",
            ),
          }),
        ),
      }),
    )
    .describe('The newest first, 13 at most'),
})

export const talkersQuerySchema = z.object({ day: daySchema.optional().describe('UTC; default: the newest') })
export const talkersSchema = z.object({
  day: daySchema.optional().describe('Omitted while there are no figures yet'),
  madeAt: timeSchema.optional(),
  newest: daySchema.optional().describe('The newest day that has figures; days are kept 40 days'),
  items: z
    .array(
      z.object({
        account: idSchema('acc'),
        name: z.string().optional().describe('Omitted when the account is gone'),
        plan: z.string().optional(),
        status: z.enum(['active', 'suspended', 'closed']).optional(),
        bytes: count.describe('Both ways'),
        opened: count.describe('Connections'),
        refused: count,
      }),
    )
    .describe('Those who carried most first, 50 at most'),
})

export const activitySchema = z.object({
  madeAt: timeSchema.optional().describe('Omitted while there are no figures yet'),
  days: z
    .array(
      z.object({
        day: daySchema,
        accounts: count.describe('That are not closed'),
        active: count.describe('Of which a visitor reached a tunnel on the day'),
        week: count.describe('The same in the seven days that end with this one'),
        month: count.describe('The same in 28 days'),
      }),
    )
    .describe('The oldest first, 91 at most; a day when no server ran is missing'),
  cohorts: z
    .array(
      z.object({
        week: daySchema.describe('The Monday of the week in which these accounts came'),
        accounts: count,
        proven: count.describe('Of which the first person has proven their mail address'),
        tunnel: count.describe('That have a tunnel, or had a visitor'),
        visitor: count.describe('Of which a visitor has reached a tunnel'),
        paying: count,
        weeks: z
          .array(z.int().min(-1))
          .describe('How many were active in their first week, in their second, and so on; -1: not known'),
      }),
    )
    .describe('The oldest first, 13 at most'),
})

export const securityQuerySchema = pageQuerySchema
  .extend({
    account: idSchema('acc').optional(),
    address: z.string().min(1).max(64).optional().describe('Where it came from, as the entries say it'),
    kind: z
      .string()
      .regex(/^[a-z]+\.[a-z_]+$/)
      .max(64)
      .optional(),
  })
  .refine(({ account, address, kind }) => [account, address, kind].filter(Boolean).length <= 1, {
    message: 'give one of account, address and kind, not several',
  })
export const securityEventRowSchema = z.object({
  id: z.string(),
  at: timeSchema,
  account: z.string().describe("'' = the service itself"),
  kind: z.string(),
  actor: z.string(),
  target: z.string(),
  address: z.string(),
  userAgent: z.string().optional(),
  count: z.int().optional().describe('How often it happened in the hour, where it is counted'),
  reason: z.string().optional().describe('That an operator gave'),
})

export const healthListSchema = z.object({
  items: z.array(
    z.object({
      name: z.enum(['store', 'bus', 'signIn', 'mail', 'payments', 'dns', 'certificates', 'alerts']),
      what: z.string().describe('Which service it is'),
      state: z.enum(['ok', 'failing', 'off']).describe('`off`: not set up here'),
      at: timeSchema.describe('When this was found out'),
      ms: count.optional().describe('How long it took to answer'),
      code: z.string().optional().describe('Of what failed last'),
      cause: z.string().optional(),
      cure: z.string().optional(),
      waiting: count.optional().describe('Jobs whose last try failed'),
      dead: count.optional().describe('Jobs that failed for good'),
    }),
  ),
})
