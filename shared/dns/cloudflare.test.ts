/** Records kept at Cloudflare, against a server as strict as the real one. */
import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type ErrorKey, isFailure } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'
import type { Dns, ZoneRecord } from '../control/platform.ts'
import {
  type CloudflareServer,
  openCloudflareServer,
  type StoredRecord,
} from '../testing/cloudflare-server.ts'
import { DnsWorld } from '../testing/dns-world.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { openCloudflareDns } from './cloudflare.ts'
import { textsServed } from './served.ts'

const zone = 'example.net'
const signal = new AbortController().signal
const a = (name: string, value = '198.51.100.1'): ZoneRecord => ({ type: 'A', name, value })
const cell = [a('tunnels.example.net'), a('*.tunnels.example.net'), a('tunnels.example.net', '198.51.100.2')]
const foreign = { type: 'A', name: 'www.example.net', content: '192.0.2.1', ttl: 300, proxied: true } as const

let server: CloudflareServer
let clock: FakeClock
let served: (name: string, text: string) => boolean
let dns: Dns
const open = (token = 'good-token') =>
  openCloudflareDns({
    token: new Secret(token),
    clock,
    baseUrl: server.baseUrl,
    isServed: async (name, text) => served(name, text),
  })
beforeEach(async () => {
  clock = new FakeClock()
  server = await openCloudflareServer({ now: () => clock.now() })
  server.zone(zone, [foreign])
  server.zone('other.example')
  served = () => true
  dns = open()
})
afterEach(() => server.close())

const there = () =>
  server
    .recordsOf(zone)
    .map(({ type, name, content }) => `${type} ${name} ${content}`)
    .toSorted()
const said = (result: unknown) => JSON.stringify({ success: true, errors: [], result })
const writes = () => server.requests.filter((line) => line.startsWith('POST'))
async function keyOf(run: Promise<unknown>): Promise<string> {
  try {
    await run
    return 'done'
  } catch (error) {
    return isFailure(error) ? error.key : String(error)
  }
}

test('makes the wanted records in one batch, and nothing more when they are there', async () => {
  expect(await dns.keep(cell, signal)).toEqual({ made: 3, removed: 0, foreign: [] })
  expect(there()).toEqual([
    'A *.tunnels.example.net 198.51.100.1',
    'A tunnels.example.net 198.51.100.1',
    'A tunnels.example.net 198.51.100.2',
    'A www.example.net 192.0.2.1',
  ])
  expect(await dns.keep(cell, signal)).toEqual({ made: 0, removed: 0, foreign: [] })
  expect(writes()).toHaveLength(1)
})

test('corrects changed records, and leaves foreign ones', async () => {
  await dns.keep(cell, signal)
  server.change(zone, (record) => {
    if (record.name.startsWith('*')) return undefined
    return record.content === '198.51.100.2' ? { ...record, proxied: true, ttl: 300 } : record
  })
  expect(await dns.keep(cell.slice(0, 2), signal)).toEqual({ made: 1, removed: 1, foreign: [] })
  expect(there()).toEqual([
    'A *.tunnels.example.net 198.51.100.1',
    'A tunnels.example.net 198.51.100.1',
    'A www.example.net 192.0.2.1',
  ])
  server.change(zone, (record) => (record.comment ? { ...record, proxied: true, ttl: 300 } : record))
  await dns.keep(cell.slice(0, 2), signal)
  const ours = server.recordsOf(zone).filter(({ comment }) => comment)
  expect(ours.map(({ proxied, ttl }) => [proxied, ttl])).toEqual([
    [false, 60],
    [false, 60],
  ])
})

test('a foreign record at our name is reported and left alone', async () => {
  const clash = { ...foreign, name: 'tunnels.example.net' }
  server.zone(zone, [
    clash,
    { ...foreign, type: 'CNAME', name: '*.tunnels.example.net', content: 'www.example.net' },
  ])
  const { made, removed, foreign: told } = await dns.keep(cell, signal)
  expect([made, removed, told.length]).toEqual([0, 0, 3])
  expect(there()).toHaveLength(2)
  expect((await dns.keep([a('x.elsewhere.example')], signal)).foreign).toEqual([
    'x.elsewhere.example lies in no zone of the token',
  ])
})

