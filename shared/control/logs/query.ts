/**
 * What operators type to find lines of the log; the same words on both platforms. Words stand beside each other, and
 * all of them have to be in the line; `name:value` looks at one field.
 */
import { logQueryMax } from '../../api/schemas/operator-logs.ts'
import { fail } from '../../base/errors.ts'
import { type LogLevel, logLevels } from '../../base/log.ts'

export type LogQuery = {
  /** Whole words, in any case; a text of several words is found as it stands. */
  readonly words: readonly string[]
  readonly code?: string
  readonly request?: string
  readonly relay?: string
  readonly account?: string
  readonly source?: string
  readonly levelMin?: LogLevel
  /** ms, inclusive */
  readonly from?: number
  /** ms, inclusive */
  readonly to?: number
}

const wordsMax = 20

const units = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

type Filter = (value: string, nowMs: number) => Partial<LogQuery> | undefined
const name =
  (field: 'request' | 'relay' | 'account' | 'source'): Filter =>
  (value) =>
    /^[\w.:@-]{1,128}$/.test(value) ? { [field]: value } : undefined

const filters: Readonly<Record<string, Filter>> = {
  code: (value) => {
    const digits = /^(?:pt-?)?(\d{4})$/i.exec(value)?.[1]
    return digits === undefined ? undefined : { code: `PT-${digits}` }
  },
  request: name('request'),
  relay: name('relay'),
  account: name('account'),
  source: name('source'),
  level: (value) => {
    const level = logLevels.find((each) => each === (value === 'warning' ? 'warn' : value))
    return level && { levelMin: level }
  },
  since: (value, nowMs) => momentOf(value, nowMs, 'from'),
  until: (value, nowMs) => momentOf(value, nowMs, 'to'),
}

/** @throws logs.search naming the part that it does not understand */
export function parseLogQuery(text: string, nowMs: number): LogQuery {
  if (text.length > logQueryMax) throw fail('logs.search', `It has more than ${logQueryMax} characters.`)
  if ((text.match(/"/g)?.length ?? 0) % 2 === 1) throw fail('logs.search', 'A quotation mark is not closed.')
  const words: string[] = []
  let found: Omit<LogQuery, 'words'> = {}
  for (const [part] of text.matchAll(/(?:[^\s"]|"[^"]*")+/g)) {
    const filter = filterOf(part, nowMs)
    if (filter) found = merge(found, filter, part)
    else words.push(wordOf(part))
  }
  if (words.length > wordsMax) throw fail('logs.search', `It has more than ${wordsMax} words.`)
  return { words, ...found }
}

/** Undefined: the part is a word. */
function filterOf(part: string, nowMs: number): Partial<LogQuery> | undefined {
  const [, field = '', given = ''] = /^([a-z]+)(?:>=|:(?!\/\/))(.*)$/.exec(part) ?? []
  if (field === '') return undefined
  const filter = Object.hasOwn(filters, field) ? filters[field] : undefined
  const known = Object.keys(filters).join(', ')
  if (!filter) throw fail('logs.search', `"${field}" is no field: ${known}. Quote a word that has a colon.`)
  const read = filter(given.replaceAll('"', ''), nowMs)
  if (!read) throw fail('logs.search', `"${part}" says no ${field}.`)
  return read
}

function merge(
  before: Omit<LogQuery, 'words'>,
  more: Partial<LogQuery>,
  part: string,
): Omit<LogQuery, 'words'> {
  if (Object.keys(more).some((key) => Object.hasOwn(before, key)))
    throw fail('logs.search', `"${part}" is said twice.`)
  return { ...before, ...more }
}

function wordOf(part: string): string {
  const word = part.replaceAll('"', '').trim()
  if (!/[\p{L}\p{N}]/u.test(word)) throw fail('logs.search', `${part} has no letter or digit.`)
  return word
}

function momentOf(value: string, nowMs: number, edge: 'from' | 'to'): Partial<LogQuery> | undefined {
  const [, count, unit] = /^(\d{1,5})([smhd])$/.exec(value) ?? []
  const ms =
    count === undefined ? Date.parse(value) : nowMs - Number(count) * units[unit as keyof typeof units]
  return Number.isFinite(ms) && ms >= 0 ? { [edge]: Math.floor(ms) } : undefined
}
