/** Accounts, members, the signed-in principal, API keys, local sign-in, device login (RFC 8628). */
import { z } from 'zod'
import { permissions, roles, scopes } from './access.ts'
import { idSchema, timeSchema, tunnelNameSchema } from './common.ts'

export const emailSchema = z.email().max(254)
/** NIST SP 800-63B: length matters, composition rules do not. */
const passwordSchema = z.string().min(10).max(200)

export const meSchema = z.object({
  user: idSchema('usr').optional().describe('Absent when an API key speaks for the account itself'),
  email: z.string().optional(),
  emailVerified: z.boolean().optional(),
  operator: z.boolean().optional().describe('Whether this person may act as an operator of the service'),
  termsDue: timeSchema
    .optional()
    .describe('From then on the person, or the maker of the key, needs terms that are not accepted yet'),
  account: idSchema('acc'),
  member: z.string().optional().describe('Whose rights these are: a person, or the owner of the key'),
  accountName: z.string(),
  role: z.enum(roles),
  scopes: z.array(z.enum(scopes)).describe('Of a key; a person has none'),
  permissions: z.array(z.enum(permissions)).default([]).describe('What this bearer may do now'),
  tunnels: z.array(z.string()).optional().describe('The only tunnels of a bound key, by name'),
  view: z
    .object({ startedAt: timeSchema, endsAt: timeSchema })
    .optional()
    .describe('An operator asks, who looks at the account as its people see it'),
  plan: z.string(),
  limits: z.object({
    tunnelsOnline: z.int(),
    reservedHosts: z.int(),
    reservedPorts: z.int(),
    domains: z.int().default(0).describe('Own domains, verified or not'),
    transferBytesMonth: z.int(),
    connectionsPerMinute: z.int(),
  }),
})
export type Me = z.infer<typeof meSchema>

const inviteCodeSchema = z.string().trim().min(1).max(200)
export const registerSchema = z.strictObject({
  email: emailSchema,
  code: inviteCodeSchema.optional().describe('The invite code, where accounts are by invitation'),
  invitation: z
    .string()
    .max(200)
    .optional()
    .describe(
      'Token of an invitation to this address into an account: for servers where strangers make none',
    ),
})
export const waitListJoinSchema = z.strictObject({ email: emailSchema })
export const waitListConfirmSchema = z.strictObject({ token: z.string().max(200) })
export const accountCreateSchema = z.strictObject({ code: inviteCodeSchema })
export const registerConfirmSchema = z.strictObject({ token: z.string().max(200), password: passwordSchema })
export const loginSchema = z.strictObject({ email: emailSchema, password: z.string().min(1).max(200) })
export const tokensSchema = z.object({
  accessToken: z.string(),
  expiresIn: z.int().describe('Seconds'),
  refreshToken: z.string(),
})
export type Tokens = z.infer<typeof tokensSchema>
export const refreshSchema = z.strictObject({ refreshToken: z.string().max(200) })
const endKeysSchema = z
  .boolean()
  .optional()
  .describe('Also ends your API keys, those of services in accounts that only you own, and their tunnels')
/** What a service sent the browser back with, and both halves of the attempt that began it. */
const returnedShape = {
  state: z.string().max(200),
  secret: z.string().max(200).describe('From the answer that began it'),
  code: z.string().min(1).max(4_000).optional(),
  iss: z.string().max(1_000).optional().describe('RFC 9207'),
  error: z.string().max(200).optional(),
}
export const socialBegunSchema = z.object({
  url: z.string().describe('Where the browser goes'),
  state: z.string().describe('Comes back with the browser'),
  secret: z.string().describe('Stays in the tab that asked, and finishes the sign-in'),
})
export const socialReturnSchema = z.strictObject(returnedShape)
export const socialFinishSchema = socialReturnSchema.extend({
  invite: inviteCodeSchema.optional().describe('The invite code, where accounts are by invitation'),
  invitation: z.string().max(200).optional().describe('Token of an invitation to the address'),
})
const linkIdSchema = z.string().regex(/^oidc\.[a-z][a-z0-9-]{0,30}:[0-9a-f]{64}$/)
export const linkParamsSchema = z.object({ link: linkIdSchema })
export const providerParamsSchema = z.object({ provider: z.string().max(40) })
export const linksSchema = z.object({
  hasPassword: z.boolean().describe('Whether the person can also sign in with a password'),
  items: z.array(
    z.object({
      id: linkIdSchema,
      provider: z.string(),
      name: z.string().describe('Of the service, for people'),
      email: z.string().optional().describe('What the service said when it was linked'),
      linkedAt: timeSchema,
    }),
  ),
})
export const logoutSchema = z.strictObject({
  everywhere: z.boolean().default(false),
  refreshToken: z.string().max(200).optional(),
  endKeys: endKeysSchema.describe('Only together with `everywhere`'),
})
export const passwordChangeSchema = z.strictObject({
  current: z.string().max(200),
  next: passwordSchema,
  endKeys: endKeysSchema,
})
/** What a signed-in person shows again. */
export const confirmSchema = z.strictObject({ password: z.string().min(1).max(200) })
/** The same by the ID token of a new sign-in at Firebase. */
export const confirmByTokenSchema = z.strictObject({ token: z.string().max(4_096) })
export const passwordResetSchema = z.strictObject({ email: emailSchema })
export const passwordResetConfirmSchema = z.strictObject({
  token: z.string().max(200),
  password: passwordSchema,
  endKeys: endKeysSchema.describe('As for a new password; and removes linked sign-ins of other services'),
})

