/**
 * Names and ports on a standalone server, with `ptun` as a person types it: a pronounceable name, a taken name with
 * free alternatives, keeping and releasing, and a name that moves from one tunnel to another while visitors use it.
 */
import { rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
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

const problemSchema = z.object({ code: z.string(), suggestions: z.array(z.string()).optional() })
const keptSchema = z.object({ event: z.string(), url: z.string(), state: z.string() })

describe('names and ports', () => {
  let server: Standalone
  let service: Pick<Service, 'api' | 'addressOf'>
  const upstreams: HttpUpstream[] = []
  const running: Program[] = []
  const folders: string[] = []
  const people: Record<
    string,
    { readonly env: ProgramOptions['env']; readonly account: string; readonly key: string }
  > = {}

  beforeAll(async () => {
    const settings = {
      PORTTUNNELER_REGISTRATION: 'true',
      PORTTUNNELER_PLAN: 'pro',
    }
    server = await startStandalone({
      folder: temporaryFolder('names'),
      env: { ...(await freeSettings()), ...settings },
    })
    service = {
      api: new URL(server.file.api).origin,
      addressOf: (_host, port) => ({ host: '127.0.0.1', port }),
    }
    for (const name of ['ada', 'eve']) people[name] = await join(name)
    for (const says of ['first', 'second'])
      upstreams.push(await startHttp({ '/': (_request, response) => response.end(says) }))
  })
  afterAll(async () => {
    for (const program of running) await program.stop()
    for (const upstream of upstreams) await upstream.close()
    await server?.program.stop()
    for (const folder of [...folders, server.folder]) rmSync(folder, { recursive: true, force: true })
  })

  async function call(token: string, method: string, path: string, json: object): Promise<unknown> {
    const answer = await fetch(`${service.api}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(method !== 'GET' && { body: JSON.stringify(json) }),
      signal: AbortSignal.timeout(60_000),
    })
    return answer.json()
  }

  /** A person with an account, a key and a home of their own. */
  async function join(name: string) {
    const given = { email: `${name}@example.com`, password: 'correct horse battery' }
    const accessToken = await joinByMail(server, given)
    const wish = { name: 'agent', scopes: ['read', 'tunnels'] }
    const { secret } = z
      .object({ secret: z.string() })
      .parse(await call(accessToken, 'POST', '/v1/keys', wish))
    const { account } = z.object({ account: z.string() }).parse(await call(secret, 'GET', '/v1/me', {}))
    const home = agentHome()
    folders.push(home)
    const env = { ...privateFolders(home), PTUN_SERVER: service.api, PTUN_KEY: secret }
    return { env, account, key: secret }
  }

  /** Runs `ptun` for one of them, to its end. */
  async function run(who: string, ...words: string[]) {
    const env = people[who]?.env ?? {}
    const { exit, stdout, stderr } = await runProgram('node', [ptun, ...words], { env })
    return { code: exit.code, stdout, stderr }
  }

  /** Runs one that goes on; resolves to its address. */
  async function serve(who: string, upstream: number, ...words: string[]): Promise<string> {
    const program = await startProgram('node', [ptun, ...words, '--json'], { env: people[who]?.env ?? {} })
    running.push(program)
    const online = z.object({ event: z.literal('tunnel.online'), url: z.string() })
    return eventually(`${words.join(' ')} is online at ${upstream}`, async () => {
      const events = textOf(program, 'stdout').split('\n').filter(Boolean)
      return events.map((line) => online.safeParse(JSON.parse(line)).data?.url).find(Boolean)
    })
  }

  const seen = async (url: string): Promise<string> => {
    const { status, body } = await visit(service as Service, url, { headers: { accept: 'text/plain' } })
    return status === 200 ? body : `${status}`
  }
  const portOf = (index: number) => upstreams[index]?.port ?? 0

  test('a tunnel without a name gets a pronounceable one, and is served by it', async () => {
    const url = await serve('ada', portOf(0), 'http', `${portOf(0)}`)
    expect(new URL(url).hostname).toMatch(/^[a-z]+-[a-z]+-[1-9][0-9]\./)
    expect(await seen(url)).toBe('first')
  })

  test('a name is kept, refused with alternatives, given to a tunnel under visitors, and released', async () => {
    const kept = await run('ada', 'names', 'reserve', 'Shop')
    expect([kept.code, kept.stderr]).toEqual([0, ''])
    expect(kept.stdout).toMatch(/^http:\/\/shop\..* is yours\. Use it: ptun http 3000 --name shop$/)

    // Another person is refused, told what is free, and served there by the printed command.
    const refused = await run('eve', 'http', `${portOf(1)}`, '--name', 'shop')
    expect(refused.code).toBe(1)
    const said = refused.stdout + refused.stderr
    expect(said).toContain('PT-2310')
    const [, example = ''] = /For example: ptun (http \d+ --name [a-z0-9-]+)/.exec(said) ?? []
    expect(await seen(await serve('eve', portOf(1), ...example.split(' ')))).toBe('second')
    const asJson = await run('eve', 'names', 'reserve', 'shop', '--json')
    const problem = problemSchema.parse(JSON.parse(asJson.stdout))
    expect([asJson.code, problem.code, problem.suggestions?.length]).toEqual([1, 'PT-2310', 3])

    // Two tunnels of the account: the name moves from one to the other while both run.
    const shop = await serve('ada', portOf(0), 'http', `${portOf(0)}`, '--name', 'shop')
    expect(await seen(shop)).toBe('first')
    const other = await serve('ada', portOf(1), 'http', `${portOf(1)}`, '--name', 'shop-v2')
    expect(await seen(other)).toBe('second')
    const moved = await run('ada', 'names', 'move', 'shop', '--tunnel', 'shop-v2')
    expect([moved.code, moved.stdout]).toEqual([
      0,
      expect.stringContaining('is for the tunnel "shop-v2" and no other'),
    ])
    await eventually('the other tunnel has it', async () => (await seen(shop)) === 'second' || undefined)
    const list = await run('ada', 'names', 'list', '--json')
    expect(keptSchema.parse(JSON.parse(list.stdout))).toMatchObject({ event: 'name', state: 'in_use' })

    expect((await run('ada', 'names', 'release', 'shop')).code, 'nobody can be asked').toBe(2)
    const gone = await run('ada', 'names', 'release', 'SHOP', '--yes')
    expect([gone.code, gone.stdout]).toEqual([0, expect.stringContaining('The tunnel that uses it goes on.')])
    expect(await seen(shop)).toBe('second')
    expect((await run('ada', 'names', 'list')).stdout).toBe(
      'No names yet. Keep one: ptun names reserve <name>',
    )
  })

  test('a port is kept, used by its number, refused to another and released', async () => {
    const kept = await run('ada', 'ports', 'reserve', '--json')
    const { url } = keptSchema.parse(JSON.parse(kept.stdout))
    const port = new URL(url).port
    const taken = await run('eve', 'ports', 'reserve', port)
    expect([taken.code, taken.stderr]).toEqual([
      1,
      expect.stringMatching(/PT-2302[\s\S]*For example: ptun ports reserve \d+/),
    ])
    expect(await serve('ada', portOf(0), 'tcp', `${portOf(0)}`, '--port', port)).toBe(url)
    expect((await run('ada', 'ports', 'release', port, '--yes')).code).toBe(0)
    expect((await run('ada', 'ports', 'release', port, '--yes')).stderr).toContain('PT-0002')
  })

  test('a hostile Host is refused, and the server lives on', async () => {
    const url = await serve('ada', portOf(0), 'http', `${portOf(0)}`, '--name', 'calm')
    const hosts = [
      'a..b',
      '-',
      '*',
      '_',
      '%41.localhost',
      'calm%2elocalhost',
      'xn--',
      `${'a'.repeat(64)}.localhost`,
    ]
    hosts.push(
      '0x7f.1',
      '[::1]',
      'calm.localhost..',
      'calm_localhost',
      'calm.localhost@x',
      'x.calm.localhost',
      'c alm',
    )
    for (const host of hosts) {
      const { status, body } = await visit(service as Service, url, { headers: { host } })
      expect([host, status, body === 'first']).toEqual([host, expect.toBeOneOf([400, 404, 421]), false])
    }
    for (const host of ['CALM.localhost', 'calm.localhost.', 'Calm.LocalHost:80'])
      expect((await visit(service as Service, url, { headers: { host } })).body, host).toBe('first')
  })

  test('an invalid name is refused before the server is asked, and by the server, with its own code', async () => {
    for (const [name, code] of [
      ['my_shop', 'PT-2405'],
      ['www', 'PT-2304'],
      ['shop.example.org', 'PT-2404'],
    ] as const)
      expect((await run('ada', 'names', 'reserve', name)).stderr).toContain(code)
    expect((await run('ada', 'names', 'move', 'shop')).code).toBe(2)
  })
})
