/**
 * A stand-in for API, relay and web server, for looking at the console alone: `node web/testing/mock-server.ts [port]`.
 * It answers by the shared schemas (what it sends is parsed before it goes out) and with the strict security policy.
 * Never shipped; the e2e tests use the real server.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { extname, join } from 'node:path'
import {
  devicePendingSchema,
  keyCreatedSchema,
  keySchema,
  keysLeftSchema,
  meSchema,
  passwordChangedSchema,
  tokensSchema,
} from '@porttunneler/shared/api/schemas/accounts'
import { billingSchema } from '@porttunneler/shared/api/schemas/billing'
import { pageSchema, problemSchema } from '@porttunneler/shared/api/schemas/common'
import { domainSchema } from '@porttunneler/shared/api/schemas/domains'
import { plansSchema } from '@porttunneler/shared/api/schemas/plans'
import { reservedNameSchema, reservedPortSchema } from '@porttunneler/shared/api/schemas/reservations'
import { accountSchema, configSchema } from '@porttunneler/shared/api/schemas/service'
import { isServed, tunnelStates } from '@porttunneler/shared/api/schemas/tunnel-words'
import {
  liveSampleSchema,
  type Tunnel,
  tunnelPageSchema,
  tunnelSchema,
  watchSchema,
} from '@porttunneler/shared/api/schemas/tunnels'
import { account, manyTunnels, me, mockId, mockKeys, mockTunnels, nothingSold, plans } from './mock-data.ts'
import { sendHistory, sendRelayHistory } from './mock-history.ts'
import { more } from './mock-more.ts'

const policy = "default-src 'self'; connect-src *; img-src 'self' data:; style-src 'self'"
const types: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
}
const dist = join(import.meta.dirname, '../dist')

const startMs = Date.now()
let tunnels = process.argv.includes('--empty')
  ? []
  : process.argv.includes('--many')
    ? manyTunnels(startMs)
    : mockTunnels(startMs)
let keys = process.argv.includes('--empty') ? [] : mockKeys(startMs)
let refreshes = 0

type Schema = { parse(value: unknown): unknown }

function send(answer: ServerResponse, schema: Schema, body: object, status = 200): void {
  answer.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(schema.parse(body)))
}

function refuse(answer: ServerResponse, status: number, code: string, title: string, cure: string): void {
  const body = { type: `/errors/${code}`, title, status, code, detail: `${title}: said by the mock.`, cure }
  answer
    .writeHead(status, { 'content-type': 'application/problem+json' })
    .end(JSON.stringify(problemSchema.parse({ ...body, instance: 'req_1' })))
}

function sendTokens(answer: ServerResponse): void {
  refreshes += 1
  send(answer, tokensSchema, {
    accessToken: `a${refreshes}`,
    expiresIn: 900,
    refreshToken: `ptr_${refreshes}`,
  })
}

type Body = Record<string, unknown>
type Handler = (answer: ServerResponse, body: Body, id: string, request: IncomingMessage) => void

const routes: [method: string, path: RegExp, handler: Handler][] = [
  [
    'GET',
    /^\/v1\/config$/,
    (answer) =>
      send(answer, configSchema, {
        version: '0.1.0',
        identity: 'local',
        registration: true,
        consoleUrl: '',
        docsUrl: '',
      }),
  ],
  ['GET', /^\/v1\/plans$/, (answer) => send(answer, plansSchema, plans)],
  ['GET', /^\/v1\/billing$/, (answer) => send(answer, billingSchema, nothingSold)],
  ['POST', /^\/v1\/auth\/(register\/confirm|refresh)$/, sendTokens],
  [
    'POST',
    /^\/v1\/auth\/password$/,
    (answer) => {
      const tokens = { accessToken: 'changed', expiresIn: 900, refreshToken: 'ptr_changed' }
      send(answer, passwordChangedSchema, { ...tokens, keys })
    },
  ],
  [
    'POST',
    /^\/v1\/auth\/login$/,
    (answer, body) =>
      body.password === 'wrong'
        ? refuse(answer, 401, 'PT-1002', 'Email or password is wrong', 'Try again, or reset the password.')
        : sendTokens(answer),
  ],
  ['POST', /^\/v1\/auth\/password\/reset\/confirm$/, (answer) => send(answer, keysLeftSchema, { keys })],
  [
    'POST',
    /^\/v1\/(auth\/|device\/decision|feedback|wait-list)/,
    (answer) => void answer.writeHead(204).end(),
  ],
  ['GET', /^\/v1\/account$/, (answer) => send(answer, accountSchema, account)],
  ['GET', /^\/v1\/me$/, (answer) => send(answer, meSchema, me)],
  [
    'GET',
    /^\/v1\/device\/(.+)$/,
    (answer, _body, id) =>
      id === 'GONE'
        ? refuse(answer, 404, 'PT-1020', 'No such code', 'Run ptun login again and use the new code.')
        : send(answer, devicePendingSchema, {
            userCode: id,
            device: 'workstation (linux)',
            scopes: ['read', 'tunnels', 'admin'],
            granted: ['read', 'tunnels'],
            keyDays: 180,
            createdAt: Date.now() - 130_000,
            from: '198.51.100.20',
          }),
  ],
  ['GET', /^\/v1\/tunnels$/, (answer, _body, _id, request) => sendTunnels(answer, request)],
  ['GET', /^\/v1\/tunnels\/(.+)$/, (answer, _body, id) => sendTunnel(answer, id)],
  [
    'PATCH',
    /^\/v1\/tunnels\/(.+)$/,
    (answer, body, id, request) => {
      const tunnel = tunnels.find((each) => each.id === id)
      if (tunnel && request.headers['if-match'] !== `"${tunnel.revision}"`)
        return refuse(answer, 412, 'PT-0003', 'Changed meanwhile', 'Read it again and repeat the change.')
      tunnels = tunnels.map((each) =>
        each.id === id ? tunnelSchema.parse({ ...each, ...body, revision: each.revision + 1 }) : each,
      )
      sendTunnel(answer, id)
    },
  ],
  [
    'DELETE',
    /^\/v1\/tunnels\/(.+)$/,
    (answer, _body, id) => {
      tunnels = tunnels.filter((tunnel) => tunnel.id !== id)
      answer.writeHead(204).end()
    },
  ],
  ['GET', /^\/v1\/domains$/, (answer) => send(answer, pageSchema(domainSchema), { items: [] })],
  ['GET', /^\/v1\/names$/, (answer) => send(answer, pageSchema(reservedNameSchema), { items: [] })],
  ['GET', /^\/v1\/ports$/, (answer) => send(answer, pageSchema(reservedPortSchema), { items: [] })],
  ['GET', /^\/v1\/keys$/, (answer) => send(answer, pageSchema(keySchema), { items: keys })],
  [
    'POST',
    /^\/v1\/keys$/,
    (answer, body) => {
      const key = keySchema.parse({
        ...body,
        id: mockId('key', keys.length + 1),
        createdAt: Date.now(),
        hint: 'wxyz',
      })
      keys = [key, ...keys]
      send(
        answer,
        keyCreatedSchema,
        { ...key, secret: 'pts_0123456789abcdefghijklmnopqrstuvwxyzABCDwxyz' },
        201,
      )
    },
  ],
  [
    'DELETE',
    /^\/v1\/keys\/(.+)$/,
    (answer, _body, id) => {
      keys = keys.filter((key) => key.id !== id)
      answer.writeHead(204).end()
    },
  ],
  [
    'POST',
    /^\/v1\/watch$/,
    (answer) =>
      send(answer, watchSchema, {
        ticket: 'watch',
        expiresAt: Date.now() + 60_000,
        sources: ['/live/1', '/live/2'],
      }),
  ],
  ['GET', /^\/live\/(.+)\/history$/, (answer) => sendRelayHistory(answer, startMs)],
  ['GET', /^\/v1\/history$/, (answer, _body, _id, request) => sendHistory(answer, request)],
  ['GET', /^\/live\/([^/]+)$/, (answer) => live(answer)],
  // For looking at a conflict: somebody else edits every tunnel.
  [
    'POST',
    /^\/mock\/edit$/,
    (answer) => {
      tunnels = tunnels.map((tunnel) => ({ ...tunnel, revision: tunnel.revision + 1 }))
      answer.writeHead(204).end()
    },
  ],
]

/** Finds and orders as the server does, except that a cursor is a number here. */
function sendTunnels(answer: ServerResponse, request: IncomingMessage): void {
  const { searchParams } = new URL(request.url ?? '/', 'http://mock')
  const from = Number(searchParams.get('cursor') ?? 0)
  const states = searchParams.get('state')?.split(',')
  const search = (searchParams.get('search') ?? '').toLowerCase()
  const kind = searchParams.get('kind')
  const found = tunnels.filter(
    (tunnel) =>
      (!states || states.includes(tunnel.state)) &&
      (!kind || kind === tunnel.kind) &&
      [tunnel.name, tunnel.id, tunnel.endpoint?.url ?? ''].some((text) => text.includes(search)),
  )
  const rank = ({ state }: Tunnel) => tunnelStates.indexOf(state)
  const orders: Record<string, (a: Tunnel, b: Tunnel) => number> = {
    trouble: (a, b) => rank(a) - rank(b),
    name: (a, b) => a.name.localeCompare(b.name),
  }
  const order = orders[searchParams.get('sort') ?? '']
  const sorted = order ? found.toSorted(order) : found
  const to = from + Number(searchParams.get('limit') ?? 50)
  const count = (state: Tunnel['state']) => tunnels.filter((tunnel) => tunnel.state === state).length
  const page = {
    items: sorted.slice(from, to),
    ...(to < sorted.length && { next: String(to) }),
    ...(from === 0 && {
      counts: {
        total: tunnels.length,
        upstream_failing: count('upstream_failing'),
        refused: count('refused'),
        degraded: count('degraded'),
        connecting: count('connecting'),
        healthy: count('healthy'),
      },
    }),
  }
  const body = JSON.stringify(tunnelPageSchema.parse(page))
  const etag = `"${createHash('sha256').update(body).digest('base64url')}"`
  if (request.headers['if-none-match'] === etag) return void answer.writeHead(304, { etag }).end()
  answer.writeHead(200, { 'content-type': 'application/json', etag }).end(body)
}

