/**
 * Cloudflare's API for tests, as strict as the real one: bearer and its rights, ids, unknown fields, clashing records,
 * batches that are all or nothing and have at most 200 operations, pages, and 1,200 requests in five minutes.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { z } from 'zod'

const recordSchema = z.strictObject({
  type: z.enum(['A', 'AAAA', 'CNAME', 'TXT']),
  name: z.string().min(1),
  content: z.string().min(1),
  ttl: z.int().min(60).max(86_400),
  proxied: z.boolean(),
  comment: z.string().max(100).optional(),
})
const idSchema = z.string().regex(/^[0-9a-f]{32}$/)
const batchSchema = z.strictObject({
  deletes: z.array(z.strictObject({ id: idSchema })).default([]),
  patches: z.array(recordSchema.partial().extend({ id: idSchema })).default([]),
  posts: z.array(recordSchema).default([]),
})

export type StoredRecord = z.infer<typeof recordSchema> & { readonly id: string; readonly created_on: string }
type Zone = { readonly id: string; readonly name: string; records: StoredRecord[] }
type Said = {
  readonly status: number
  readonly errors?: readonly (readonly [number, string])[]
  readonly result?: unknown
  readonly info?: object
}

class Refusal extends Error {
  readonly said: Said
  constructor(status: number, code: number, message: string) {
    super(message)
    this.said = { status, errors: [[code, message]] }
  }
}

export type CloudflareServer = Awaited<ReturnType<typeof openCloudflareServer>>

/** End it with `close`. `perPageMax` is small, so that tests get several pages. */
export async function openCloudflareServer({
  token = 'good-token',
  perPageMax = 20,
  now = (): number => 0,
} = {}) {
  const zones = new Map<string, Zone>()
  const requests: string[] = []
  let ids = 0
  /** When the requests of the last five minutes came. */
  let came: number[] = []
  let limit = 1_200
  let instead: ((response: ServerResponse) => void) | undefined
  let failing: number | undefined
  let onBatch: (() => void) | undefined
  const nextId = () => (++ids).toString(16).padStart(32, '0')

  function answer(method: string, url: URL, body: unknown, bearer: string | undefined): Said {
    came = [...came.filter((at) => at > now() - 5 * 60_000), now()]
    if (came.length > limit)
      throw new Refusal(429, 971, 'Please wait and consider throttling your request speed')
    if (failing !== undefined) return { status: failing }
    if (bearer === undefined)
      throw new Refusal(400, 9_106, 'Missing X-Auth-Key, X-Auth-Email or Authorization headers')
    if (bearer !== `Bearer ${token}`) throw new Refusal(403, 9_109, 'Invalid access token')
    if (method === 'GET' && url.pathname === '/zones')
      return page(
        url,
        [...zones.values()].map(({ id, name }) => ({ id, name, status: 'active' })),
      )
    const [, id = '', rest = ''] = /^\/zones\/([^/]+)\/dns_records(\/batch)?$/.exec(url.pathname) ?? []
    const zone = [...zones.values()].find((one) => one.id === id)
    if (!zone)
      throw new Refusal(404, 7_003, 'Could not route to the path, perhaps your object identifier is invalid?')
    if (method === 'GET' && rest === '')
      return page(
        url,
        zone.records.filter((record) => matches(record, url.searchParams)),
      )
    if (method === 'POST' && rest === '/batch') return batch(zone, body)
    throw new Refusal(405, 10_000, 'Method not allowed')
  }

  function page(url: URL, all: readonly object[]): Said {
    const number = Number(url.searchParams.get('page') ?? 1)
    const asked = Number(url.searchParams.get('per_page') ?? 100)
    if (!(number >= 1) || !(asked >= 5)) throw new Refusal(400, 1_004, 'DNS Validation Error')
    const size = Math.min(asked, perPageMax)
    const result = all.slice((number - 1) * size, number * size)
    const info = { page: number, per_page: size, count: result.length, total_count: all.length }
    return { status: 200, result, info: { ...info, total_pages: Math.ceil(all.length / size) } }
  }

  function batch(zone: Zone, body: unknown): Said {
    const read = batchSchema.safeParse(body)
    if (!read.success)
      throw new Refusal(400, 9_207, `Request body is invalid: ${read.error.issues[0]?.message}`)
    const { deletes, patches, posts } = read.data
    const count = deletes.length + patches.length + posts.length
    if (count === 0 || count > 200) throw new Refusal(400, 9_208, 'Too many or no operations in the batch')
    const before = onBatch
    onBatch = undefined
    before?.()
    let records = [...zone.records]
    const find = (id: string) => {
      const found = records.find((record) => record.id === id)
      if (!found) throw new Refusal(404, 81_044, 'Record does not exist.')
      return found
    }
    for (const { id } of deletes) {
      const found = find(id)
      records = records.filter((record) => record !== found)
    }
    for (const { id, ...fields } of patches) {
      const found = find(id)
      const set = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
      records = records.map((record) => (record === found ? { ...record, ...set } : record))
    }
    for (const post of posts) {
      if (post.name !== zone.name && !post.name.endsWith(`.${zone.name}`))
        throw new Refusal(400, 9_005, 'Content for the record is outside the zone')
      const others = records.filter((record) => record.name === post.name)
      if (others.some((one) => one.type === post.type && one.content === post.content))
        throw new Refusal(400, 81_058, 'An identical record already exists.')
      if (others.some((one) => (one.type === 'CNAME' || post.type === 'CNAME') && one.type !== 'TXT'))
        throw new Refusal(400, 81_053, 'An A, AAAA, or CNAME record with that host already exists.')
      records.push({ ...post, id: nextId(), created_on: new Date(now()).toISOString() })
    }
    zone.records = records
    return { status: 200, result: { deletes, patches, posts } }
  }

  const server = createServer((request, response) => {
    void read(request).then((text) => {
      const url = new URL(request.url ?? '/', 'http://localhost')
      requests.push(`${request.method} ${url.pathname}`)
      if (instead) {
        instead(response)
        return
      }
      const said = attempt(() =>
        answer(
          request.method ?? '',
          url,
          text === '' ? undefined : JSON.parse(text),
          request.headers.authorization,
        ),
      )
      const { status, errors = [], result = null, info } = said
      const body = {
        success: status === 200,
        errors: errors.map(([code, message]) => ({ code, message })),
        messages: [],
        result,
        ...(info && { result_info: info }),
      }
      response.writeHead(status, {
        'content-type': 'application/json',
        ...(status === 429 && { 'retry-after': '120' }),
      })
      response.end(status >= 500 ? '<html>bad gateway</html>' : JSON.stringify(body))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    requests,
    zone(name: string, records: readonly Omit<StoredRecord, 'id' | 'created_on'>[] = []) {
      const made = records.map((record) => ({
        ...record,
        id: nextId(),
        created_on: new Date(now()).toISOString(),
      }))
      zones.set(name, { id: nextId(), name, records: made })
    },
    add(name: string, record: Omit<StoredRecord, 'id' | 'created_on'>) {
      zones.get(name)?.records.push({ ...record, id: nextId(), created_on: new Date(now()).toISOString() })
    },
    recordsOf: (name: string) => zones.get(name)?.records ?? [],
    change(name: string, next: (record: StoredRecord) => StoredRecord | undefined) {
      const zone = zones.get(name)
      if (zone) zone.records = zone.records.flatMap((record) => next(record) ?? [])
    },
    /** So many requests are left in these five minutes. */
    leave: (count: number) => {
      limit = came.length + count
    },
    /** Every request gets this answer instead. */
    answerWith: (answer: ((response: ServerResponse) => void) | undefined) => {
      instead = answer
    },
    fail: (status: number | undefined) => {
      failing = status
    },
    /** Lets somebody else act first, once. */
    beforeBatch: (run: () => void) => {
      onBatch = run
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function matches(record: StoredRecord, query: URLSearchParams): boolean {
  for (const name of query.keys())
    if (!['page', 'per_page', 'type', 'name.exact'].includes(name))
      throw new Refusal(400, 1_004, `Unknown filter ${name}`)
  const [type, name] = [query.get('type'), query.get('name.exact')]
  return (type === null || record.type === type) && (name === null || record.name === name)
}

function attempt(run: () => Said): Said {
  try {
    return run()
  } catch (error) {
    if (error instanceof Refusal) return error.said
    return { status: 400, errors: [[6_007, 'Malformed JSON in request body']] }
  }
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}
