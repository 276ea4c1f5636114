/** Invitations into an account. */
import { z } from 'zod'
import { roles } from './access.ts'
import { emailSchema } from './accounts.ts'
import { idSchema, timeSchema } from './common.ts'

const invitationIdSchema = z.string().regex(/^tin_[0-9a-f]{40}$/)
export const invitationParamsSchema = z.object({ invitation: invitationIdSchema })
export const inviteSchema = z.strictObject({ email: emailSchema, role: z.enum(roles).default('developer') })
export const invitationSchema = z.object({
  id: invitationIdSchema,
  email: z.string(),
  role: z.enum(roles),
  by: z.string().describe('Address of the person who invited'),
  state: z
    .enum(['open', 'void', 'expired'])
    .describe('void: whoever invited may not invite any more; inviting again mends it'),
  createdAt: timeSchema,
  expiresAt: timeSchema,
})
export type Invitation = z.infer<typeof invitationSchema>
export const invitationsSchema = z.object({ items: z.array(invitationSchema) })
export const invitationTokenSchema = z.strictObject({
  token: z.string().max(200).describe('From the mailed link'),
})
/** What the invited person sees. */
export const invitedSchema = z.object({ accountName: z.string(), role: z.enum(roles), by: z.string() })
export const joinedSchema = z.object({ account: idSchema('acc'), role: z.enum(roles) })
