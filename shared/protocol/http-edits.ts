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
/** They are part of a tunnel's document, and of each answer to a claim. */
const editsBytesMax = 16 * 1024

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
  .string()
  .refine((value) => value.length <= valueBytesMax, 'a header value has at most 4,096 characters')
  .refine(
    (value) => /^(?:[!-~](?:[\t -~]*[!-~])?)?$/.test(value),
    'a header value has visible ASCII characters, with blanks only between them',
  )
/** YAML reads `true` and `8` as what they look like. */
const writtenValueSchema = z
  .union([z.string(), z.number(), z.boolean()])
  .transform(String)
  .pipe(headerValueSchema)

/** First `remove`, then `set`, then `add`. */
const headerEditsOf = (value: z.ZodType<string>) =>
  z
    .strictObject({
      remove: z.array(headerNameSchema).max(fieldsMax).exactOptional().describe('Names that are left out.'),
      set: z
        .record(headerNameSchema, value)
        .exactOptional()
        .describe('Name and value; replaces what is there.'),
      add: z
        .record(headerNameSchema, z.union([value, z.array(value).max(fieldsMax)]))
        .exactOptional()
        .describe('Name and value, or a list of values; what is there stays.'),
    })
    .refine(
      ({ set = {}, add = {} }) => Object.keys(set).length + Object.values(add).flat().length <= fieldsMax,
      'at most 50 headers can be set and added',
    )
/** As users write it in ptun.yaml. */
export const headerEditsSchema = headerEditsOf(writtenValueSchema)
const exactHeaderEditsSchema = headerEditsOf(headerValueSchema)
export type HeaderEdits = z.infer<typeof exactHeaderEditsSchema>

/** A day: long enough to matter, short enough to undo. */
const hstsSecondsUsual = 86_400
/** Two years, what lists of preloaded hosts ask for. */
const hstsSecondsMax = 63_072_000

const maxAgeSchema = z
  .int()
  .min(0)
  .max(hstsSecondsMax)
  .describe('How long a browser remembers it; 0 makes it forget.')
const subDomainsSchema = z.boolean().describe('Also for all names below the host.')
const exactHstsSchema = z.strictObject({ maxAgeSeconds: maxAgeSchema, includeSubDomains: subDomainsSchema })
export type Hsts = z.infer<typeof exactHstsSchema>

/** As users write it in ptun.yaml; `true` is the usual one. */
export const hstsSchema = z
  .union([
    z.boolean(),
    z.strictObject({
      maxAgeSeconds: maxAgeSchema.default(hstsSecondsUsual),
      includeSubDomains: subDomainsSchema.default(false),
    }),
  ])
  .transform((hsts) => (hsts === true ? { maxAgeSeconds: hstsSecondsUsual, includeSubDomains: false } : hsts))

/** How a redirect is answered: 301 and 308 for good, 307 and 308 keep method and body. */
const redirectStatuses = [301, 302, 307, 308] as const
const patternBytesMax = 1_024
const redirectsMax = 100

/** What a redirect is for: a host, a path, or both; `*` stands for anything at the end of the path. */
export type RedirectPattern = {
  /** In small letters; `*.` in front: every name below it. Undefined: any host. */
  readonly host: string | undefined
  /** Undefined: any path. */
  readonly path: string | undefined
  /** The path may go on. */
  readonly isPrefix: boolean
}

