/** Host names and ports that an account keeps. */
import { z } from 'zod'
import { hostSchema } from '../../protocol/endpoint.ts'
import { idSchema, timeSchema } from './common.ts'

const cellSchema = z.string().regex(/^[a-z0-9-]{1,32}$/, 'lower-case letters, digits and hyphens, 1 to 32')
const hostTextMax = 1_024

const keptShape = {
  cell: z.string(),
  state: z
    .enum(['unused', 'in_use', 'resting'])
    .describe('resting: it came from another account, whose last tickets are not over yet'),
  tunnel: z
    .object({ id: idSchema('tun'), name: z.string() })
    .optional()
    .describe('The tunnel it was given to, or that has it now'),
  isOnlyFor: z.boolean().optional().describe('Whether no other tunnel of the account can get it'),
  restsUntil: timeSchema.optional(),
  reservedAt: timeSchema,
  revision: z.int().describe('Rises with every change; `"<revision>"` is the ETag'),
}

export const reservedNameSchema = z.object({
  name: z.string().describe('The first part of the host: a tunnel of that name gets it'),
  host: z.string(),
  url: z.string(),
  ...keptShape,
})
export type ReservedName = z.infer<typeof reservedNameSchema>

export const reservedPortSchema = z.object({
  id: z.string().describe('cell:port'),
  port: z.int().min(1).max(65_535),
  host: z.string(),
  url: z.string(),
  ...keptShape,
})
export type ReservedPort = z.infer<typeof reservedPortSchema>

export const nameReserveSchema = z.strictObject({
  name: z
    .string()
    .max(hostTextMax)
    .describe('A name, or a whole host under a domain of this service, in any case'),
  cell: cellSchema.optional().describe('Default: where the tunnel of that name is, or where most room is'),
})
export const portReserveSchema = z.strictObject({
  port: z.int().min(1).max(65_535).optional().describe('Default: any free one'),
  cell: cellSchema.optional().describe('Default: where most room is'),
})
export const keptUpdateSchema = z.strictObject({
  tunnel: idSchema('tun')
    .nullable()
    .describe('The only tunnel that gets it, at once; null: any tunnel of the account that asks for it'),
})
export const keptMoveSchema = z.strictObject({
  account: idSchema('acc').describe('Another account of the same person'),
})

/** Its endpoint's id is `host:` and this, and document ids have at most 128 characters. */
const keptHostMax = 128 - 'host:'.length
export const nameParamsSchema = z.object({ host: hostSchema.max(keptHostMax) })
export const portParamsSchema = z.object({
  port: z
    .string()
    .regex(/^[a-z0-9-]{1,32}:[1-9][0-9]{0,4}$/)
    .describe('cell:port'),
})
