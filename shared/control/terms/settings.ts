/** The operator's setting: which documents people accept here. Both shells and the cloud's stack read it. */
import { z } from 'zod'
import { type TermsDocument, termsVersionSchema } from '../../api/schemas/terms.ts'
import { termsKinds } from '../../base/terms-kinds.ts'

const dayMs = 24 * 3_600_000

const documentSchema = z.strictObject({
  kind: z.enum(termsKinds),
  version: termsVersionSchema,
  /** Without braces: the cloud's stack would take `${…}` for an expression. */
  url: z
    .url({ protocol: /^https?$/ })
    .max(500)
    .regex(/^[^\s"'<>{}]+$/, 'an address'),
  /** The last day (UTC) on which people who are here already go on without it. */
  by: z.iso.date().optional(),
})

/** As an operator writes it: one document of a kind. */
const listSchema = z
  .array(documentSchema)
  .max(termsKinds.length)
  .refine((list) => new Set(list.map(({ kind }) => kind)).size === list.length, 'two documents of one kind')
  .default([])

/** A list, or the JSON text of one. Default: none, so nobody is asked. */
export const termsSchema = z
  .preprocess((value) => (typeof value === 'string' ? parsed(value) : value), listSchema)
  .transform((list): readonly TermsDocument[] => list.map(withTime))

function withTime({ by, ...document }: z.infer<typeof documentSchema>): TermsDocument {
  return { ...document, ...(by !== undefined && { by: Date.parse(by) + dayMs }) }
}

/** Text that is no JSON stays text, which is no list. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
