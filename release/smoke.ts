/**
 * Tries a service from outside as its users do: opens a tunnel with ptun, visits it, and compares what comes back.
 * `PTUN_KEY=… node release/smoke.ts --server https://tunnels.example.com --cell eu`. Ends with 0 when all visits get
 * through. A release runs it for every cell.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { lookup } from 'node:dns'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, get, type Server } from 'node:http'
import { get as getTls } from 'node:https'
import type { AddressInfo, LookupFunction } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { z } from 'zod'

const onlineMs = 60_000
const visitMs = 30_000
const visits = 3
/** More than one window of a stream, so that credit has to come back. */
const bodyBytes = 300_000
const lastWordsChars = 1_000

const eventSchema = z.looseObject({
  event: z.string(),
  url: z.url().optional(),
  problem: z.looseObject({ code: z.string(), detail: z.string() }).optional(),
})

/** Names below `localhost` are this machine, whatever its resolver says (RFC 6761). */
const resolve: LookupFunction = (host, options, callback) =>
  lookup(/(^|\.)localhost$/.test(host) ? '127.0.0.1' : host, options, callback)

/** @throws Error that says what a visitor met */
async function smoke(server: string, cell: string | undefined): Promise<string> {
  const body = randomBytes(bodyBytes)
  const upstream = await listen(body)
  const home = mkdtempSync(join(tmpdir(), 'ptun-smoke-'))
  const agent = startAgent(home, [
    'http',
    String((upstream.address() as AddressInfo).port),
    ...[
      '--server',
      server,
      '--name',
      `release-smoke${cell === undefined ? '' : `-${cell}`}`,
      '--takeover',
      '--json',
    ],
    ...(cell === undefined ? [] : ['--cell', cell]),
  ])
  try {
    const url = await online(agent)
    for (let visit = 1; visit <= visits; visit++) await check(new URL(`/${visit}`, url), body)
    return `${visits} visits of ${url} got through`
  } finally {
    await stop(agent)
    upstream.close()
    upstream.closeAllConnections()
    rmSync(home, { recursive: true, force: true })
  }
}

async function listen(body: Buffer): Promise<Server> {
  const server = createServer((_, response) => response.end(body))
  const { promise, resolve: done, reject } = Promise.withResolvers<void>()
  server.once('error', reject).listen(0, '127.0.0.1', done)
  await promise
  return server
}

function startAgent(home: string, args: readonly string[]): ChildProcess {
  const { PATH, PTUN_KEY, NODE_EXTRA_CA_CERTS } = process.env
  return spawn(process.execPath, [join(import.meta.dirname, '../cli/ptun.js'), ...args], {
    cwd: home,
    env: {
      PATH,
      PTUN_KEY,
      ...(NODE_EXTRA_CA_CERTS !== undefined && { NODE_EXTRA_CA_CERTS }),
      HOME: home,
      XDG_CONFIG_HOME: join(home, 'config'),
      XDG_STATE_HOME: join(home, 'state'),
      XDG_RUNTIME_DIR: join(home, 'run'),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** Resolves to the tunnel's address. */
async function online(agent: ChildProcess): Promise<string> {
  const { promise, resolve: found, reject } = Promise.withResolvers<string>()
  let lastWords = ''
  const hear = (text: string) => {
    lastWords = `${lastWords}${text}\n`.slice(-lastWordsChars)
    if (!text.startsWith('{')) return
    const { event, url, problem } = eventSchema.parse(JSON.parse(text))
    if (event === 'tunnel.online' && url !== undefined) found(url)
    if (event === 'tunnel.refused') reject(new Error(`${problem?.code}: ${problem?.detail}`))
  }
  for (const stream of [agent.stdout, agent.stderr])
    if (stream)
      createInterface({ input: stream }).on('line', (text) => {
        try {
          hear(text)
        } catch (cause) {
          reject(new Error(`ptun said ${text}`, { cause }))
        }
      })
  agent.once('error', reject)
  agent.once('close', (code) => reject(new Error(`ptun ended with ${code}: ${lastWords}`)))
  const late = AbortSignal.timeout(onlineMs)
  late.addEventListener('abort', () =>
    reject(new Error(`the tunnel is not online after ${onlineMs / 1000} s: ${lastWords}`)),
  )
  return await promise
}

async function check(url: URL, body: Buffer): Promise<void> {
  const { promise, resolve: done, reject } = Promise.withResolvers<void>()
  const options = { lookup: resolve, agent: false, signal: AbortSignal.timeout(visitMs) } as const
  const request = (url.protocol === 'https:' ? getTls : get)(url, options, (response) => {
    const hash = createHash('sha256')
    response
      .on('data', (chunk: Buffer) => hash.update(chunk))
      .once('error', reject)
      .once('end', () => {
        const isWhole = hash.digest('hex') === createHash('sha256').update(body).digest('hex')
        if (response.statusCode === 200 && isWhole) done()
        else reject(new Error(`status ${response.statusCode}, ${isWhole ? 'right' : 'another'} body`))
      })
  }).once('error', reject)
  try {
    await promise
  } catch (cause) {
    request.destroy()
    throw new Error(`${url.origin} did not answer as it should: ${(cause as Error).message}`, { cause })
  }
}

async function stop(agent: ChildProcess): Promise<void> {
  if (agent.exitCode !== null || agent.signalCode !== null || agent.pid === undefined) return
  const { promise, resolve: gone } = Promise.withResolvers<void>()
  agent.once('close', () => gone())
  agent.kill('SIGTERM')
  AbortSignal.timeout(visitMs).addEventListener('abort', () => agent.kill('SIGKILL'))
  await promise
}

const { server, cell } = parseArgs({
  options: { server: { type: 'string' }, cell: { type: 'string' } },
}).values
try {
  if (server === undefined) throw new Error('Name the service with --server')
  process.stdout.write(`${await smoke(server, cell)}\n`)
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exitCode = 1
}
