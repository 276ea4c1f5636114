/**
 * An own domain on a standalone server, with `ptun` as a person types it and the test's DNS: a wrong record is reported
 * with its code, the right one is found, visitors come by the domain, it moves to another tunnel, and it is removed.
 */
import { rmSync } from 'node:fs'
import { DnsWorld } from '@porttunneler/shared/testing/dns-world'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { agentHome, privateFolders, ptun } from './harness/agent.ts'
import { eventually } from './harness/events.ts'
import { visit } from './harness/http.ts'
import { type Program, type ProgramOptions, runProgram, startProgram, textOf } from './harness/programs.ts'
import type { Service } from './harness/service.ts'
import {
  freeSettings,
  joinByMail,
  type Standalone,
  startStandalone,
  temporaryFolder,
} from './harness/standalone.ts'
import { type HttpUpstream, startHttp } from './harness/upstreams.ts'

const host = 'app.example.com'
const recordSchema = z.object({ type: z.string(), value: z.string() })
const pendingSchema = z.object({ event: z.literal('domain.pending'), records: z.array(recordSchema) })
const waitingSchema = z.object({
  event: z.literal('domain.waiting'),
  findings: z.array(z.object({ code: z.string() })),
})

let world: DnsWorld
let server: Standalone
let service: Pick<Service, 'api' | 'addressOf'>
let env: NonNullable<ProgramOptions['env']>
const upstreams: HttpUpstream[] = []
const running: Program[] = []
const folders: string[] = []

beforeAll(async () => {
  world = await DnsWorld.open()
  await world.zone('example.com', [])
  const resolvers = world.resolvers.map(({ address, port }) => `${address}:${port}`).join(',')
  server = await startStandalone({
    folder: temporaryFolder('domains'),
    env: {
      ...(await freeSettings()),
      PORTTUNNELER_REGISTRATION: 'true',
      PORTTUNNELER_DEMO: 'false',
      PORTTUNNELER_RESOLVERS: resolvers,
      // Servers of zones must have public addresses, which a test does not have.
      PORTTUNNELER_TRUST_RESOLVERS: 'true',
    },
  })
  service = {
    api: new URL(server.file.api).origin,
    addressOf: (_host, port) => ({ host: '127.0.0.1', port }),
  }
  env = await join()
  for (const says of ['first', 'second'])
    upstreams.push(await startHttp({ '/': (_request, response) => response.end(says) }))
})
afterAll(async () => {
  for (const program of running) await program.stop()
  for (const upstream of upstreams) await upstream.close()
  await server?.program.stop()
  world?.close()
  for (const folder of [...folders, server.folder]) rmSync(folder, { recursive: true, force: true })
})

