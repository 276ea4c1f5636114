/**
 * The options of `ptun http` that change requests, turned into what ptun.yaml says for the same. One schema checks both
 * (shared/protocol/http-edits.ts); a failure names the option.
 */
import { type ErrorKey, fail } from '@porttunneler/shared/base/errors'
import { headerEditsSchema, hstsSchema, redirectsSchema } from '@porttunneler/shared/protocol/http-edits'
import type { z } from 'zod'
import type { HttpOptions } from '../http-options.ts'

/** As commander gives them. */
export type EditFlags = {
  readonly redirect?: readonly string[]
  readonly requestHeaderSet?: readonly string[]
  readonly requestHeaderAdd?: readonly string[]
  readonly requestHeaderRemove?: readonly string[]
  readonly responseHeaderSet?: readonly string[]
  readonly responseHeaderAdd?: readonly string[]
  readonly responseHeaderRemove?: readonly string[]
  readonly hsts?: boolean
  readonly hstsMaxAge?: string
  readonly hstsSubdomains?: boolean
}

/** What they are called in ptun.yaml. */
export type Edits = Pick<HttpOptions, 'redirects' | 'requestHeaders' | 'responseHeaders' | 'hsts'>

/** @throws cli.header, cli.redirect, cli.usage */
export function editsOfFlags(flags: EditFlags): Edits {
  const redirects = flags.redirect && redirectsOf(flags.redirect)
  const requestHeaders = headersOf('--request-header', {
    set: flags.requestHeaderSet,
    add: flags.requestHeaderAdd,
    remove: flags.requestHeaderRemove,
  })
  const responseHeaders = headersOf('--response-header', {
    set: flags.responseHeaderSet,
    add: flags.responseHeaderAdd,
    remove: flags.responseHeaderRemove,
  })
  const hsts = hstsOf(flags)
  return {
    ...(redirects && { redirects }),
    ...(requestHeaders && { requestHeaders }),
    ...(responseHeaders && { responseHeaders }),
    ...(hsts && { hsts }),
  }
}

function hstsOf({ hsts = false, hstsMaxAge, hstsSubdomains = false }: EditFlags): Edits['hsts'] {
  if (!hsts && (hstsMaxAge !== undefined || hstsSubdomains))
    throw fail('cli.usage', '--hsts-max-age and --hsts-subdomains need --hsts.')
  if (!hsts) return undefined
  const seconds =
    hstsMaxAge === undefined ? {} : { maxAgeSeconds: /^\d+$/.test(hstsMaxAge) ? Number(hstsMaxAge) : -1 }
  return parsed(hstsSchema, { ...seconds, includeSubDomains: hstsSubdomains }, () => ({
    key: 'cli.usage',
    name: '--hsts-max-age takes seconds, at most two years',
  }))
}

type HeaderFlags = { readonly [F in 'set' | 'add' | 'remove']: readonly string[] | undefined }

function headersOf(option: string, { set, add, remove }: HeaderFlags): HttpOptions['requestHeaders'] {
  if (!set && !add && !remove) return undefined
  const setFields = (set ?? []).map((line) => fieldOf(`${option}-set`, line))
  const addFields = (add ?? []).map((line) => fieldOf(`${option}-add`, line))
  const edits = {
    ...(remove && { remove: [...remove] }),
    ...(set && { set: Object.fromEntries(setFields) }),
    ...(add && { add: grouped(addFields) }),
  }
  return parsed(headerEditsSchema, edits, (path) => ({
    key: 'cli.header',
    name: `${option}-${String(path[0] ?? 'set')}`,
  }))
}

/** `/old -> /new`, with a status in front of it if it is not the usual one: `301 /old -> /new`. */
function redirectsOf(lines: readonly string[]): HttpOptions['redirects'] {
  const redirects = lines.map((line) => {
    const [, status, from, to] = /^\s*(?:(\d{3})\s+)?(\S+)\s*->\s*(\S+)\s*$/.exec(line) ?? []
    if (from === undefined || to === undefined)
      throw fail('cli.redirect', `--redirect: write "${line}" with an arrow, as in '/old/* -> /new/*'.`)
    return { from, to, ...(status !== undefined && { status: Number(status) }) }
  })
  return parsed(redirectsSchema, redirects, () => ({ key: 'cli.redirect', name: '--redirect' }))
}

/** `Name: value`, as in curl. */
function fieldOf(option: string, line: string): readonly [name: string, value: string] {
  const colon = line.indexOf(':')
  if (colon < 0) throw fail('cli.header', `${option}: "${line}" has no colon: write 'Name: value'.`)
  return [line.slice(0, colon).trim(), line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')]
}

function grouped(fields: readonly (readonly [string, string])[]): Record<string, string[]> {
  const groups = new Map<string, string[]>()
  for (const [name, value] of fields) groups.set(name, [...(groups.get(name) ?? []), value])
  return Object.fromEntries(groups)
}

/** @throws what is wrong first, with the option that `blame` finds for its path */
function parsed<T>(
  schema: z.ZodType<T>,
  value: unknown,
  blame: (path: readonly PropertyKey[]) => { readonly key: ErrorKey; readonly name: string },
): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const { key, name } = blame(issue?.path ?? [])
  throw fail(key, `${name}: ${messageOf(issue)}.`, { cause: result.error })
}

/** An issue about a key of a record holds the reason inside. */
function messageOf(issue: z.core.$ZodIssue | undefined): string {
  if (issue?.code === 'invalid_key') return issue.issues[0]?.message ?? issue.message
  return issue?.message ?? 'not understood'
}
