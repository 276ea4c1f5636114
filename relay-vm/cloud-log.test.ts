/** What a relay sends to Cloud Logging, against a server that is as strict as Google's. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { makeLogging } from '@porttunneler/shared/testing/google-logging'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { CloudLog } from './platform/logs.google.ts'
import { instanceAccess } from './platform/metadata.google.ts'

/** The metadata server and Cloud Logging at one port; `mishaps` are the next answers to writes. */
async function startGoogle() {
  const logging = makeLogging('tunnels-prod')
  const calls: string[] = []
  const mishaps: number[] = []
  const server: Server = createServer(async (request, response) => {
    calls.push(request.url ?? '')
    response.setHeader('metadata-flavor', 'Google')
    if (request.url?.endsWith('/token')) {
      const isAllowed = request.headers['metadata-flavor'] === 'Google'
      const grant = { access_token: 'ya29.x', expires_in: 3_599, token_type: 'Bearer' }
      return void response.writeHead(isAllowed ? 200 : 403).end(JSON.stringify(grant))
    }
    const isKnown = request.url === '/v2/entries:write' && request.headers.authorization === 'Bearer ya29.x'
    const answer = mishaps.length > 0 || !isKnown ? undefined : logging.write(await json(request))
    response.writeHead(answer?.status ?? mishaps.shift() ?? 401).end(JSON.stringify(answer?.body ?? {}))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = () => new Promise((resolve) => server.close(resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, logging, calls, mishaps, close }
}

let google: Awaited<ReturnType<typeof startGoogle>>
let clock: FakeClock
let log: CloudLog
beforeEach(async () => {
  google = await startGoogle()
  clock = new FakeClock(Date.UTC(2026, 0, 31, 12))
  const askAccess = instanceAccess(clock, google.url)
  log = new CloudLog({ project: 'tunnels-prod', relay: 'r1-4711', clock, askAccess, loggingUrl: google.url })
})
afterEach(() => google.close())

const say = (msg: string, more: object = {}) =>
  log.take(`${JSON.stringify({ level: 40, time: clock.now(), msg, ...more })}\n`)
const messages = () => google.logging.entries.map(({ jsonPayload }) => jsonPayload?.message)

test('lines go with the next turn, each with its time, severity, fields and relay', async () => {
  say('Sync failed', { failures: 3 })
  clock.advance(1_000)
  say('again', { code: 'PT-5108' })
  clock.advance(4_000)
  await log.close()
  expect(google.logging.entries).toEqual([
    expect.objectContaining({
      logName: 'projects/tunnels-prod/logs/ptun-relay',
      timestamp: '2026-01-31T12:00:00.000Z',
      severity: 'WARNING',
      labels: { relay: 'r1-4711' },
      jsonPayload: { failures: 3, message: 'Sync failed' },
    }),
    expect.objectContaining({ jsonPayload: { code: 'PT-5108', message: 'again' } }),
  ])
  expect(google.calls.filter((path) => path.includes('entries:write'))).toHaveLength(1)
})

test('a call that fails is repeated, and lines that never go are counted', async () => {
  google.mishaps.push(503)
  say('one')
  clock.advance(5_000)
  await log.close()
  expect(messages(), 'the second try').toEqual(['one'])
  expect(
    google.calls.filter((path) => path.endsWith('/token')),
    'one token for both',
  ).toHaveLength(1)
})

test('a full queue leaves lines out, and says how many', async () => {
  for (let n = 0; n < 2_003; n++) say(`line ${n}`)
  await log.close()
  expect(google.logging.entries[0]?.jsonPayload).toMatchObject({ linesLeftOut: 3 })
})

test('no secret goes, and what is no JSON goes as it is', async () => {
  say(`key pts_${'k'.repeat(43)}`)
  log.take('TypeError: no JSON')
  log.take(`{"level":30,"msg":"${'x'.repeat(20_000)}"}`)
  await log.close()
  expect(messages().slice(0, 2)).toEqual(['key pts_[secret]', 'TypeError: no JSON'])
  expect(JSON.stringify(google.logging.entries).length).toBeLessThan(12_000)
})
