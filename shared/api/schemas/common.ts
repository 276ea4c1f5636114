/** Shapes that every part of the API uses: ids, times, problem documents (RFC 9457), pages. */
import { z } from 'zod'
import type { IdPrefix } from '../../base/ids.ts'
import { nameMax, slipOfLabel } from '../../base/labels.ts'

export const idSchema = <P extends IdPrefix>(prefix: P) =>
  z
    .string()
    .regex(new RegExp(`^${prefix}_[0-9a-z]{26}$`))
    .describe(`An id of the form ${prefix}_…`)

/** Milliseconds since the epoch, UTC. */
export const timeSchema = z.int().min(0).describe('Milliseconds since the epoch, UTC')

/** A tunnel's name: also the first label of its default host name, so it is a DNS label (RFC 1123). */
export const tunnelNameSchema = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/, 'lower-case letters, digits and inner hyphens, 1 to 40')

/** The same where somebody asks for a name: each fault has its own code. */
export const wantedNameSchema = tunnelNameSchema.superRefine((name, context) => {
  const slip = tunnelNameSchema.safeParse(name).success ? undefined : slipOfLabel(name, nameMax)
  if (slip) context.addIssue({ code: 'custom', message: slip.detail, params: { key: slip.key } })
})

/** A word that sorts tunnels, such as `prod` or `team:web`. */
const tagSchema = z
  .string()
  .regex(
    /^[a-z0-9](?:[a-z0-9.:_-]{0,30}[a-z0-9])?$/,
    'lower-case letters and digits, with dots, colons, hyphens and underscores inside, 1 to 32',
  )

/** A row of the list has room for no more. */
const tagsMax = 8

/** What sorts one tunnel. Their order does not matter: they are kept in that of the alphabet. */
export const tagsSchema = z
  .array(tagSchema)
  .max(tagsMax)
  .transform((tags) => [...new Set(tags)].sort())

export const problemSchema = z.object({
  type: z.string().describe('Address of the page about this code'),
  title: z.string(),
  status: z.int(),
  code: z.string().regex(/^PT-[0-9]{4}$/),
  detail: z.string().optional(),
  instance: z.string().optional().describe('The request id, for support'),
  cure: z.string().optional(),
  retryAfter: z.int().optional().describe('Seconds'),
  issues: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  suggestions: z.array(z.string().max(200)).max(20).optional().describe('What was free a moment ago'),
})
export type Problem = z.infer<typeof problemSchema>

export const pageQuerySchema = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(50),
  cursor: z
    .string()
    .max(1_000)
    .regex(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$/, 'what `next` of the page before says')
    .optional(),
})

export const pageSchema = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), next: z.string().optional().describe('Cursor of the next page') })
