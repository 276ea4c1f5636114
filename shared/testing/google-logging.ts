/**
 * Cloud Logging as far as we call it: entries.list with the query language, orders and page tokens, and entries.write.
 * It is strict, as Google is: an unknown field of an entry, a function or an operator that does not exist, a page token
 * of another request, or an order that is not offered is INVALID_ARGUMENT. Sources: the reference of entries.list and
 * "Logging query language" in Google's documents.
 */
import { z } from 'zod'
import { type Entry, parseFilter } from './google-logging-filter.ts'

type Answer = { readonly status: number; readonly body: unknown }

const listSchema = z.strictObject({
  resourceNames: z
    .array(z.string().regex(/^projects\/[a-z0-9-]+$/))
    .min(1)
    .max(100),
  filter: z.string().max(20_000).default(''),
  orderBy: z.enum(['timestamp asc', 'timestamp desc']).default('timestamp asc'),
  pageSize: z.int().min(1).max(1_000).default(50),
  pageToken: z.string().optional(),
})
const writeSchema = z.strictObject({
  logName: z.string().regex(/^projects\/[a-z0-9-]+\/logs\/[\w.%-]+$/),
  resource: z.strictObject({ type: z.string(), labels: z.record(z.string(), z.string()) }),
  labels: z.record(z.string(), z.string()).optional(),
  partialSuccess: z.boolean().optional(),
  entries: z
    .array(
      z.strictObject({
        insertId: z
          .string()
          .regex(/^[\w.-]{1,512}$/)
          .optional(),
        timestamp: z.iso.datetime({ precision: null }),
        severity: z.enum(['DEFAULT', 'DEBUG', 'INFO', 'NOTICE', 'WARNING', 'ERROR', 'CRITICAL']),
        jsonPayload: z.record(z.string(), z.unknown()),
      }),
    )
    .min(1)
    .max(1_000),
})

export function makeLogging(project: string) {
  const entries: Entry[] = []
  const tokens = new Map<string, { readonly request: string; readonly start: number }>()
  /** How many of the next lists give nothing but a token, as a search that takes long does. */
  let emptyPages = 0

  const list = (body: unknown): Answer => {
    const asked = listSchema.safeParse(body)
    if (!asked.success) return invalid(asked.error.message)
    const { pageToken, pageSize, filter, orderBy, resourceNames } = asked.data
    if (resourceNames.some((name) => name !== `projects/${project}`)) return { status: 403, body: denied }
    const request = JSON.stringify([filter, orderBy, resourceNames])
    const place = pageToken === undefined ? { request, start: 0 } : tokens.get(pageToken)
    if (place?.request !== request) return invalid('page_token is of another request')
    const matches = parseFilter(filter)
    if (typeof matches === 'string') return invalid(matches)
    const sign = orderBy === 'timestamp asc' ? 1 : -1
    const found = entries
      .filter(matches)
      .toSorted((a, b) => sign * (Date.parse(a.timestamp) - Date.parse(b.timestamp)))
    const isEmpty = emptyPages > 0
    if (isEmpty) emptyPages -= 1
    const end = isEmpty ? place.start : place.start + pageSize
    const page = found.slice(place.start, end)
    if (end >= found.length) return { status: 200, body: page.length === 0 ? {} : { entries: page } }
    const nextPageToken = `E${tokens.size}B${Buffer.from(`${end}`).toString('base64url')}`
    tokens.set(nextPageToken, { request, start: end })
    return { status: 200, body: { ...(page.length > 0 && { entries: page }), nextPageToken } }
  }

  const write = (body: unknown): Answer => {
    const asked = writeSchema.safeParse(body)
    if (!asked.success) return invalid(asked.error.message)
    const { logName, resource, labels = {}, entries: given } = asked.data
    for (const entry of given) {
      const insertId = entry.insertId ?? `i${entries.length}`
      // The same entry again is one.
      if (entries.some((one) => one.insertId === insertId && one.timestamp === entry.timestamp)) continue
      entries.push({ ...entry, insertId, logName, resource, labels })
    }
    return { status: 200, body: {} }
  }

  return {
    entries,
    list,
    write,
    giveEmptyPages: (count: number) => {
      emptyPages = count
    },
    /** A line on stdout of a function, as Cloud Run takes it in. */
    takeOutput: (service: string, line: string) => {
      entries.push(entryOf(line, { service, project, id: `c${entries.length}` }))
    },
  }
}

/**
 * Cloud Run moves the special fields out of a JSON line; a line of which only the message is left becomes a text
 * ("Structured logging", special JSON fields).
 */
function entryOf(
  line: string,
  { service, project, id }: { service: string; project: string; id: string },
): Entry {
  const resource = { type: 'cloud_run_revision', labels: { service_name: service, project_id: project } }
  const common = {
    insertId: id,
    logName: `projects/${project}/logs/run.googleapis.com%2Fstdout`,
    resource,
    labels: { instanceId: '00' },
  }
  let logged: Record<string, unknown>
  try {
    logged = z.record(z.string(), z.unknown()).parse(JSON.parse(line))
  } catch {
    return { ...common, timestamp: new Date().toISOString(), textPayload: line }
  }
  const { severity, time, ...payload } = logged
  const { 'logging.googleapis.com/trace': trace, ...rest } = payload
  const said = {
    timestamp: String(time),
    ...(severity !== undefined && { severity: String(severity) }),
    ...(trace !== undefined && { trace: String(trace) }),
  }
  const isText = Object.keys(rest).length === 1 && typeof rest.message === 'string'
  if (isText) return { ...common, ...said, textPayload: String(rest.message) }
  return { ...common, ...said, jsonPayload: rest }
}

function invalid(message: string): Answer {
  return { status: 400, body: { error: { code: 400, status: 'INVALID_ARGUMENT', message } } }
}
const denied = { error: { code: 403, status: 'PERMISSION_DENIED' } }