const serviceNameSchema = z.string().trim().min(1).max(80)
const memberIdSchema = z
  .string()
  .regex(/^(usr|svc)_[0-9a-z]{26}$/)
  .describe('usr_… a person, svc_… a service member')
export const memberParamsSchema = z.object({ member: memberIdSchema })
export const memberSchema = z.object({
  id: memberIdSchema,
  role: z.enum(roles),
  since: timeSchema,
  status: z.enum(['active', 'disabled']),
  name: z.string().optional().describe('Of a service member'),
  email: z.string().optional().describe('Of a person'),
  mailRefused: z.boolean().optional().describe('A mail server said that nobody has this address'),
  factor: z.boolean().optional().describe('Of a person: has a second factor'),
  recovering: z.boolean().optional().describe('Lost every factor and waits to get in without one'),
})
export type Member = z.infer<typeof memberSchema>
export const membersSchema = z.object({ items: z.array(memberSchema) })
export const serviceCreateSchema = z.strictObject({
  name: serviceNameSchema,
  role: z.enum(['admin', 'developer', 'viewer']).default('developer'),
})
export const memberUpdateSchema = z.strictObject({ role: z.enum(roles) })
export const accountChoicesSchema = z.object({
  items: z.array(
    z.object({
      id: idSchema('acc'),
      name: z.string(),
      plan: z.string(),
      status: z.enum(['active', 'suspended', 'closed']),
      role: z.enum(roles),
      leavingAt: timeSchema
        .optional()
        .describe('An owner asked to delete it, which can be undone until then'),
    }),
  ),
  leavingAt: timeSchema
    .optional()
    .describe('You asked to delete your sign-in, or it has no account: it is erased then'),
})

/** A year, and a day for whoever renews it on the day. */
export const keyDaysMax = 366
export const keyNameSchema = z.string().trim().min(1).max(80)
export const keySchema = z.object({
  id: idSchema('key'),
  name: keyNameSchema,
  scopes: z.array(z.enum(scopes)).min(1),
  tunnels: z.array(tunnelNameSchema).optional().describe('The only tunnels it may touch, by name'),
  member: z.string().optional().describe('Whose it is: its rights are never more than theirs'),
  createdAt: timeSchema,
  lastUsedDay: z.string().optional().describe('UTC day of the last use, YYYY-MM-DD'),
  expiresAt: timeSchema
    .optional()
    .describe('When it ends by itself, as a device login’s does; without it a key ends only when revoked'),
  hint: z.string().describe('The last four characters of the secret'),
})
export type Key = z.infer<typeof keySchema>
/** What a new password does not end by itself. */
export const keysLeftSchema = z.object({ keys: z.array(keySchema) })
export const passwordChangedSchema = tokensSchema.extend(keysLeftSchema.shape)
export const keyCreateSchema = z.strictObject({
  name: keyNameSchema,
  scopes: z.array(z.enum(scopes)).min(1),
  tunnels: z
    .array(tunnelNameSchema)
    .min(1)
    .max(50)
    .optional()
    .describe('Names of the only tunnels it may touch; they need not exist yet'),
  member: memberIdSchema.optional().describe('A service member to own it; default: you'),
  expiresInDays: z
    .int()
    .min(1)
    .max(keyDaysMax)
    .optional()
    .describe('It ends by itself after so many days; default: when it is revoked'),
})
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
  /** Shown on the approval page: "ptun on <device>". Our own extension. */
  device: z.string().max(80).optional(),
})
export const deviceTokenRequestSchema = z.object({
  grant_type: z.literal('urn:ietf:params:oauth:grant-type:device_code'),
  device_code: z.string().max(200),
  client_id: z.literal('ptun'),
})
/** The access token is an API key's secret: it is listed and revoked like any other key. */
export const deviceTokenSchema = z.object({
  access_token: z.string(),
  token_type: z.literal('Bearer'),
  scope: z.string().describe('What the person granted, which may be less than was asked for'),
  expires_in: z.int().optional().describe('Seconds; older servers, whose keys did not end, omit it'),
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
  scopes: z.array(z.enum(scopes)).describe('What it asks for'),
  granted: z.array(z.enum(scopes)).optional().describe('What it gets unless the decision names more'),
  keyDays: z.int().optional().describe('How many days its key lives'),
  createdAt: timeSchema,
  from: z.string().describe('Address the request came from'),
})
export const deviceDecisionSchema = z.strictObject({
  userCode: z.string().max(20),
  approve: z.boolean(),
  scopes: z
    .array(z.enum(scopes))
    .min(1)
    .optional()
    .describe('The scopes it gets of those it asked for; default: all of them but `admin`'),
})
