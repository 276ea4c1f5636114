/** `ptun doctor` names what is broken, and what to do; `ptun api` makes any call. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, createServer as createTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text as readAll } from 'node:stream/consumers'
import { systemClock } from '@porttunneler/shared/base/clock'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { finding } from '../doctor/check.ts'
import { lookAtUpstreams } from '../doctor/machine.ts'
import { lookAtCertificate, lookAtRelays, lookUp } from '../doctor/way.ts'
import { main } from '../main.ts'

const folder = mkdtempSync(join(tmpdir(), 'ptun-doctor-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

async function run(args: readonly string[], more: Record<string, string> = {}) {
  const written = { stdout: '', stderr: '' }
  const to = (name: 'stdout' | 'stderr') => ({
    write: (text: string) => {
      written[name] += text
    },
  })
  const homes = {
    HOME: folder,
    XDG_STATE_HOME: join(folder, 'state'),
    XDG_CONFIG_HOME: join(folder, 'config'),
  }
  const env = { ...homes, XDG_RUNTIME_DIR: join(folder, 'run'), ...more }
  return { exit: await main(args, { stdout: to('stdout'), stderr: to('stderr'), env }), ...written }
}

async function listen(
  server: ReturnType<typeof createServer> | ReturnType<typeof createTcp>,
): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => server.close())
  return (server.address() as AddressInfo).port
}

type Answer = (request: IncomingMessage) => unknown
async function serve(answers: Record<string, Answer>) {
  const server = createServer(async (request, response) => {
    const answer = await answers[`${request.method} ${request.url}`]?.(request)
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' })
    response.end(
      JSON.stringify(answer ?? { type: 'about:blank', title: 'Not found', status: 404, code: 'PT-0002' }),
    )
  })
  return `http://127.0.0.1:${await listen(server)}`
}

const lines = (stdout: string) =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

describe('ptun doctor', () => {
  test('names an absent server with its code and cure, and does not go on from there', async () => {
    const { exit, stdout } = await run(['doctor', '--json'], { PTUN_SERVER: 'http://127.0.0.1:9' })
    const found = lines(stdout)
    expect(exit).toBe(1)
    expect(found.map(({ name, state }) => [name, state])).toEqual([
      ['ptun', 'ok'],
      ['folders', 'ok'],
      ['agents', 'ok'],
      ['proxy', 'ok'],
      ['name', 'ok'],
      ['server', 'failed'],
      [undefined, undefined],
    ])
    expect(found[5]).toMatchObject({ event: 'check', code: 'PT-6030', cure: expect.any(String) })
    expect(found.at(-1)).toEqual({ event: 'doctor', failed: 1, warnings: 0 })
  })

  test('a clock that is far off is a warning with the difference', async () => {
    const now = Date.now() - 3_600_000
    const server = await serve({ 'GET /v1/health': () => ({ status: 'ok', version: '0.1.0', now }) })
    const { exit, stdout } = await run(['doctor'], { PTUN_SERVER: server })
    expect(stdout).toMatch(/look +clock +the clock of this machine is \S+ ?\S* ahead of the server's/)
    expect(stdout, 'nobody is signed in').toContain('PT-6020')
    expect(exit).toBe(1)
  })

  test('each upstream of ptun.yaml is tried once', async () => {
    const port = await listen(createTcp((socket) => socket.destroy()))
    const closed = createTcp()
    const gone = await listen(closed)
    closed.close()
    const tunnel = (to: number) => ({ kind: 'tcp' as const, upstream: { host: '127.0.0.1', port: to } })
    const context = { clock: systemClock } as Parameters<typeof lookAtUpstreams>[0]
    const found = await lookAtUpstreams(context, [tunnel(port), tunnel(gone), tunnel(port)])
    expect(found).toMatchObject([{ state: 'ok' }, { state: 'failed', code: 'PT-6040' }])
  })
})

describe('ptun doctor, on the way out', () => {
  const place = (port: number) => ({ host: '127.0.0.1', port, isEncrypted: true })
  const context = { clock: systemClock, env: {} } as Parameters<typeof lookAtRelays>[0]
  const cell = (port: number) => ({ cells: [{ id: 'one', host: '127.0.0.1', port }] })
  type Cells = Parameters<typeof lookAtRelays>[1]

  test('a name that no name server knows has a code and a cure', async () => {
    const unknown = async () => {
      throw Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' })
    }
    const [found] = await finding('name', () =>
      lookUp({ host: 'no.example.test', port: 443, isEncrypted: true }, unknown),
    )
    expect(found).toMatchObject({ state: 'failed', code: 'PT-6080', cure: expect.any(String) })
    expect(found?.text).toMatch(
      /^no\.example\.test was not found \(ENOTFOUND\): no name server knows the name/,
    )
  })

  test('a server and a relay that take a connection and say nothing have codes of their own', async () => {
    const port = await listen(createTcp())
    const [server] = await finding('certificate', () => lookAtCertificate(place(port), 20))
    const [relay] = await finding('relays', () => lookAtRelays(context, cell(port) as Cells, 20))
    expect(server).toMatchObject({ state: 'failed', code: 'PT-6081' })
    expect(relay).toMatchObject({ name: 'relay of one', state: 'failed', code: 'PT-6082' })
    expect(relay?.text).toBe(`127.0.0.1:${port} gave no answer within 20 ms`)
  })

  test('a relay that is not there has the code that a running agent tells', async () => {
    const closed = createTcp()
    const port = await listen(closed)
    closed.close()
    const [relay] = await finding('relays', () => lookAtRelays(context, cell(port) as Cells))
    expect(relay).toMatchObject({ state: 'failed', code: 'PT-3024' })
    expect(relay?.text).toMatch(/ECONNREFUSED/)
  })
})

describe('ptun api', () => {
  const signedIn = (server: string) => ({ PTUN_SERVER: server, PTUN_KEY: `pts_${'a'.repeat(43)}` })

  test('prints what the server answers, and sends the body', async () => {
    let got = ''
    const server = await serve({
      'GET /v1/tunnels?limit=1': () => ({ items: [] }),
      'PATCH /v1/tunnels/tun_1': async (request) => {
        got = `${request.headers['if-match']} ${await readAll(request)}`
        return { ok: true }
      },
    })
    expect(await run(['api', 'get', '/v1/tunnels?limit=1'], signedIn(server))).toMatchObject({
      exit: 0,
      stdout: '{\n  "items": []\n}\n',
    })
    const words = ['api', 'PATCH', '/v1/tunnels/tun_1', '--data', '{"name":"x"}', '--if-match', '3', '--json']
    expect(await run(words, signedIn(server))).toMatchObject({ exit: 0, stdout: '{"ok":true}\n' })
    expect(got).toBe('"3" {"name":"x"}')
  })

  test.each([
    ['PUT /v1/tunnels', 'none of GET'],
    ['GET https://elsewhere.example/v1/tunnels', 'not a path'],
    ['GET //elsewhere.example', 'not a path'],
    ['POST /v1/tunnels --data {', 'not JSON'],
  ])('refuses ptun api %s', async (words, why) => {
    const { exit, stderr } = await run(['api', ...words.split(' ')], signedIn('http://127.0.0.1:9'))
    expect(exit).toBe(2)
    expect(stderr).toContain(why)
  })

  test('a refusal ends with the code and exit of the server', async () => {
    const server = await serve({})
    const { exit, stderr } = await run(['api', 'GET', '/v1/nothing'], signedIn(server))
    expect(exit).toBeGreaterThan(0)
    expect(stderr).toMatch(/^PT-0002/)
  })
})
