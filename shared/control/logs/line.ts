/**
 * A line of the log as operators find it, whichever program wrote it: in pino's own form (relays, standalone server),
 * in Cloud Logging's (functions), or as `ptun --json` does. What is no JSON, such as the trace of a crash, becomes a
 * line too.
 */
import { z } from 'zod'
import type { LogLevel } from '../../base/log.ts'
import { withoutSecretFields, withoutSecrets } from '../../base/redacting.ts'

export type LogLine = {
  /** Unique, and the same each time it is found. */
  readonly id: string
  /** When it was written, ms. */
  readonly at: number
  readonly level: LogLevel
  /** The program: `control`, `relay`, `demo-agent`, or the name of a function. */
  readonly source: string
  /** Which relay, where it is one: its instance. */
  readonly relay?: string
  readonly message: string
  readonly code?: string
  readonly request?: string
  readonly account?: string
  /** Everything else that it says, without secrets; JSON. */
  readonly fields: Readonly<Record<string, unknown>>
}

/** Who wrote a line. */
export type LogOrigin = Pick<LogLine, 'source' | 'relay'>

/** A message is one sentence; a crash may be a page. */
const messageMax = 2_000
/** Characters of the other fields as JSON; a stack alone has 2,000. */
const fieldsMax = 8_000
/** The last moment that a Date can say. */
const timeMax = 8.64e15

const word = z.string().max(128).optional().catch(undefined)
const lineSchema = z.looseObject({
  level: z.union([z.number(), z.string()]).optional(),
  severity: z.string().optional(),
  time: z.union([z.number(), z.string()]).optional(),
  msg: z.string().optional(),
  message: z.string().optional(),
  /** What happened, and when, as `ptun --json` says it. */
  event: z.string().optional(),
  at: z.union([z.number(), z.string()]).optional().catch(undefined),
  problem: z.object({ code: word, request: word }).optional().catch(undefined),
  request: word,
  code: word,
  requestId: word,
  account: word,
})

/** @param nowMs for a line that does not say when it was written */
export function readLogLine(text: string, { source, relay }: LogOrigin, nowMs: number): Omit<LogLine, 'id'> {
  const from = { source, ...(relay !== undefined && { relay }) }
  const parsed = lineSchema.safeParse(jsonOf(text))
  const said = parsed.data?.msg ?? parsed.data?.message ?? parsed.data?.event
  if (!parsed.success || said === undefined)
    return { ...from, at: nowMs, level: 'error', message: clip(withoutSecrets(text.trim())), fields: {} }
  return { ...from, ...describeLogged(parsed.data, nowMs) }
}

/** What a line's JSON says, apart from who wrote it. */
export function describeLogged(
  logged: Readonly<Record<string, unknown>>,
  nowMs: number,
): Omit<LogLine, 'id' | 'source' | 'relay'> {
  const parsed = lineSchema.parse(logged)
  const { level, severity, time, msg, message, event, account } = parsed
  const { code = parsed.problem?.code, requestId = parsed.request ?? parsed.problem?.request } = parsed
  return {
    at: timeOf(time ?? parsed.at) ?? nowMs,
    level: levelOf(level ?? severity ?? (event && (parsed.problem ? 'warn' : 'info'))),
    message: clip(withoutSecrets(msg ?? message ?? event ?? '')),
    ...(code !== undefined && { code: withoutSecrets(code) }),
    ...(requestId !== undefined && { request: withoutSecrets(requestId) }),
    ...(account !== undefined && { account: withoutSecrets(account) }),
    fields: boundFields(Object.fromEntries(Object.entries(logged).filter(([name]) => !ownNames.has(name)))),
  }
}

/** What stands beside the fields already. */
const ownNames = new Set(['level', 'severity', 'time', 'msg', 'message', 'code', 'requestId', 'account'])

/** pino's numbers and names, and the severities of Cloud Logging. */
function levelOf(level: number | string | undefined): LogLevel {
  if (typeof level === 'number')
    return level >= 50 ? 'error' : level >= 40 ? 'warn' : level >= 30 ? 'info' : 'debug'
  if (level === 'WARNING') return 'warn'
  const name = level?.toLowerCase()
  if (name === 'info' || name === 'notice') return 'info'
  if (name === 'debug' || name === 'trace' || name === 'default' || name === undefined) return 'debug'
  return name === 'warn' ? 'warn' : 'error'
}

function timeOf(time: number | string | undefined): number | undefined {
  const ms = typeof time === 'string' ? Date.parse(time) : time
  return ms === undefined || !(ms >= 0 && ms <= timeMax) ? undefined : Math.floor(ms)
}

function boundFields(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const clean = withoutSecretFields(fields) as Readonly<Record<string, unknown>>
  const json = JSON.stringify(clean)
  return json.length <= fieldsMax ? clean : { cut: `${json.slice(0, fieldsMax)}…` }
}

function clip(text: string): string {
  return text.length <= messageMax ? text : `${text.slice(0, messageMax)}…`
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The words that a line is found by: its message and the values of its fields, without their names. */
export function wordsIn({ message, code, request, account, fields }: Omit<LogLine, 'id'>): string {
  const parts = [message, code, request, account]
  collectWords(fields, parts)
  return parts.filter((part) => part !== undefined).join('\n')
}

function collectWords(value: unknown, parts: (string | undefined)[]): void {
  if (typeof value === 'string' || typeof value === 'number') parts.push(`${value}`)
  else if (typeof value === 'object' && value !== null)
    for (const each of Object.values(value)) collectWords(each, parts)
}
