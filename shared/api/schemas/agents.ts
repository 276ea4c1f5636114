/** Agents: the programs that serve tunnels, each on its machine. */
import { z } from 'zod'
import { idSchema, timeSchema, tunnelNameSchema } from './common.ts'
import { holderSchema } from './tunnels.ts'

const agentSchema = z.object({
  id: idSchema('agt'),
  host: z.string().optional().describe('Name of its machine; older agents do not say'),
  system: z.string().optional().describe('As Node names it: linux, darwin, win32'),
  version: z.string().optional().describe('Version of ptun'),
  from: z.string().describe('Address that it claimed from; empty when it is not known'),
  since: timeSchema.describe('When it began to serve the first of its tunnels'),
  lastSeenAt: timeSchema
    .optional()
    .describe('When it left the last relay; omitted while a relay has it, and when nobody knows'),
  state: holderSchema.shape.state.describe('The worst of its tunnels; away: no relay has it'),
  key: z
    .string()
    .describe('Id of the key, or of the person, whose rights it has; empty when it is not known'),
  tunnels: z.array(
    z.object({
      tunnel: idSchema('tun'),
      name: tunnelNameSchema,
      state: holderSchema.shape.state,
      code: holderSchema.shape.code,
    }),
  ),
  relays: z
    .array(z.object({ relay: z.string(), connected: z.boolean() }))
    .describe('Relays that report, of the cells of its tunnels'),
})
export type Agent = z.infer<typeof agentSchema>
export const agentParamsSchema = z.object({ agent: idSchema('agt') })
export const stoppedAgentSchema = z.object({
  tunnels: z.array(tunnelNameSchema).describe('Those that it served until now'),
})
export const agentsSchema = z.object({ items: z.array(agentSchema) })