function sendTunnel(answer: ServerResponse, id: string): void {
  const tunnel = tunnels.find((each) => each.id === id)
  if (tunnel) send(answer, tunnelSchema, tunnel)
  else refuse(answer, 404, 'PT-0002', 'Not found', 'Check the id; list what you have with ptun list.')
}

/** Two relays of one cell, each with a wave of its own making. */
function live(answer: ServerResponse): void {
  answer.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  const counters = { in: 0, out: 0, opened: 12 }
  const timer = setInterval(() => {
    const seconds = (Date.now() - startMs) / 1_000
    counters.in += Math.round(180_000 * (1.2 + Math.sin(seconds / 7)) * (0.8 + 0.4 * Math.random()))
    counters.out += Math.round(640_000 * (1.1 + Math.cos(seconds / 11)) * (0.8 + 0.4 * Math.random()))
    counters.opened += Math.random() < 0.4 ? 1 : 0
    const active = Math.round(6 + 5 * Math.sin(seconds / 9))
    const sample = {
      at: Date.now(),
      tunnels: Object.fromEntries(
        tunnels
          .filter((tunnel) => isServed(tunnel.state))
          .map((tunnel, index) => [
            tunnel.id,
            index === 0
              ? { ...counters, refused: 2, active, attached: true, rttMs: 23.4 }
              : { in: 81_200, out: 1_930_400, opened: 4, refused: 0, active: 1, attached: true, rttMs: 23.4 },
          ]),
      ),
    }
    answer.write(`data: ${JSON.stringify(liveSampleSchema.parse(sample))}\n\n`)
  }, 1_000)
  answer.on('close', () => clearInterval(timer))
}

async function readBody(request: IncomingMessage): Promise<Body> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString())
}

async function serveFile(path: string, answer: ServerResponse): Promise<void> {
  const name = extname(path) === '' ? '/index.html' : path
  const body = await readFile(join(dist, name)).catch(() => undefined)
  if (!body) return void answer.writeHead(404).end()
  answer.writeHead(200, { 'content-type': types[extname(name)], 'content-security-policy': policy }).end(body)
}

const server = createServer(async (request, answer) => {
  const path = new URL(request.url ?? '/', 'http://mock').pathname
  for (const [method, pattern, handler] of routes) {
    const match = method === request.method && pattern.exec(path)
    if (match) return handler(answer, await readBody(request), decodeURIComponent(match[1] ?? ''), request)
  }
  const known = request.method === 'GET' ? more[path] : undefined
  if (known) return send(answer, known[0], known[1](new URL(request.url ?? '/', 'http://mock')) as object)
  await serveFile(path, answer)
})
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify(server.address())}\n`)
})
