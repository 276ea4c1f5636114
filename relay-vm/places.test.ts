import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import type { Command } from '@porttunneler/shared/api/schemas/relays'
import { newId } from '@porttunneler/shared/base/ids'
import { freePort } from '@porttunneler/shared/testing/ports'
import { expect, test } from 'vitest'
import { Places } from './places.ts'
import type { RelayPorts } from './running.ts'
import { makeTestControl } from './testing/test-control.ts'
import { TestBench } from './testing/test-relay.ts'

const hour = 3_600_000
const day = 24 * hour
const served = (name: string, account = 'acc') => ({
  endpoint: `host:${name}`,
  claims: { account, kind: 'http' as const },
})

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'ptun-places-'))
  await body(folder).finally(() => rm(folder, { recursive: true }))
}

test('a host is known for a day after it was served last, over a restart, and what is deleted is not', () =>
  inFolder(async (folder) => {
    const places = await Places.load(folder)
    for (const name of ['kept', 'left', 'deleted']) places.serves(served(name), 0)
    places.gone('host:deleted')
    places.prune(day, [served('kept')])
    await places.save()
    const next = await Places.load(folder)
    next.prune(day + 1, [])
    expect(['kept', 'left', 'deleted'].map((name) => next.kindOf(name))).toEqual([
      'http',
      undefined,
      undefined,
    ])
    places.serves(served('ahead'), 100 * day)
    places.prune(day, [])
    expect(places.kindOf('ahead'), 'a clock that was a hundred days ahead').toBeUndefined()
  }))

test('an account that serves host after host makes no other one’s forgotten', () =>
  inFolder(async (folder) => {
    const places = await Places.load(folder)
    places.serves(served('shop', 'guest'), 0)
    for (let n = 0; n < 25_000; n++) places.serves(served(`${n}`, 'hog'), n)
    expect([places.kindOf('shop'), places.kindOf('0'), places.kindOf('24999')]).toEqual([
      'http',
      undefined,
      'http',
    ])
  }))

/** What visitors hear of a tunnel, as docs/relay.md shows it; alert 80 is internal_error, 112 unrecognized_name. */
const away = { http: 'PT-4107 503', https: 'PT-4107 503', tls: 'alert 80', tcp: 'ECONNRESET' }
const offline = { ...away, tcp: 'ECONNREFUSED' }
const unknown = { http: 'PT-4014 404', https: 'PT-4014 404', tls: 'PT-4014 404', tcp: 'ECONNREFUSED' }

test.each([
  ['deleted', { reason: 'deleted' }],
  ['at another address', { reason: 'moved', vacant: true }],
])(
  'a visitor hears in every way that a tunnel is offline, over a restart, and that none is there once it is %s',
  async (_name, gone) => {
    const control = await makeTestControl()
    const bench = await TestBench.make(control)
    let command: ((command: Command) => void) | undefined
    const start = (onCommand: (command: Command) => void) => {
      command = onCommand
    }
    const commands = { start, close: async () => {} }
    const first = await bench.startRelay({}, { commands })
    const port = await freePort()
    const tunnels = [
      { kind: 'http', endpoint: 'host:web.tunnels.test', sub: newId('tun', 1) },
      { kind: 'tls', endpoint: 'host:raw.tunnels.test', sub: newId('tun', 2) },
      { kind: 'tcp', endpoint: `tcp:c1:${port}`, sub: newId('tun', 3) },
    ] as const
    const agents = []
    for (const tunnel of tunnels) {
      const ticket = await control.ticket(tunnel)
      const agent = await bench.dial(first.ports, { ticket, upstreamPort: 9 })
      await agent.bind(1, ticket)
      agents.push(agent)
    }
    const heard = async (ports: RelayPorts) => ({
      http: await askHttp(ports, 'web.tunnels.test'),
      https: await askTls(ports, 'web.tunnels.test'),
      tls: await askTls(ports, 'raw.tunnels.test'),
      tcp: await askTcp(port),
    })
    const revoke = (change: { readonly reason: string; readonly vacant?: boolean }, epoch: number) => {
      const at = Math.round(control.nowMs())
      for (const { endpoint } of tunnels)
        command?.({ id: 'cmd', kind: 'revoke', at, endpoint, epoch, ...change })
    }
    for (const { session } of agents) session.close('session.closed')
    await expect.poll(() => heard(first.ports), { timeout: 10_000 }).toEqual(away)
    revoke({ reason: 'released' }, 1_000)
    expect(await heard(first.ports), 'released by its agent').toEqual(offline)
    await first.relay.close()
    const second = await bench.startRelay({}, { commands })
    expect(await heard(second.ports), 'after a restart').toEqual(offline)
    revoke(gone, 1_000)
    expect(await heard(second.ports)).toEqual(unknown)
    const never = 'never.tunnels.test'
    expect([await askHttp(second.ports, never), await askTls(second.ports, never)]).toEqual([
      'PT-4014 404',
      'PT-4014 404',
    ])
    const elsewhere = 'web.other-cell.test'
    expect([await askHttp(second.ports, elsewhere), await askTls(second.ports, elsewhere)]).toEqual([
      'PT-4014 404',
      'alert 112',
    ])
    await bench.close()
  },
)

async function askHttp({ httpPort: port }: RelayPorts, host: string): Promise<string> {
  const asked = request({ port, host: '127.0.0.1', headers: { host }, agent: false }).end()
  const [response] = await once(asked, 'response')
  return said(response.statusCode, await bodyOf(response))
}

async function askTls({ tlsPort: port }: RelayPorts, servername: string): Promise<string> {
  const socket = connectTls({ socket: connect(port, '127.0.0.1'), servername, rejectUnauthorized: false })
  socket.end(`GET / HTTP/1.1\r\nHost: ${servername}\r\nConnection: close\r\n\r\n`)
  try {
    const text = await bodyOf(socket)
    return said(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1], text)
  } catch (error) {
    return `alert ${/SSL alert number (\d+)/.exec(`${error}`)?.[1]}`
  }
}

/** The code with which a connection fails. */
async function askTcp(port: number): Promise<string | undefined> {
  const [error] = (await once(connect(port, '127.0.0.1'), 'error')) as [Error & { code?: string }]
  return error.code
}

function said(status: unknown, text: string): string {
  return `${/PT-\d+/.exec(text)?.[0]} ${status}`
}

async function bodyOf(stream: AsyncIterable<unknown>): Promise<string> {
  let text = ''
  for await (const chunk of stream) text += String(chunk)
  return text
}
