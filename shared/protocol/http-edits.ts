/**
 * What an agent changes in requests and answers of an http tunnel, as its user writes it: one set of schemas for
 * ptun.yaml, the command line and the API. Only zod, so that schemas for browsers may import it.
 *
 * No field that frames a message or belongs to one connection can be changed, and no name or value can begin a line of
 * its own: what passes these schemas may be written into a head as it is.
 */
import { z } from 'zod'

/** Framing, and hop by hop (RFC 9110 section 7.6.1). Compared with `_` as `-`: some programs take them for the same. */
const fixedNames: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])
const nameBytesMax = 128
/** Servers take heads of 8 to 16 KiB. */
const valueBytesMax = 4_096
const fieldsMax = 50

const headerNameSchema = z.string().superRefine((name, context) => {
  const message = faultOfName(name)
  if (message !== undefined) context.addIssue({ code: 'custom', message })
})

function faultOfName(name: string): string | undefined {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) || name.length > nameBytesMax)
    return 'a header name has letters, digits and hyphens, at most 128 of them'
  const folded = name.toLowerCase().replaceAll('_', '-')
  if (folded === 'host') return 'Host cannot be changed here: write hostHeader (--host-header)'
  return fixedNames.has(folded)
    ? `${name} cannot be changed: it says where a message ends, or is about one connection only`
    : undefined
}

const headerValueSchema = z
  .union([z.string(), z.number(), z.boolean()])
  .transform(String)
  .refine((value) => value.length <= valueBytesMax, 'a header value has at most 4,096 characters')
  .refine(
    (value) => /^(?:[!-~](?:[\t -~]*[!-~])?)?$/.test(value),
    'a header value has visible ASCII characters, with blanks only between them',
  )

/** First `remove`, then `set`, then `add`. */
export const headerEditsSchema = z
  .strictObject({
    remove: z.array(headerNameSchema).max(fieldsMax).exactOptional().describe('Names that are left out.'),
    set: z
      .record(headerNameSchema, headerValueSchema)
      .exactOptional()
      .describe('Name and value; replaces what is there.'),
    add: z
      .record(headerNameSchema, z.union([headerValueSchema, z.array(headerValueSchema).max(fieldsMax)]))
      .exactOptional()
      .describe('Name and value, or a list of values; what is there stays.'),
  })
  .refine(
    ({ set = {}, add = {} }) => Object.keys(set).length + Object.values(add).flat().length <= fieldsMax,
    'at most 50 headers can be set and added',
  )
export type HeaderEdits = z.infer<typeof headerEditsSchema>
