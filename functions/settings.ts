/**
 * The functions' settings from the environment, checked as a whole when an instance starts; with a wrong one it says so
 * and does not start. docs/cloud.md has the table; a test compares.
 */

import { firebaseIssuerSchema } from '@porttunneler/shared/api/schemas/service'
import { fail } from '@porttunneler/shared/base/errors'
import { Secret } from '@porttunneler/shared/base/secret'
import {
  type IssuerSettings,
  issuersSchema,
  usualIssuers,
} from '@porttunneler/shared/control/certificates/issuers'
import type { Settings as ControlSettings } from '@porttunneler/shared/control/control'
import { planNameSchema } from '@porttunneler/shared/control/money/catalogue-schema'
import { registrationSchema } from '@porttunneler/shared/control/registration'
import { termsSchema } from '@porttunneler/shared/control/terms/settings'
import { resolversSchema } from '@porttunneler/shared/dns/resolvers'
import { mailFromSchema, type SmtpSettings, smtpSchema } from '@porttunneler/shared/mail/settings'
import { networkListSchema } from '@porttunneler/shared/protocol/endpoint'
import { z } from 'zod'
import manifest from './package.json' with { type: 'json' }
import { type CloudEnvironment, readEnvironment } from './platform/environment.ts'

const url = z.url({ protocol: /^https?$/ }).transform((text) => text.replace(/\/$/, ''))
const relayGroup = z.strictObject({
  cell: z.string().regex(/^[a-z0-9-]{1,32}$/),
  path: z.string().regex(/^(zones|regions)\/[a-z0-9-]+\/instanceGroupManagers\/[a-z0-9-]+$/),
  serviceAccount: z.email(),
})

function readJson(text: string, context: z.RefinementCtx): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    context.addIssue({ code: 'custom', message: 'not JSON' })
    return z.NEVER
  }
}

const defaultDatabase = '(default)'
const databaseShape = /^(\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9])$/

/** A stack gives every function that could need it a value. */
const webhookSecret = z
  .string()
  .regex(/^(whsec_|none$)/, 'a signing secret, or none')
  .optional()

const variables = z.object({
  PORTTUNNELER_URL: url,
  PORTTUNNELER_KMS_KEY: z
    .string()
    .regex(/^projects\/[^/]+\/locations\/[^/]+\/keyRings\/[^/]+\/cryptoKeys\/[^/]+$/, 'a key of Cloud KMS'),
  PORTTUNNELER_DATABASE: z
    .string()
    .regex(databaseShape, 'the name of a Firestore database')
    .default(defaultDatabase),
  PORTTUNNELER_PLAN: planNameSchema.default('free'),
  PORTTUNNELER_REGISTRATION: registrationSchema.default('open'),
  PORTTUNNELER_PROVEN_MAIL: z.stringbool().default(false),
  PORTTUNNELER_TERMS: termsSchema,
  PORTTUNNELER_RELAY_GROUPS: z.string().default('[]').transform(readJson).pipe(z.array(relayGroup).max(100)),
  PORTTUNNELER_TRUSTED_PROXIES: networkListSchema.default([]),
  PORTTUNNELER_RESOLVERS: resolversSchema,
  PORTTUNNELER_TRUST_RESOLVERS: z.stringbool().default(false),
  PORTTUNNELER_HEARTBEAT: z.url({ protocol: /^https$/ }).optional(),
  PORTTUNNELER_ACME_EMAIL: z.email().optional(),
  PORTTUNNELER_ACME_ISSUERS: z
    .string()
    .transform(readJson)
    .pipe(issuersSchema)
    .default([...usualIssuers]),
  FIREBASE_API_KEY: z.string().min(1),
  FIREBASE_AUTH_DOMAIN: z
    .string()
    .regex(/^[a-z0-9.-]+$/, 'a host name')
    .optional(),
  FIREBASE_PROVIDERS: z
    .string()
    .default('google.com,github.com')
    .transform((text) => text.split(',').filter((name) => name !== ''))
    .pipe(z.array(z.enum(['google.com', 'github.com']))),
  FIREBASE_ISSUERS: z.string().default('[]').transform(readJson).pipe(z.array(firebaseIssuerSchema).max(8)),
  PORTTUNNELER_DNS: z.enum(['none', 'cloudflare']).default('none'),
  PORTTUNNELER_CLOUDFLARE_TOKEN: z.string().min(20).max(200).optional(),
  PORTTUNNELER_MAIL_SMTP: smtpSchema.optional(),
  PORTTUNNELER_MAIL_FROM: mailFromSchema.optional(),
  STRIPE_KEY: z
    .string()
    .regex(/^((sk|rk)_|none$)/, 'a secret or restricted key of Stripe, or none')
    .optional(),
  STRIPE_WEBHOOK_SECRET: webhookSecret,
  STRIPE_EVENTS_SECRET: webhookSecret,
  PORTTUNNELER_EMULATED_GOOGLE: url.optional(),
  PORTTUNNELER_EMULATED_STRIPE: url.optional(),
})