async function call(token: string, method: string, path: string, json: object): Promise<unknown> {
  const answer = await fetch(`${service.api}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(json),
    signal: AbortSignal.timeout(20_000),
  })
  return answer.json()
}

/** A person with an account, a key and a home of their own. */
async function join(): Promise<NonNullable<ProgramOptions['env']>> {
  const accessToken = await joinByMail(server, {
    email: 'ada@example.com',
    password: 'correct horse battery',
  })
  const wish = { name: 'agent', scopes: ['read', 'tunnels'] }
  const made = await call(accessToken, 'POST', '/v1/keys', wish)
  const { secret } = z.object({ secret: z.string() }).parse(made)
  const home = agentHome()
  folders.push(home)
  return { ...privateFolders(home), PTUN_SERVER: service.api, PTUN_KEY: secret }
}

async function run(...words: string[]) {
  const { exit, stdout, stderr } = await runProgram('node', [ptun, ...words], { env })
  return { code: exit.code, stdout, stderr }
}

/** The first line of the program that matches the schema. */
function told<T>(program: Program, schema: z.ZodType<T>, what: string, timeoutMs = 45_000): Promise<T> {
  return eventually(
    what,
    async () =>
      textOf(program, 'stdout')
        .split('\n')
        .filter(Boolean)
        .map((line) => schema.safeParse(JSON.parse(line)).data)
        .find((one) => one !== undefined),
    timeoutMs,
  )
}

const onlineSchema = z.object({ event: z.literal('tunnel.online'), tunnel: z.string(), url: z.string() })
const ledSchema = z.object({ event: z.literal('domain.led'), url: z.string() })

/** What visitors of the domain get. */
async function seen(url: string): Promise<string> {
  const { status, body } = await visit(service as Service, url, { headers: { accept: 'text/plain' } })
  return status === 200 ? body : `${status}`
}
const comes = (url: string, what: string) =>
  eventually(`${url} says ${what}`, async () => ((await seen(url)) === what ? what : undefined), 45_000)

test('a person is shown the record, told what is wrong with it, and served by the domain', async () => {
  const port = `${upstreams[0]?.port}`
  const agent = await startProgram('node', [ptun, 'http', port, '--domain', 'APP.example.com', '--json'], {
    env,
  })
  running.push(agent)
  const { records } = await told(agent, pendingSchema, 'the record to make')
  const alias = records.find(({ type }) => type === 'CNAME')?.value ?? ''
  const waits = await told(agent, waitingSchema, 'the first look')
  expect(waits.findings.map(({ code }) => code)).toEqual(['PT-2501'])

  await world.zone('example.com', [`app.example.com CNAME ${alias}.`])
  const doubled = waitingSchema.refine(({ findings }) => findings.some(({ code }) => code === 'PT-2504'))
  await told(agent, doubled, 'the domain stands twice in the name of the record')

  await world.zone('example.com', [`app CNAME ${alias}.`])
  const { url } = await told(agent, ledSchema, 'the domain leads here')
  expect(new URL(url).hostname).toBe(host)
  expect(await comes(url, 'first')).toBe('first')

  const list = await run('domains', 'list')
  expect(list.stdout).toMatch(/app\.example\.com +verified +\S+/)
  const again = await run('domains', 'add', host)
  expect(again.stdout).toBe('app.example.com is yours already.')

  // Another tunnel takes it over while visitors use it.
  const other = await startProgram(
    'node',
    [ptun, 'http', `${upstreams[1]?.port}`, '--name', 'two', '--json'],
    { env },
  )
  running.push(other)
  await told(other, onlineSchema, 'the other tunnel is online')
  expect((await run('domains', 'add', host, '--tunnel', 'two')).code).toBe(0)
  await comes(url, 'second')

  await world.zone('example.com', [`app CNAME ${alias}.`, 'app TXT v=spf1'])
  const check = await eventually(
    'a look that is not too soon',
    async () => {
      const done = await run('domains', 'check', host)
      return done.stdout.includes('PT-2507') ? done : undefined
    },
    45_000,
  )
  expect(check.stdout).toContain('app.example.com is verified, but PT-2507.')

  expect((await run('domains', 'remove', host)).code, 'nobody can be asked').toBe(2)
  const removed = await run('domains', 'remove', 'App.Example.com.', '--yes')
  expect(removed.stdout).toBe('Removed app.example.com. It leads nowhere in seconds; delete its record too.')
  await comes(url, '404')
  expect((await run('domains', 'list')).stdout).toBe(
    'No own domains yet. Add one: ptun domains add app.example.com',
  )
}, 180_000)

test('a host that cannot be an own domain is refused with its code', async () => {
  for (const [name, code] of [
    ['co.uk', 'PT-2411'],
    ['p\u0430ypal.com', 'PT-2409'],
    ['192.0.2.1', 'PT-2408'],
  ])
    expect((await run('domains', 'add', name ?? '')).stderr).toContain(code)
  const tcp = await run('tcp', '5432', '--domain', host)
  expect([tcp.code, tcp.stderr.includes('--domain is for http and tls')]).toEqual([2, true])
})
