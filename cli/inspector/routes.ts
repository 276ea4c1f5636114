/** The API of the inspector (docs/inspector.md): what each path does, apart from how it is served (server.ts). */
import type { ReplayWish } from '@porttunneler/shared/api/schemas/inspection'
import { fail } from '@porttunneler/shared/base/errors'
import { z } from 'zod'
import { sayIssue, sayPlace } from '../issue-words.ts'
import { pictureType, viewBody } from './body-view.ts'
import { asCurl, asFetch } from './copy-as.ts'
import { decodeBody } from './decode.ts'
import type { Entry, Message } from './entry.ts'
import { asHar } from './har.ts'
import type { Inspector } from './inspector.ts'
import { searchRequests, searchSchema } from './search.ts'

export type Call = {
  readonly method: string
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  /** Parsed JSON; undefined if there is none. */
  readonly body: unknown
}

export type Reply = {
  readonly type: string
  readonly body: string | Buffer
  /** The name of a download; then no browser shows it. */
  readonly file?: string
}

type Handle = (inspector: Inspector, call: Call, id: number) => Reply | Promise<Reply>

/** All requests of a full list; their bodies are bounded by the ring. */
const harMax = 1_000
const framesMax = 500
const changesMax = 100

const sideSchema = z.strictObject({ of: z.enum(['request', 'answer']) })
const line = z.tuple([z.string().max(256), z.string().max(65_536)])
const wishSchema = z.strictObject({
  times: z.int().min(1).max(changesMax).exactOptional(),
  method: z.string().min(1).max(32).exactOptional(),
  target: z.string().min(1).max(65_536).exactOptional(),
  headers: z.array(line).max(200).exactOptional(),
  body: z.string().max(1_000_000).exactOptional(),
}) satisfies z.ZodType<ReplayWish>
const pinSchema = z.strictObject({ pinned: z.boolean() })
const lastSchema = z.strictObject({ tunnel: z.string().max(200).exactOptional() })
const copySchema = z.strictObject({ as: z.enum(['curl', 'fetch', 'har']) })
const framesSchema = z.strictObject({
  after: z.coerce.number().int().min(0).default(0),
})

const routes: readonly (readonly [method: string, path: RegExp, handle: Handle])[] = [
  ['GET', /^\/api\/about$/, (inspector) => json(inspector.about)],
  ['GET', /^\/api\/connections$/, (inspector) => json({ connections: inspector.connections })],
  [
    'GET',
    /^\/api\/requests$/,
    async (inspector, { query }) => json(await searchRequests(inspector, parse(searchSchema, query))),
  ],
  [
    'DELETE',
    /^\/api\/requests$/,
    (inspector) => {
      inspector.clear()
      return json({})
    },
  ],
  ['GET', /^\/api\/requests\.har$/, archive],
  ['GET', /^\/api\/requests\/(\d+)$/, (inspector, _call, id) => json(detailOf(inspector, id))],
  [
    'GET',
    /^\/api\/requests\/(\d+)\/body$/,
    async (inspector, call, id) => json(await viewBody(sideOf(inspector, call, id))),
  ],
  ['GET', /^\/api\/requests\/(\d+)\/raw$/, download],
  ['GET', /^\/api\/requests\/(\d+)\/picture$/, picture],
  ['GET', /^\/api\/requests\/(\d+)\/copy$/, copy],
  ['GET', /^\/api\/requests\/(\d+)\/frames$/, frames],
  [
    'POST',
    /^\/api\/requests\/(\d+)\/pin$/,
    (inspector, { body }, id) => {
      inspector.pin(id, parse(pinSchema, body).pinned)
      return json(detailOf(inspector, id))
    },
  ],
  [
    'POST',
    /^\/api\/requests\/(\d+)\/replay$/,
    (inspector, { body }, id) =>
      json(inspector.replays.send(inspector.entry(id), parse(wishSchema, body ?? {}))),
  ],
  [
    'POST',
    /^\/api\/resend-last$/,
    (inspector, { body }) => json({ ids: [inspector.resendLast(parse(lastSchema, body ?? {}).tunnel)] }),
  ],
]

/** @throws what the parts throw, cli.usage for a query or body that is not understood, inspector.gone for a path */
export async function answerCall(inspector: Inspector, call: Call): Promise<Reply> {
  for (const [method, path, handle] of routes) {
    const found = method === call.method ? path.exec(call.path) : null
    if (found) return await handle(inspector, call, Number(found[1] ?? 0))
  }
  throw fail('inspector.gone', 'The inspector has no such page.')
}

function json(value: unknown): Reply {
  return { type: 'application/json', body: JSON.stringify(value) }
}

function detailOf(inspector: Inspector, id: number) {
  return inspector.entry(id).detail(inspector.recorder.ring.isPinned(id))
}

function sideOf(inspector: Inspector, { query }: Call, id: number): Message {
  const { of } = parse(sideSchema, query)
  const entry = inspector.entry(id)
  const message = of === 'request' ? entry.request : entry.answer
  if (!message) throw fail('inspector.gone', `Request ${id} has no answer yet.`)
  return message
}

/** Bytes of strangers, so a browser may only save them. */
async function download(inspector: Inspector, call: Call, id: number): Promise<Reply> {
  const message = sideOf(inspector, call, id)
  const { bytes } = await decodeBody(message.body.bytes, message.header('content-encoding'))
  return { type: 'application/octet-stream', body: bytes, file: `${call.query.of}-${id}.bin` }
}

async function picture(inspector: Inspector, call: Call, id: number): Promise<Reply> {
  const message = sideOf(inspector, call, id)
  const { bytes } = await decodeBody(message.body.bytes, message.header('content-encoding'))
  const type = pictureType(bytes)
  if (!type) throw fail('inspector.gone', 'This is no picture that can be shown safely.')
  return { type, body: bytes }
}

async function copy(inspector: Inspector, { query }: Call, id: number): Promise<Reply> {
  const { as } = parse(copySchema, query)
  const entry = inspector.entry(id)
  const text = as === 'curl' ? asCurl(entry) : as === 'fetch' ? asFetch(entry) : await asHar([entry])
  return { type: 'text/plain; charset=utf-8', body: text }
}

async function archive(inspector: Inspector): Promise<Reply> {
  const body = await asHar(inspector.recorder.ring.newest().slice(0, harMax))
  return { type: 'application/json', body, file: 'requests.har' }
}

function frames(inspector: Inspector, { query }: Call, id: number): Reply {
  const { after } = parse(framesSchema, query)
  const log: Entry['frames'] = inspector.entry(id).frames
  return json({ frames: log?.list(after, framesMax) ?? [], total: log?.total ?? 0 })
}

function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const place = sayPlace(issue?.path ?? [])
  throw fail('cli.usage', `${place || 'The call'}: ${issue ? sayIssue(issue) : 'not understood'}.`)
}