export type Settings = {
  readonly environment: CloudEnvironment
  readonly control: ControlSettings
  readonly kmsKey: string
  /** Another one than the default after a restore to a point in time (docs/disaster.md). */
  readonly database: string
  readonly relayGroups: readonly z.infer<typeof relayGroup>[]
  /** Networks of proxies between a caller and Google's front end whose entries in X-Forwarded-For are believed. */
  readonly proxies: readonly string[]
  /** The resolvers for own domains. */
  readonly resolvers: z.infer<typeof resolversSchema>
  /** Their answers are enough: for a network that cannot reach the servers of a domain. */
  readonly trustResolvers: boolean
  /** It may edit the zone of the cells; undefined: the operator does. */
  readonly cloudflareToken?: Secret
  /** Who maintains those records; also functions without the token are told. */
  readonly dns: 'none' | 'cloudflare'
  /** Orders certificates; absent: none are. */
  readonly acme?: { readonly email: string; readonly issuers: readonly IssuerSettings[] }
  /** Sells plans; undefined: nothing is sold, or this function needs no key. */
  readonly stripeKey?: Secret
  /** Secrets of the webhook endpoint, and of the one for thin events. */
  readonly stripeSecrets: readonly Secret[]
  /** Where mails are handed in; absent: none can be sent from here. */
  readonly mail?: SmtpSettings
  /** Whether some function sends mails, if not this one. */
  readonly hasMail: boolean
  /** Gets a POST after each look at the service; absent: nobody outside watches that it happens. */
  readonly heartbeat?: string
  /** Replaces the metadata server, KMS and Compute Engine, where emulators replace the rest. */
  readonly emulatedGoogle?: string
  /** A test server for Stripe, in its place. */
  readonly emulatedStripe?: string
}

/** @throws cloud.environment naming every wrong variable; cloud.emulator */
export function readSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const environment = readEnvironment(env)
  const parsed = variables.safeParse(env)
  if (!parsed.success)
    throw fail(
      'cloud.environment',
      parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '),
    )
  const { PORTTUNNELER_URL: issuer, PORTTUNNELER_EMULATED_GOOGLE: emulatedGoogle, ...rest } = parsed.data
  const isEmulated = environment.projectId.startsWith('demo-')
  const { PORTTUNNELER_EMULATED_STRIPE: emulatedStripe } = rest
  const standIns = ['PORTTUNNELER_EMULATED_GOOGLE', 'PORTTUNNELER_EMULATED_STRIPE'] as const
  const standIn = standIns.find((name) => parsed.data[name] !== undefined)
  if (standIn && !isEmulated)
    throw fail('cloud.emulator', `${standIn} is set for project ${environment.projectId}.`)
  if (!isEmulated && !issuer.startsWith('https:'))
    throw fail('cloud.environment', 'PORTTUNNELER_URL: a public address must be https')
  const { projectId, emulators } = environment
  const acme = rest.PORTTUNNELER_ACME_EMAIL && {
    email: rest.PORTTUNNELER_ACME_EMAIL,
    issuers: rest.PORTTUNNELER_ACME_ISSUERS,
  }
  const { PORTTUNNELER_MAIL_SMTP: smtp, PORTTUNNELER_MAIL_FROM: from } = rest
  if (smtp && from === undefined)
    throw fail('cloud.environment', 'PORTTUNNELER_MAIL_FROM: is needed beside PORTTUNNELER_MAIL_SMTP')
  const mail = smtp && from !== undefined && { smtp, from }
  return {
    environment,
    control: {
      issuer,
      consoleUrl: issuer,
      docsUrl: issuer,
      version: manifest.version,
      registration: rest.PORTTUNNELER_REGISTRATION,
      provenMail: rest.PORTTUNNELER_PROVEN_MAIL,
      terms: rest.PORTTUNNELER_TERMS,
      defaultPlan: rest.PORTTUNNELER_PLAN,
      firebase: {
        apiKey: rest.FIREBASE_API_KEY,
        authDomain: rest.FIREBASE_AUTH_DOMAIN ?? new URL(issuer).host,
        projectId,
        providers: rest.FIREBASE_PROVIDERS,
        issuers: rest.FIREBASE_ISSUERS,
        ...(emulators.auth !== undefined && { emulatorUrl: `http://${emulators.auth}` }),
      },
    },
    kmsKey: rest.PORTTUNNELER_KMS_KEY,
    database: rest.PORTTUNNELER_DATABASE,
    relayGroups: rest.PORTTUNNELER_RELAY_GROUPS,
    proxies: rest.PORTTUNNELER_TRUSTED_PROXIES,
    resolvers: rest.PORTTUNNELER_RESOLVERS,
    trustResolvers: rest.PORTTUNNELER_TRUST_RESOLVERS,
    dns: rest.PORTTUNNELER_DNS,
    ...(rest.PORTTUNNELER_CLOUDFLARE_TOKEN && {
      cloudflareToken: new Secret(rest.PORTTUNNELER_CLOUDFLARE_TOKEN),
    }),
    ...(acme && { acme }),
    ...(mail && { mail }),
    hasMail: from !== undefined,
    ...(isGiven(rest.STRIPE_KEY) && { stripeKey: new Secret(rest.STRIPE_KEY) }),
    stripeSecrets: [rest.STRIPE_WEBHOOK_SECRET, rest.STRIPE_EVENTS_SECRET]
      .filter(isGiven)
      .map((text) => new Secret(text)),
    ...(rest.PORTTUNNELER_HEARTBEAT !== undefined && { heartbeat: rest.PORTTUNNELER_HEARTBEAT }),
    ...(emulatedGoogle !== undefined && { emulatedGoogle }),
    ...(emulatedStripe !== undefined && { emulatedStripe }),
  }
}

function isGiven(value: string | undefined): value is string {
  return value !== undefined && value !== 'none'
}
