/** Accounts, the signed-in principal, API keys, local sign-in, device login (RFC 8628). */
import { z } from 'zod'
import { idSchema, timeSchema } from './common.ts'

export const roles = ['owner', 'admin', 'member'] as const
export type Role = (typeof roles)[number]

/** What a key may do. `tunnels` claims and serves, `read` only looks, `admin` changes everything of the account. */
export const scopes = ['read', 'tunnels', 'admin'] as const
export type Scope = (typeof scopes)[number]

export const emailSchema = z.email().max(254)
/** NIST SP 800-63B: length matters, composition rules do not. */
const passwordSchema = z.string().min(10).max(200)

export const meSchema = z.object({
  user: idSchema('usr').optional().describe('Absent when an API key speaks for the account itself'),
  email: z.string().optional(),
  emailVerified: z.boolean().optional(),
  account: idSchema('acc'),
  accountName: z.string(),
  role: z.enum(roles),
  scopes: z.array(z.enum(scopes)),
  plan: z.string(),
  limits: z.object({
    tunnelsOnline: z.int(),
    reservedHosts: z.int(),
    reservedPorts: z.int(),
    transferBytesMonth: z.int(),
    connectionsPerMinute: z.int(),
  }),
})
export type Me = z.infer<typeof meSchema>

export const registerSchema = z.strictObject({ email: emailSchema, password: passwordSchema })
export const loginSchema = z.strictObject({ email: emailSchema, password: z.string().min(1).max(200) })
export const tokensSchema = z.object({
  accessToken: z.string(),
  expiresIn: z.int().describe('Seconds'),
  refreshToken: z.string(),
})
export type Tokens = z.infer<typeof tokensSchema>
export const refreshSchema = z.strictObject({ refreshToken: z.string().max(200) })
export const logoutSchema = z.strictObject({
  everywhere: z.boolean().default(false),
  refreshToken: z.string().max(200).optional(),
})
export const passwordChangeSchema = z.strictObject({ current: z.string().max(200), next: passwordSchema })
export const passwordResetSchema = z.strictObject({ email: emailSchema })
export const passwordResetConfirmSchema = z.strictObject({
  token: z.string().max(200),
  password: passwordSchema,
})

export const keyNameSchema = z.string().trim().min(1).max(80)
export const keySchema = z.object({
  id: idSchema('key'),
  name: keyNameSchema,
  scopes: z.array(z.enum(scopes)).min(1),
  createdAt: timeSchema,
  lastUsedDay: z.string().optional().describe('UTC day of the last use, YYYY-MM-DD'),
  hint: z.string().describe('The last four characters of the secret'),
})
export type Key = z.infer<typeof keySchema>
export const keyCreateSchema = z.strictObject({ name: keyNameSchema, scopes: z.array(z.enum(scopes)).min(1) })
export const keyCreatedSchema = keySchema.extend({ secret: z.string().describe('Shown this once') })

/** RFC 8628 section 3.2. Field names are the standard's. */
export const deviceAuthorizationSchema = z.object({
  device_code: z.string(),
  user_code: z.string(),
  verification_uri: z.string(),
  verification_uri_complete: z.string(),
  expires_in: z.int(),
  interval: z.int(),
})
export type DeviceAuthorization = z.infer<typeof deviceAuthorizationSchema>
export const deviceAuthorizationRequestSchema = z.object({
  client_id: z.literal('ptun'),
  scope: z.string().max(100).optional(),
  /** What the approval page shows: "ptun on <device>". An extension of ours. */
  device: z.string().max(80).optional(),
})
export const deviceTokenRequestSchema = z.object({
  grant_type: z.literal('urn:ietf:params:oauth:grant-type:device_code'),
  device_code: z.string().max(200),
  client_id: z.literal('ptun'),
})
/** The access token is an API key's secret: it does not expire, and is listed and revoked like any key. */
export const deviceTokenSchema = z.object({
  access_token: z.string(),
  token_type: z.literal('Bearer'),
  scope: z.string(),
  key_id: idSchema('key'),
})
/** RFC 6749 section 5.2 and RFC 8628 section 3.5. */
export const oauthErrorSchema = z.object({
  error: z.enum([
    'authorization_pending',
    'slow_down',
    'access_denied',
    'expired_token',
    'invalid_grant',
    'invalid_request',
  ]),
  error_description: z.string().optional(),
})
export const devicePendingSchema = z.object({
  userCode: z.string(),
  device: z.string(),
  scopes: z.array(z.enum(scopes)),
  createdAt: timeSchema,
  from: z.string().describe('Address the request came from'),
})
export const deviceDecisionSchema = z.strictObject({ userCode: z.string().max(20), approve: z.boolean() })
