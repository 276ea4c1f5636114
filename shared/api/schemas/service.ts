/** What the service says about itself, and what it has counted. */
import { z } from 'zod'
import { idSchema, timeSchema } from './common.ts'
import { termsDocumentSchema } from './terms.ts'

export const healthSchema = z.object({ status: z.literal('ok'), version: z.string(), now: timeSchema })

/** A service of OpenID Connect, by its name at Identity Platform. */
export const firebaseIssuerSchema = z.object({
  id: z.templateLiteral(['oidc.', z.string().regex(/^[a-z][a-z0-9-]{0,30}$/)]),
  name: z.string().min(1).max(40).describe('For people'),
})

/** Where the console signs people in when the server has no accounts itself. All of it is public. */
const firebaseSchema = z.object({
  apiKey: z.string().describe('Names the project to Firebase; it grants nothing'),
  authDomain: z
    .string()
    .describe('Host of the pages for signing in with Google and GitHub, and of links in mails'),
  projectId: z.string(),
  providers: z.array(z.enum(['google.com', 'github.com'])).describe('Besides a password'),
  issuers: z.array(firebaseIssuerSchema).optional().describe('Besides those'),
  emulatorUrl: z.string().optional().describe('The Auth emulator, in tests and on a laptop only'),
})
export type FirebaseSignIn = z.infer<typeof firebaseSchema>

/** What a console or CLI needs before anybody has signed in. */
export const configSchema = z.object({
  version: z.string(),
  identity: z.enum(['local', 'firebase']),
  firebase: firebaseSchema.optional().describe('Present if identity is firebase'),
  services: z
    .array(z.object({ id: z.string(), name: z.string().describe('For people') }))
    .optional()
    .describe('To sign in with beside a password, where identity is local'),
  terms: z
    .array(termsDocumentSchema)
    .optional()
    .describe('Documents that people accept before they change anything; absent: there are none'),
  registration: z.boolean().describe('Whether strangers may make accounts here'),
  beta: z.boolean().optional().describe('They need an invite code for that'),
  consoleUrl: z.string(),
  docsUrl: z.string().describe('Every code has its page at <docsUrl>/errors/PT-nnnn'),
})

/** The rest of the month's transfer. `over`: no further tunnels; `stopped`: no new connections either. */
export const transferSchema = z.object({
  from: timeSchema.describe('First ms of the month, UTC'),
  to: timeSchema.describe('First ms of the next month'),
  usedBytes: z.int(),
  limitBytes: z.int(),
  percent: z.int(),
  state: z.enum(['ok', 'near', 'over', 'stopped']),
  countedAt: timeSchema,
})
export type Transfer = z.infer<typeof transferSchema>

export const accountSchema = z.object({
  id: idSchema('acc'),
  name: z.string(),
  plan: z.string(),
  status: z.enum(['active', 'suspended', 'closed']),
  createdAt: timeSchema,
  flags: z
    .array(z.string())
    .optional()
    .describe('Features that are given out bit by bit and that this account has'),
  transfer: transferSchema.optional().describe('Absent if the plan sets no limit'),
  factorPolicy: z
    .object({
      since: timeSchema,
      keysFrom: timeSchema.describe('From then on keys of people who never had a factor are refused'),
    })
    .optional()
    .describe('Present if members need a second factor'),
})
export const factorPolicySchema = z.strictObject({ required: z.boolean() })
export type Account = z.infer<typeof accountSchema>
export const accountUpdateSchema = z.strictObject({ name: z.string().trim().min(1).max(80) })

const factSchema = z.string().max(300).optional()
/** For the operator. Programs show what they attach before they send it. */
export const feedbackSchema = z.strictObject({
  text: z.string().trim().min(1).max(4_000),
  attached: z
    .strictObject({
      ptun: factSchema.describe('Its version'),
      node: factSchema,
      system: factSchema,
      console: factSchema.describe('Its version'),
      browser: factSchema,
    })
    .default({})
    .describe('Facts about the program that sends it'),
})

const countsShape = {
  in: z.int().describe('Bytes from visitors'),
  out: z.int().describe('Bytes to visitors'),
  opened: z.int(),
  refused: z.int(),
}
/** Hours are UTC, named by their first ms; both ends are inclusive. */
export const usageQuerySchema = z.object({
  from: z.coerce.number().int().min(0).optional().describe('ms; default: 24 hours before `to`'),
  to: z.coerce.number().int().min(0).optional().describe('ms; default: now'),
  tunnel: idSchema('tun').optional(),
  step: z
    .enum(['minute', 'hour', 'day'])
    .optional()
    .describe('Returns `series` in such steps, and no `tunnels`'),
})
const answersSchema = z.object({
  upgraded: z.int().describe('101, such as WebSockets'),
  successful: z.int().describe('2xx'),
  redirected: z.int().describe('3xx'),
  clientError: z.int().describe('4xx'),
  serverError: z.int().describe('5xx'),
  unanswered: z
    .int()
    .describe('Upstream failures: it was not reached or, of http, ended before it had answered'),
  latency: z
    .array(z.int())
    .length(8)
    .describe('How many answers began within 10, 30, 100, 300, 1,000, 3,000, 10,000 ms, and later'),
})
export const usageAnswerSchema = z.object({
  from: timeSchema,
  to: timeSchema,
  total: z.object(countsShape),
  hours: z.array(z.object({ hour: timeSchema, ...countsShape })),
  tunnels: z.array(z.object({ tunnel: idSchema('tun'), ...countsShape })),
  series: z
    .array(
      z.object({
        at: timeSchema.describe('First ms of the step, UTC'),
        ...countsShape,
        answers: answersSchema
          .optional()
          .describe(
            'How requests to http tunnels were answered, as the relay saw it; of others upstream failures',
          ),
      }),
    )
    .optional()
    .describe('With `step`: steps in which something was carried; minutes do not say what was refused'),
})
export type UsageAnswer = z.infer<typeof usageAnswerSchema>

export const jwksSchema = z.object({ keys: z.array(z.record(z.string(), z.unknown())) })
