/**
 * The log as Cloud Logging has it: lines of the functions, which Cloud Run takes from their output, and of relays,
 * which send theirs. Only these: neither Google's audit logs nor the front end's log of requests is read. Needs
 * `logging.logEntries.list`. Google lets a project ask 60 times a minute.
 */
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { describeLogged, type LogLine } from '@porttunneler/shared/control/logs/line'
import type { LogQuery } from '@porttunneler/shared/control/logs/query'
import type { LogPage, Logs } from '@porttunneler/shared/control/logs/role'
import { z } from 'zod'
import { severities } from '../log.ts'
import type { GoogleRest } from './google-rest.ts'

/** The log that relays write to. */
export const relayLogId = 'ptun-relay'
const ownLogs = ['run.googleapis.com/stdout', 'run.googleapis.com/stderr', relayLogId]
/** Google gives an empty page with a token while a search takes long; so many are asked for in one call. */
const emptyPagesMax = 5

const words = z.record(z.string(), z.string()).default({})
const entrySchema = z.object({
  insertId: z.string(),
  logName: z.string(),
  timestamp: z.string(),
  severity: z.string().optional(),
  jsonPayload: z.record(z.string(), z.unknown()).optional(),
  textPayload: z.string().optional(),
  trace: z.string().optional(),
  labels: words,
  resource: z.object({ labels: words }),
})
const pageSchema = z.object({
  entries: z.array(entrySchema).default([]),
  nextPageToken: z.string().optional(),
})

export type GoogleLogsOptions = {
  readonly projectId: string
  readonly rest: GoogleRest
  readonly clock: Clock
  readonly loggingUrl?: string
}

export function openGoogleLogs(options: GoogleLogsOptions): Logs {
  const { projectId, rest, clock, loggingUrl = 'https://logging.googleapis.com' } = options
  const read = async (body: object) => {
    try {
      return await rest.call({ url: `${loggingUrl}/v2/entries:list`, body, schema: pageSchema })
    } catch (error) {
      // The filter is ours; a token of another filter is all that a caller can get wrong.
      if ('pageToken' in body && isFailure(error, 'cloud.refused') && error.fields.status === 400)
        throw fail('api.cursor', undefined, { cause: error })
      throw error
    }
  }
  return {
    async search(query, { limit, after }): Promise<LogPage> {
      const filter = filterOf(query, projectId)
      const asked = {
        resourceNames: [`projects/${projectId}`],
        filter,
        orderBy: 'timestamp desc',
        pageSize: limit,
      }
      let next = after
      let lines: readonly LogLine[] = []
      for (let page = 0; page < emptyPagesMax && lines.length === 0; page++) {
        const { entries, nextPageToken } = await read({
          ...asked,
          ...(next !== undefined && { pageToken: next }),
        })
        lines = entries.map((entry) => lineOf(entry, clock.now()))
        next = nextPageToken
        if (next === undefined) break
      }
      return { lines, ...(next !== undefined && { next }) }
    },
  }
}

/** In Google's Logging query language; conditions on lines of their own are joined by AND. */
export function filterOf(query: LogQuery, projectId: string): string {
  const { code, request, relay, account, source, levelMin, from, to } = query
  const time = (ms: number) => quoted(new Date(ms).toISOString())
  const conditions = [
    `(${ownLogs.map((id) => `log_id(${quoted(id)})`).join(' OR ')})`,
    ...query.words.map(searchFor),
    code !== undefined && `jsonPayload.code=${quoted(code)}`,
    // Google's own id of a request leads to its lines, too.
    request !== undefined &&
      `(jsonPayload.requestId=${quoted(request)} OR trace=${quoted(`projects/${projectId}/traces/${request}`)})`,
    relay !== undefined && `labels.relay=${quoted(relay)}`,
    account !== undefined && `jsonPayload.account=${quoted(account)}`,
    source !== undefined &&
      (source === 'relay'
        ? `log_id(${quoted(relayLogId)})`
        : `resource.labels.service_name=${quoted(source)}`),
    levelMin !== undefined && `severity>=${severities[levelMin]}`,
    from !== undefined && `timestamp>=${time(from)}`,
    to !== undefined && `timestamp<=${time(to)}`,
  ]
  return conditions.filter((condition) => condition !== false).join('\n')
}

/**
 * A text is found as it stands, as in the index of one machine: backticks make several words one. Only what a program
 * said is looked at; names of logs and resources have words too.
 */
function searchFor(word: string): string {
  const text = quoted(`\`${word.replaceAll(/[`\\]/g, ' ')}\``)
  return `(SEARCH(jsonPayload, ${text}) OR SEARCH(textPayload, ${text}))`
}

function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}

function lineOf(entry: z.infer<typeof entrySchema>, nowMs: number): LogLine {
  const { insertId, logName, timestamp, severity, jsonPayload, textPayload, labels, resource, trace } = entry
  const isRelay = logName.endsWith(`/${relayLogId}`)
  const payload = jsonPayload ?? { message: textPayload ?? '' }
  return {
    id: insertId,
    source: isRelay ? 'relay' : (resource.labels.service_name ?? 'unknown'),
    ...(labels.relay !== undefined && { relay: labels.relay }),
    ...describeLogged(
      { ...payload, severity, time: timestamp, ...(trace !== undefined && { trace }) },
      nowMs,
    ),
  }
}