test('500 records take three batches and a page for each twenty, and no name is without an address in between', async () => {
  const many = Array.from({ length: 500 }, (_, n) => a(`n${n}.example.net`))
  expect(await dns.keep(many, signal)).toMatchObject({ made: 500 })
  expect(writes()).toHaveLength(3)
  server.requests.length = 0
  expect(await dns.keep(many, signal)).toMatchObject({ made: 0, removed: 0 })
  expect(server.requests).toHaveLength(26)
})

test('a challenge is made once, waited for and removed, and a leftover is gone a day later', async () => {
  const name = '_acme-challenge.tunnels.example.net'
  let asked = 0
  served = () => ++asked > 2
  const putting = dns.put(name, 'abc', signal)
  let isPut = false
  void putting.then(() => {
    isPut = true
  })
  while (!isPut) await clock.advanceAsync(2_000, 500)
  await dns.put(name, 'abc', signal)
  await dns.put(name, 'def', signal)
  expect(there().filter((line) => line.startsWith('TXT'))).toEqual([`TXT ${name} "abc"`, `TXT ${name} "def"`])
  await dns.remove(name, 'abc', signal)
  await dns.remove(name, 'abc', signal)
  await dns.remove('_acme-challenge.elsewhere.example', 'abc', signal)
  expect(there().filter((line) => line.startsWith('TXT'))).toEqual([`TXT ${name} "def"`])
  await dns.keep(cell, signal)
  expect(there().filter((line) => line.startsWith('TXT'))).toHaveLength(1)
  clock.advance(25 * 3_600_000)
  await dns.keep(cell, signal)
  expect(there().filter((line) => line.startsWith('TXT'))).toEqual([])
})

test('a challenge that another process has just made counts', async () => {
  const name = '_acme-challenge.tunnels.example.net'
  const record: Omit<StoredRecord, 'id' | 'created_on'> = {
    type: 'TXT',
    name,
    content: '"abc"',
    ttl: 60,
    proxied: false,
    comment: 'porttunneler challenge',
  }
  server.beforeBatch(() => server.add(zone, record))
  expect(await keyOf(dns.put(name, 'abc', signal))).toBe('done')
  expect(there()).toContain(`TXT ${name} "abc"`)
  expect(writes()).toHaveLength(1)
})

test('a wrong token, a foreign zone, an outage and a limit have their codes', async () => {
  expect(await keyOf(open('bad-token').keep(cell, signal))).toBe('dns.refused')
  expect(await keyOf(dns.put('_acme-challenge.elsewhere.example', 'abc', signal))).toBe('dns.refused')
  server.fail(502)
  expect(await keyOf(open().keep(cell, signal))).toBe('dns.unavailable')
  server.fail(undefined)
  server.leave(1)
  await expect(open().keep(cell, signal)).rejects.toMatchObject({
    key: 'dns.limited',
    fields: { retryAfterMs: 120_000 },
  })
  const stop = new AbortController()
  stop.abort()
  expect(await keyOf(open().keep(cell, stop.signal))).toBe('dns.unavailable')
})

