/** Factors of a person: passkeys, an authenticator app, recovery codes, and what shows that somebody has one. */
import { z } from 'zod'
import { tokensSchema } from './accounts.ts'

const bytesSchema = (charsMax: number) =>
  z
    .string()
    .min(1)
    .max(charsMax)
    .regex(/^[\w-]+$/, 'base64url without padding')

/** WebAuthn allows ids of 1,023 bytes. */
const credentialIdSchema = bytesSchema(1_364)
const clientDataSchema = bytesSchema(4_096)

/** What `navigator.credentials.create` returned, as JSON (WebAuthn level 3, section 5.1). */
export const attestationSchema = z.object({
  id: credentialIdSchema,
  rawId: credentialIdSchema,
  type: z.literal('public-key'),
  response: z.object({
    clientDataJSON: clientDataSchema,
    attestationObject: bytesSchema(16_384),
    transports: z.array(z.string().min(1).max(32)).max(8).optional(),
  }),
})
export type Attestation = z.infer<typeof attestationSchema>

/** What `navigator.credentials.get` returned, as JSON. */
export const assertionSchema = z.object({
  id: credentialIdSchema,
  response: z.object({
    clientDataJSON: clientDataSchema,
    authenticatorData: bytesSchema(4_096),
    signature: bytesSchema(2_048),
    userHandle: bytesSchema(128).optional(),
  }),
})
export type Assertion = z.infer<typeof assertionSchema>

const describedCredentialSchema = z.object({
  id: z.string(),
  type: z.literal('public-key'),
  transports: z.array(z.string()),
})

/** For `navigator.credentials.get`. */
export const requestOptionsSchema = z.object({
  challenge: z.string(),
  rpId: z.string(),
  timeout: z.int().describe('Milliseconds'),
  allowCredentials: z.array(describedCredentialSchema),
  userVerification: z.enum(['required', 'preferred']),
})

const recoverySchema = z
  .object({
    askedAt: z.int(),
    readyAt: z.int().describe('0: the link in the mail was not followed yet'),
    endsAt: z.int(),
    from: z.string().describe('Network address'),
  })
  .describe('Somebody says that they lost every factor')

export const waysSchema = z.object({
  app: z.boolean(),
  codes: z.boolean().describe('Recovery codes are left'),
  passkey: requestOptionsSchema.optional().describe('For navigator.credentials.get'),
  recovery: recoverySchema.optional(),
})
export type Ways = z.infer<typeof waysSchema>

/** For `navigator.credentials.create`. */
export const creationOptionsSchema = z.object({
  challenge: z.string(),
  rp: z.object({ id: z.string(), name: z.string() }),
  user: z.object({ id: z.string(), name: z.string(), displayName: z.string() }),
  pubKeyCredParams: z.array(z.object({ alg: z.int(), type: z.literal('public-key') })),
  timeout: z.int().describe('Milliseconds'),
  attestation: z.literal('none'),
  excludeCredentials: z.array(describedCredentialSchema),
  authenticatorSelection: z.object({
    residentKey: z.literal('preferred'),
    userVerification: z.literal('preferred'),
  }),
})

const factorNameSchema = z.string().trim().min(1).max(60)

export const passkeyAddSchema = z.object({ attestation: attestationSchema, name: factorNameSchema })
export const passkeyRenameSchema = z.object({ name: factorNameSchema })
export const passkeyParamsSchema = z.object({ passkey: z.string().regex(/^[0-9a-f]{64}$/) })

const passkeySchema = z
  .object({
    id: z.string(),
    name: z.string(),
    createdAt: z.int(),
    usedAt: z.int().describe('0: never'),
    backedUp: z.boolean().describe('A provider keeps it, so that it survives the loss of the device'),
  })
  .meta({ id: 'Passkey' })
export type Passkey = z.infer<typeof passkeySchema>

export const factorsSchema = z
  .object({
    shown: z.boolean().describe('Whether this sign-in has shown a second factor'),
    passkeys: z.array(passkeySchema),
    app: z
      .object({ createdAt: z.int(), usedAt: z.int().describe('0: never') })
      .optional()
      .describe('An authenticator app'),
    codes: z.object({ left: z.int(), createdAt: z.int().describe('0: never') }).describe('Recovery codes'),
    recovery: recoverySchema.optional(),
  })
  .meta({ id: 'Factors' })
export type Factors = z.infer<typeof factorsSchema>

const customTokenSchema = z
  .string()
  .optional()
  .describe('Where Firebase signs people in: go on with signInWithCustomToken; this sign-in stays as it is')

/** Sign-in by a passkey alone, or a second step. */
export const shownSchema = z.object({ customToken: customTokenSchema })
/** `codes` only with the first factor: they are shown this once. */
export const codesSchema = z.object({ codes: z.array(z.string()), customToken: customTokenSchema })

export const appBegunSchema = z.object({
  secret: z.string().describe('Base32, for typing in'),
  uri: z.string().describe('otpauth://, for a QR code'),
})
export const appConfirmSchema = z.object({ code: z.string().trim().min(6).max(16) })

/** One of the two. */
export const showSchema = z
  .object({
    assertion: assertionSchema.optional(),
    code: z.string().trim().min(6).max(64).optional().describe('Of the app, or a recovery code'),
  })
  .refine(({ assertion, code }) => (assertion === undefined) !== (code === undefined), {
    message: 'either an assertion or a code',
  })
export type ShowRequest = z.infer<typeof showSchema>

export const passkeySignInSchema = z.object({ assertion: assertionSchema })
/** Tokens where the server signs people in itself, a custom token at Firebase. */
export const passkeySignedInSchema = z.union([tokensSchema, z.object({ customToken: z.string() })])
export const recoveryTokenSchema = z.object({ token: z.string().min(1).max(200) })
