/** The operator's documents that people accept: terms of use, rules of acceptable use, and the privacy notice. */
import { z } from 'zod'
import { termsKinds } from '../../base/terms-kinds.ts'
import { timeSchema } from './common.ts'

export const termsVersionSchema = z.string().regex(/^[\w.-]{1,40}$/, 'letters, digits, ".", "-" and "_"')

const documentShape = {
  kind: z.enum(termsKinds),
  version: termsVersionSchema,
  url: z.string().describe('Where people read it'),
}
export const termsDocumentSchema = z.object({
  ...documentShape,
  by: timeSchema
    .optional()
    .describe('When people who are here already must have accepted it; absent: it is so at once'),
})
/** As the service asks for it now. */
export type TermsDocument = z.infer<typeof termsDocumentSchema>

export const acceptanceSchema = z.object({ ...documentShape, at: timeSchema })
/** What a person accepted, and when. */
export type Acceptance = z.infer<typeof acceptanceSchema>

export const ownTermsSchema = z.object({
  items: z.array(
    z.object({
      ...documentShape,
      accepted: acceptanceSchema.optional().describe('The newest acceptance of this kind, of any version'),
      dueAt: timeSchema
        .optional()
        .describe('Present while this version is not accepted: needed from then on'),
    }),
  ),
  dueAt: timeSchema.optional().describe('The first of those; absent: nothing is open'),
})
export type OwnTerms = z.infer<typeof ownTermsSchema>

export const termsAcceptSchema = z.strictObject({
  accept: z
    .array(z.strictObject({ kind: z.enum(termsKinds), version: termsVersionSchema }))
    .min(1)
    .max(termsKinds.length)
    .describe('The versions that the person was shown'),
})