/** @returns what is wrong with it, in words */
export function parseRedirectFrom(text: string): RedirectPattern | string {
  const pattern = /^((?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)?(\/[!-~]*)?$/i
  const [, host, path] = (text.length > patternBytesMax ? undefined : pattern.exec(text)) ?? []
  if (host === undefined && path === undefined)
    return `"${text}" is no place to redirect from: write a path (/old), a host (old.example.com), or both`
  if (path !== undefined && /[?#]/.test(path))
    return 'a redirect looks at host and path only: leave out ? and #'
  if (path !== undefined && /\*./.test(path)) return '* stands only at the end of a path, as in /old/*'
  const isPrefix = path?.endsWith('*') ?? false
  return { host: host?.toLowerCase(), path: isPrefix ? path?.slice(0, -1) : path, isPrefix }
}

/**
 * The rest of the path where `pattern` matches, if it is a prefix (else ''); undefined: it does not match.
 * @param host in small letters
 */
export function matchRedirect(
  pattern: RedirectPattern,
  { host, path }: { host: string; path: string },
): string | undefined {
  if (pattern.host?.startsWith('*.') === true) {
    if (!host.endsWith(pattern.host.slice(1)) || host.length < pattern.host.length) return undefined
  } else if (pattern.host !== undefined && host !== pattern.host) return undefined
  if (pattern.path === undefined) return path.slice(1)
  if (!pattern.isPrefix) return path === pattern.path ? '' : undefined
  return path.startsWith(pattern.path) ? path.slice(pattern.path.length) : undefined
}

/** @returns what is wrong with it, in words */
function faultOfTarget(to: string): string | undefined {
  if (to.length > patternBytesMax || !/^[!-~]+$/.test(to))
    return 'the target of a redirect has visible ASCII characters'
  if (to.indexOf('*') !== to.lastIndexOf('*')) return 'the target of a redirect has at most one *'
  if (/^\/(?![/\\])/.test(to)) return undefined
  const authority = /^https?:\/\/([^/?#\\]+)(?:[/?#]|$)/i.exec(to)
  // Whatever a visitor asks for must not become part of the host.
  if (
    !authority ||
    authority[1]?.includes('*') ||
    authority[1]?.includes('@') ||
    !URL.canParse(to.replace('*', ''))
  )
    return `"${to}" is no place to redirect to: write a path (/new) or an address (https://new.example.com/*)`
  return undefined
}

export const redirectSchema = z
  .strictObject({
    from: z
      .string()
      .describe(
        'A path (/old), everything below it (/old/*), a host (old.example.com, *.example.com), or both.',
      ),
    to: z
      .string()
      .describe(
        'A path or an address. A * stands for what the * of `from` stood for; the query goes with it.',
      ),
    status: z
      .literal(redirectStatuses)
      .exactOptional()
      .describe('Default: 302. 307 and 308 keep method and body.'),
  })
  .superRefine(({ from, to }, context) => {
    const pattern = parseRedirectFrom(from)
    const add = (path: 'from' | 'to', message: string) =>
      context.addIssue({ code: 'custom', path: [path], message })
    if (typeof pattern === 'string') return add('from', pattern)
    const fault = faultOfTarget(to)
    if (fault !== undefined) return add('to', fault)
    if (to.includes('*') && !pattern.isPrefix && pattern.path !== undefined)
      return add('to', 'there is no * in `from` that this * could stand for')
    if (comesBack(pattern, to)) add('to', 'a visitor who is sent there would be sent on again, without end')
  })
export type Redirect = z.infer<typeof redirectSchema>

export const redirectsSchema = z.array(redirectSchema).min(1).max(redirectsMax)

/** Whether the redirect matches where it leads to. */
function comesBack(pattern: RedirectPattern, to: string): boolean {
  const isPath = to.startsWith('/')
  return ['', 'x'].some((rest) => {
    const url = new URL(to.replace('*', rest), 'http://here.invalid')
    const host = isPath ? (pattern.host?.replace('*', 'x') ?? 'here') : url.hostname
    // Where every host is meant, only a path can be known to come back.
    const isKnown = isPath || pattern.host !== undefined
    return isKnown && matchRedirect(pattern, { host, path: url.pathname }) !== undefined
  })
}

/** All of them, as the API takes and keeps them. */
export const httpEditsSchema = z
  .strictObject({
    redirects: redirectsSchema.exactOptional(),
    requestHeaders: exactHeaderEditsSchema.exactOptional(),
    responseHeaders: exactHeaderEditsSchema.exactOptional(),
    hsts: exactHstsSchema.exactOptional(),
  })
  .refine((edits) => JSON.stringify(edits).length <= editsBytesMax, 'all edits together have at most 16 KiB')
export type HttpEdits = z.infer<typeof httpEditsSchema>

const textsByNameSchema = z.record(z.string(), z.union([z.string(), z.array(z.string())]))
const writtenHeadersSchema = z.strictObject({
  remove: z.array(z.string()).exactOptional().describe('Names that are left out.'),
  set: z.record(z.string(), z.string()).exactOptional().describe('Name and value; replaces what is there.'),
  add: textsByNameSchema
    .exactOptional()
    .describe('Name and value, or a list of values; what is there stays.'),
})
/** The form of edits in a request to the API. What a description cannot say of them has a code of its own. */
export const writtenEditsSchema = z.strictObject({
  redirects: z.array(z.strictObject(redirectSchema.shape)).exactOptional(),
  requestHeaders: writtenHeadersSchema.exactOptional(),
  responseHeaders: writtenHeadersSchema.exactOptional(),
  hsts: exactHstsSchema.exactOptional(),
})
export type WrittenEdits = z.infer<typeof writtenEditsSchema>
