/**
 * Which values the inspector never shows: they are replaced when a head is recorded, so neither the page, nor the API,
 * nor a copied command can have them. A replay needs them, and puts them back from the head that the agent alone keeps
 * (docs/decisions/0099-inspector.md).
 */
import type { HeaderLine } from '@porttunneler/shared/api/schemas/inspection'

/** What stands in the place of a value. No header of HTTP has it as its value. */
export const hiddenText = '[redacted]'

/** Lower case. Of cookies only the values are hidden, of Authorization what follows the scheme. */
export const redactedHeaders = [
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'x-api-key',
  'api-key',
  'x-auth-token',
  'x-access-token',
  'x-amz-security-token',
  'x-csrf-token',
  'x-xsrf-token',
  'x-gitlab-token',
  'x-goog-iap-jwt-assertion',
  'x-forwarded-access-token',
  'x-vault-token',
] as const

/** Parameters of the query, also in Referer and Location; lower case. */
export const redactedParameters = [
  'access_token',
  'refresh_token',
  'id_token',
  'token',
  'auth',
  'api_key',
  'apikey',
  'key',
  'secret',
  'client_secret',
  'password',
  'passwd',
  'pwd',
  'code',
  'session',
  'sid',
  'sig',
  'signature',
  'x-amz-signature',
  'x-amz-security-token',
  'x-amz-credential',
  'x-goog-signature',
  'x-goog-credential',
] as const

const headers: ReadonlySet<string> = new Set(redactedHeaders)
const parameters: ReadonlySet<string> = new Set(redactedParameters)
/** Their values are addresses, which may have such a query. */
const addressed = new Set(['referer', 'location', 'content-location', 'x-original-url', 'x-rewrite-url'])

/** @returns the very line if nothing in it is hidden */
export function redactLine(line: HeaderLine): HeaderLine {
  const [name, value] = line
  const folded = foldName(name)
  if (folded === undefined) return line
  const shown = headers.has(folded) ? redactValue(folded, value) : redactTarget(value)
  return shown === value ? line : [name, shown]
}

/** Names that came before, in whatever case: the same few come with every request. Undefined: nothing is hidden. */
const foldedNames = new Map<string, string | undefined>()
const foldedNamesMax = 1_000

function foldName(name: string): string | undefined {
  if (foldedNames.has(name)) return foldedNames.get(name)
  const folded = name.toLowerCase().replaceAll('_', '-')
  const matters = headers.has(folded) || addressed.has(folded) ? folded : undefined
  // Strangers choose names, so they are kept in a bounded number, and short.
  if (foldedNames.size < foldedNamesMax && name.length <= 64) foldedNames.set(name, matters)
  return matters
}

function redactValue(name: string, value: string): string {
  if (value === '') return ''
  if (name === 'cookie') return value.split(';').map(redactCookie).join(';')
  if (name === 'set-cookie') {
    const [cookie = '', ...attributes] = value.split(';')
    return [redactCookie(cookie), ...attributes].join(';')
  }
  const scheme = name.endsWith('authorization') ? /^[A-Za-z][A-Za-z0-9-]*(?= )/.exec(value)?.[0] : undefined
  return scheme === undefined ? hiddenText : `${scheme} ${hiddenText}`
}

function redactCookie(cookie: string): string {
  const equals = cookie.indexOf('=')
  if (equals < 0) return cookie.trim() === '' ? cookie : hiddenText
  return `${cookie.slice(0, equals + 1)}${hiddenText}`
}

/** @param target a path with its query, or a whole address */
export function redactTarget(target: string): string {
  if (!target.includes('?')) return target
  return eachParameter(target, (name, value) =>
    isHiddenParameter(name) && value !== '' ? hiddenText : value,
  )
}

/**
 * Puts the values back that were hidden in `shown` and still are in `edited`: a parameter that still reads as hidden
 * gets the value of the same name, in their order.
 */
export function revealTarget(
  edited: string,
  raw: string,
): { readonly target: string; readonly count: number } {
  const kept = new Map<string, string[]>()
  eachParameter(raw, (name, value) => {
    if (isHiddenParameter(name) && value !== '') kept.set(name, [...(kept.get(name) ?? []), value])
    return value
  })
  let count = 0
  const target = eachParameter(edited, (name, value) => {
    const found = value === hiddenText ? kept.get(name)?.shift() : undefined
    if (found === undefined) return value
    count += 1
    return found
  })
  return { target, count }
}

/** A line that still reads as it was shown gets its value back; each raw line serves once. */
export function revealLines(
  edited: readonly HeaderLine[],
  raw: readonly HeaderLine[],
): { readonly lines: readonly HeaderLine[]; readonly count: number } {
  const hidden = raw.flatMap((line) => {
    const shown = redactLine(line)[1]
    return shown === line[1] ? [] : [{ name: line[0].toLowerCase(), shown, value: line[1] }]
  })
  let count = 0
  const lines = edited.map(([name, value]): HeaderLine => {
    const at = hidden.findIndex((one) => one.name === name.toLowerCase() && one.shown === value)
    const found = at < 0 ? undefined : hidden.splice(at, 1)[0]
    if (found === undefined) return [name, value]
    count += 1
    return [name, found.value]
  })
  return { lines, count }
}

function isHiddenParameter(name: string): boolean {
  return parameters.has(unescaped(name).toLowerCase())
}

function unescaped(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function eachParameter(target: string, change: (name: string, value: string) => string): string {
  const start = target.indexOf('?')
  if (start < 0) return target
  const hash = target.indexOf('#', start)
  const end = hash < 0 ? target.length : hash
  const query = target
    .slice(start + 1, end)
    .replace(/([^&;=]+)=([^&;]*)/g, (_all, name: string, value: string) => {
      return `${name}=${change(name, value)}`
    })
  return `${target.slice(0, start + 1)}${query}${target.slice(end)}`
}
