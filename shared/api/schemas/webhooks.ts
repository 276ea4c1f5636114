/** Webhooks that get an account's alerts, and what was sent to them. docs/alerts.md */
import { z } from 'zod'
import { idSchema, timeSchema } from './common.ts'

const formatSchema = z
  .enum(['standard', 'slack'])
  .describe('standard: signed events (standardwebhooks.com); slack: a message for a channel')
const urlSchema = z.url({ protocol: /^https$/, error: 'an address that begins with https://' }).max(500)

export const webhookParamsSchema = z.object({ webhook: idSchema('whk') })
export const deliveryParamsSchema = webhookParamsSchema.extend({ delivery: idSchema('dlv') })
export const webhookWishSchema = z.strictObject({
  url: urlSchema,
  format: formatSchema.optional().describe('Default: by the address'),
})
export const webhookChangeSchema = z.strictObject({
  url: urlSchema.optional(),
  format: formatSchema.optional(),
  on: z.boolean().optional().describe('false: nothing is sent'),
})

export const webhookSchema = z.object({
  id: idSchema('whk'),
  url: z.string(),
  format: formatSchema,
  state: z.enum(['active', 'disabled']),
  createdAt: timeSchema,
  rotating: z.boolean().describe('Its former secret signs as well, until a day after the change'),
  failingSince: timeSchema.optional(),
  lastStatus: z.int().optional().describe('Of its last answer; 0: there was none'),
  lastAt: timeSchema.optional(),
})
export type Webhook = z.infer<typeof webhookSchema>
export const webhooksSchema = z.object({ items: z.array(webhookSchema) })
export const webhookSecretSchema = webhookSchema.extend({
  secret: z.string().describe('For checking signatures. It is shown this once'),
})

const deliveryStates = ['waiting', 'delivered', 'dead'] as const
export const deliveryQuerySchema = z.object({
  state: z.enum(deliveryStates).optional().describe('Default: all'),
})

export const deliverySchema = z.object({
  id: idSchema('dlv'),
  type: z.string(),
  state: z.enum(deliveryStates).describe('dead: given up after a day of tries'),
  tries: z.int(),
  createdAt: timeSchema,
  lastAt: timeSchema.optional(),
  nextAt: timeSchema.optional(),
  status: z.int().optional().describe('Of the last answer; 0: there was none'),
  reason: z.string().optional(),
})
export type Delivery = z.infer<typeof deliverySchema>