test.each<[string, (response: ServerResponse) => void, ErrorKey]>([
  ['HTML', (response) => response.end('<html>hello</html>'), 'dns.unavailable'],
  ['half of a JSON', (response) => response.end('{"success": true, "result": ['), 'dns.unavailable'],
  ['null', (response) => response.end('null'), 'dns.unavailable'],
  ['a list', (response) => response.end('[]'), 'dns.unavailable'],
  ['success without a result', (response) => response.end('{"success": true}'), 'dns.unavailable'],
  [
    'a zone with another id',
    (response) => response.end(said([{ id: '../x', name: zone }])),
    'dns.unavailable',
  ],
  ['success that is none', (response) => response.end('{"success": false, "result": []}'), 'dns.refused'],
  ['a redirect', (response) => response.writeHead(302, { location: '/' }).end(), 'dns.unavailable'],
  ['an outage', (response) => response.writeHead(503).end('{"success": false}'), 'dns.unavailable'],
  ['a cut connection', (response) => response.destroy(), 'dns.unavailable'],
  [
    'half of an answer',
    (response) => response.writeHead(200, { 'content-length': 99, connection: 'close' }).end('{"s'),
    'dns.unavailable',
  ],
  ['a giant answer', (response) => response.end(said(' '.repeat(9 * 1024 * 1024))), 'dns.unavailable'],
])('%s harms nothing and has its code', async (_, answer, key) => {
  server.answerWith(answer)
  expect(await keyOf(dns.keep(cell, signal))).toBe(key)
  expect(await keyOf(dns.put('_acme-challenge.example.net', 'abc', signal))).toBe(key)
  server.answerWith(undefined)
  expect(await dns.keep(cell, signal), 'and the next try succeeds').toMatchObject({ made: 3 })
})

test('records of which one is broken are left alone', async () => {
  await dns.keep(cell, signal)
  server.change(zone, (record) => (record.comment ? record : { ...record, ttl: 'auto' as never }))
  expect(await keyOf(dns.keep(cell.slice(1), signal))).toBe('dns.unavailable')
  expect(writes()).toHaveLength(1)
})

test('a silent server is left when the job ends', async () => {
  const stop = new AbortController()
  server.answerWith(() => stop.abort())
  expect(await keyOf(dns.keep(cell, stop.signal))).toBe('dns.unavailable')
})

test('after a refusal for too many requests, none is sent before the pause is over', async () => {
  server.leave(1)
  expect(await keyOf(dns.keep(cell, signal))).toBe('dns.limited')
  const before = server.requests.length
  server.leave(100)
  clock.advance(119_000)
  expect(await keyOf(dns.keep(cell, signal))).toBe('dns.limited')
  expect(server.requests).toHaveLength(before)
  clock.advance(1_000)
  expect(await dns.keep(cell, signal)).toMatchObject({ made: 3 })
})

test('what another process has done meanwhile is read again', async () => {
  const rival = { type: 'A', ttl: 60, proxied: false, comment: 'porttunneler' } as const
  server.beforeBatch(() =>
    server.add(zone, { ...rival, name: 'tunnels.example.net', content: '198.51.100.1' }),
  )
  expect(await dns.keep(cell, signal)).toEqual({ made: 2, removed: 0, foreign: [] })
  server.beforeBatch(() =>
    server.change(zone, (record) => (record.name.startsWith('*') ? undefined : record)),
  )
  expect(await dns.keep(cell.slice(0, 1), signal)).toEqual({ made: 0, removed: 1, foreign: [] })
  expect(there()).toEqual(['A tunnels.example.net 198.51.100.1', 'A www.example.net 192.0.2.1'])
})

test('1,000 requests in five minutes go out, and the next one waits', async () => {
  const one = open()
  let sent = 0
  while ((await keyOf(one.remove('_acme-challenge.tunnels.example.net', 'abc', signal))) === 'done') sent += 1
  expect(sent).toBe(999)
  expect(server.requests.length).toBe(1_000)
  clock.advance(5 * 60_000)
  expect(await keyOf(one.remove('_acme-challenge.tunnels.example.net', 'abc', signal))).toBe('done')
})

test('a text is served when every server of the zone that answers has it', async () => {
  const world = await DnsWorld.open(1)
  try {
    const name = '_acme-challenge.tunnels.example.net'
    await world.zone('tunnels.example.net', ['_acme-challenge TXT abc'], ['203.0.113.31', '203.0.113.32'])
    const { resolvers, reach } = world
    const isServed = textsServed({ resolvers, reach, clock })
    expect(await isServed(name, 'abc', signal)).toBe(true)
    expect(await isServed(name, 'def', signal)).toBe(false)
    world.differ('203.0.113.32', 'tunnels.example.net', [])
    expect(await isServed(name, 'abc', signal)).toBe(false)
  } finally {
    world.close()
  }
})
