/** A person's sign-ins, which the console calls sessions. */
import { z } from 'zod'
import { timeSchema } from './common.ts'

const signInIdSchema = z.string().regex(/^[0-9a-f]{64}$/)
export const signInParamsSchema = z.object({ signIn: signInIdSchema })
const signInSchema = z.object({
  id: signInIdSchema,
  current: z.boolean().describe('The one that asks'),
  method: z
    .string()
    .describe('password, passkey, custom, other; or oidc: and the provider, such as oidc:google.com'),
  signedInAt: timeSchema,
  lastUsedAt: timeSchema.describe('To the hour'),
  from: z.string().describe('Network of the last use, a /24 or /64; empty when it is not known'),
  device: z.string().describe('Browser and system, as the browser says'),
})
export type SignIn = z.infer<typeof signInSchema>
export const signInsSchema = z.object({ items: z.array(signInSchema) })
export const signInsEndedSchema = z.object({ ended: z.int().describe('How many sessions were ended') })
