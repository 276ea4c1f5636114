/**
 * Finds requests: the list of the page, by cursor. Reading a hundred megabytes of bodies takes longer than a connection
 * should wait, so it is done in portions, with the agent's work between them.
 */
import { setImmediate } from 'node:timers/promises'
import type { InspectedPage, InspectedSummary } from '@porttunneler/shared/api/schemas/inspection'
import { z } from 'zod'
import type { Entry, Message } from './entry.ts'
import type { Inspector } from './inspector.ts'

const limitMax = 200
/** Half a millisecond of searching. */
const portionBytes = 1_000_000
const portionEntries = 200

const number = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER)
const text = z.string().min(1).max(200)

/** The query of the list. `status`: 404, 4xx, or error; the texts are parts, in any case. */
export const searchSchema = z.strictObject({
  before: number.optional(),
  limit: z.coerce.number().int().min(1).max(limitMax).default(50),
  tunnel: text.optional(),
  method: text.optional(),
  status: z
    .string()
    .regex(/^(?:[1-5][0-9][0-9]|[1-5]xx|error|none)$/)
    .optional(),
  path: text.optional(),
  header: text.optional(),
  body: text.optional(),
  pinned: z.literal('true').optional(),
})
export type Search = z.infer<typeof searchSchema>

export async function searchRequests(inspector: Inspector, search: Search): Promise<InspectedPage> {
  const { ring, revision } = inspector.recorder
  const { before = Number.MAX_SAFE_INTEGER, limit } = search
  const requests: InspectedSummary[] = []
  let [bytes, seen] = [0, 0]
  for (const entry of ring.newest()) {
    if (entry.id >= before) continue
    if (bytes > portionBytes || seen > portionEntries) {
      bytes = seen = 0
      await setImmediate()
    }
    seen += 1
    if (search.body !== undefined) bytes += entry.charged
    if (!matches(entry, search, ring.isPinned(entry.id))) continue
    if (requests.length === limit) return { requests, next: requests.at(-1)?.id ?? 0, revision }
    requests.push(inspector.summaryOf(entry))
  }
  return { requests, revision }
}

function matches(entry: Entry, search: Search, isPinned: boolean): boolean {
  const { tunnel, method, status, path, header, body, pinned } = search
  return (
    (pinned === undefined || isPinned) &&
    (tunnel === undefined || entry.origin.label === tunnel) &&
    (method === undefined || entry.method === method.toUpperCase()) &&
    (status === undefined || hasStatus(entry, status)) &&
    (path === undefined || contains(entry.target, path)) &&
    (header === undefined || inEither(entry, (message) => hasHeader(message, header))) &&
    (body === undefined || inEither(entry, (message) => message.body.bytes.includes(body)))
  )
}

function inEither({ request, answer }: Entry, has: (message: Message) => boolean): boolean {
  return has(request) || (answer !== undefined && has(answer))
}

function hasHeader({ headers }: Message, wanted: string): boolean {
  return headers.some(([name, value]) => contains(`${name}: ${value}`, wanted))
}

function hasStatus({ status, failure }: Entry, wanted: string): boolean {
  if (wanted === 'none') return status === undefined
  if (wanted === 'error') return failure !== undefined || (status ?? 0) >= 400
  return wanted.endsWith('xx')
    ? String(status).startsWith(wanted.charAt(0)) && status !== undefined
    : String(status) === wanted
}

function contains(whole: string, part: string): boolean {
  return whole.toLowerCase().includes(part.toLowerCase())
}
