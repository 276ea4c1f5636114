import { parseLogQuery } from '@porttunneler/shared/control/logs/query'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { describeLogs, type Said } from '@porttunneler/shared/testing/logs.contract'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeLog } from '../log.ts'
import { type FakeGoogleCloud, startGoogleCloud } from '../testing/google-cloud.ts'
import { openGoogleRest } from './google-rest.ts'
import { filterOf, openGoogleLogs, relayLogId } from './logs.google.ts'

const projectId = 'tunnels-prod'
const severities = { debug: 'DEBUG', info: 'INFO', warn: 'WARNING', error: 'ERROR' } as const
const clock = new FakeClock(Date.UTC(2026, 0, 31, 12))
let google: FakeGoogleCloud
beforeEach(async () => {
  google = await startGoogleCloud(projectId)
})
afterEach(() => google.close())

const logsOf = ({ url }: FakeGoogleCloud) =>
  openGoogleLogs({ projectId, rest: openGoogleRest({ clock, metadataUrl: url }), clock, loggingUrl: url })

function write({ logging }: FakeGoogleCloud, { source, relay, at, level, message, fields }: Said): void {
  const timestamp = new Date(at).toISOString()
  const severity = severities[level]
  if (source !== 'relay') {
    logging.takeOutput(source, JSON.stringify({ severity, time: timestamp, ...fields, message }))
    return
  }
  logging.write({
    logName: `projects/${projectId}/logs/${relayLogId}`,
    resource: { type: 'gce_instance', labels: { instance_id: '1', zone: 'europe-west3-a' } },
    labels: { relay },
    entries: [{ timestamp, severity, jsonPayload: { ...fields, message } }],
  })
}

describeLogs('Cloud Logging', async () => {
  const cloud = await startGoogleCloud(projectId)
  return { logs: logsOf(cloud), write: (said) => write(cloud, said), close: cloud.close }
})

test('lines of functions are found in the form in which their logger writes them', async () => {
  const log = makeLog(projectId, { write: (line) => google.logging.takeOutput('api', line) })
  log.warn({ code: 'PT-5108', requestId: 'r-1' }, 'a command waits')
  log.info({}, 'nothing but a message')
  const { lines } = await logsOf(google).search({ words: [] }, { limit: 10 })
  expect(
    lines.map(({ level, source, message, code, request }) => [level, source, message, code, request]),
  ).toEqual(
    expect.arrayContaining([
      ['warn', 'api', 'a command waits', 'PT-5108', 'r-1'],
      ['info', 'api', 'nothing but a message', undefined, undefined],
    ]),
  )
})

test('a crash is no JSON, and is found too', async () => {
  google.logging.takeOutput('onjobs', 'TypeError: x is not a function')
  expect((await logsOf(google).search({ words: ['TypeError'] }, { limit: 10 })).lines).toMatchObject([
    { source: 'onjobs', message: 'TypeError: x is not a function' },
  ])
})

test('secrets in the log of Google are not shown', async () => {
  google.logging.takeOutput(
    'api',
    JSON.stringify({
      severity: 'INFO',
      time: '2026-01-31T12:00:00Z',
      a: 1,
      message: `key pts_${'k'.repeat(43)}`,
    }),
  )
  expect((await logsOf(google).search({ words: [] }, { limit: 1 })).lines[0]?.message).toBe(
    'key pts_[secret]',
  )
})

test('neither audit logs nor the log of requests are read', () => {
  expect(filterOf({ words: [] }, projectId)).toBe(
    '(log_id("run.googleapis.com/stdout") OR log_id("run.googleapis.com/stderr") OR log_id("ptun-relay"))',
  )
})

test('pages that are empty while Google searches are passed over, and after five it can be asked again', async () => {
  write(google, { source: 'control', at: 1, level: 'info', message: 'one', fields: { n: 1 } })
  google.logging.giveEmptyPages(4)
  expect((await logsOf(google).search({ words: [] }, { limit: 5 })).lines).toHaveLength(1)
  google.logging.giveEmptyPages(5)
  const page = await logsOf(google).search({ words: [] }, { limit: 5 })
  expect(page.lines).toEqual([])
  expect((await logsOf(google).search({ words: [] }, { limit: 5, after: page.next })).lines).toHaveLength(1)
})

test('a project without the right is told so, and a limit of Google is temporary', async () => {
  google.mishaps.push(403)
  await expect(logsOf(google).search({ words: [] }, { limit: 5 })).rejects.toMatchObject({
    key: 'cloud.refused',
  })
  google.mishaps.push(429, 429)
  await expect(logsOf(google).search({ words: [] }, { limit: 5 })).rejects.toMatchObject({
    key: 'cloud.unavailable',
  })
})

test('every query that can be written is a filter that Google understands', async () => {
  const query = parseLogQuery(
    'a "b c" x`y back\\slash code:1 request:q relay:r1 account:acc_1 source:api level>=error since:1h until:2026-01-31'.replace(
      'code:1',
      'code:1234',
    ),
    clock.now(),
  )
  await expect(logsOf(google).search(query, { limit: 5 })).resolves.toEqual({ lines: [] })
})
