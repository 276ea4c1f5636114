/** `ptun alerts`, and the notice in the live view: what people see, what programs get, how often somebody asks. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Client } from '@porttunneler/shared/api/client'
import type { Alert } from '@porttunneler/shared/api/schemas/alerts'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { followAlerts, noticeOfAlerts } from '../alert-notice.ts'
import type { Context } from '../context.ts'
import { acknowledgeAlert, listAlerts } from './alerts.ts'

let api: Server
let url: string
/** The server has these, and was asked to do those. */
let open: readonly Alert[]
let acts: unknown[]

beforeAll(async () => {
  api = createServer(answer).listen(0, '127.0.0.1')
  await once(api, 'listening')
  url = `http://127.0.0.1:${(api.address() as AddressInfo).port}`
})
afterAll(() => api.close())

const down: Alert = {
  ...{ id: `alr_${'0'.repeat(26)}`, kind: 'tunnel.down', title: 'Tunnel is down', subject: 'tun_1' },
  ...{ name: 'shop', state: 'firing', unsteady: false, since: Date.UTC(2026, 10, 30, 12), last: 0 },
  ...{ cause: 'Its agent is away.', code: 'PT-3001', timeline: [] },
}
const failing: Alert = {
  ...down,
  id: `alr_${'1'.repeat(26)}`,
  kind: 'tunnel.upstream',
  title: 'Upstream is failing',
}

/** The two routes that are used. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '', url)
  const send = (body: unknown) =>
    response.setHeader('content-type', 'application/json').end(JSON.stringify(body))
  if (request.method === 'GET' && pathname === '/v1/alerts') {
    const state = searchParams.get('state')
    send({ items: open.filter((alert) => state === null || alert.state === state) })
  } else {
    const id = pathname.split('/')[3] ?? ''
    acts.push([id, JSON.parse(await text(request))])
    send({ ...down, id, state: 'acknowledged' })
  }
}

function stage(alerts: readonly Alert[], isJson = false) {
  const written: string[] = []
  const stdout = { write: (some: string) => written.push(some) }
  const env = { PTUN_KEY: `pts_${'a'.repeat(43)}` }
  const clock = new FakeClock()
  const context = { env, server: url, stdout, stderr: stdout, clock, random: Math.random, isJson }
  open = alerts
  acts = []
  return { context: context as unknown as Context, text: () => written.join('') }
}

test('those that are open are listed, what fires first', async () => {
  const t = stage([{ ...failing, state: 'acknowledged' }, down])
  expect(await listAlerts(t.context)).toBe(0)
  const [, first, second] = t.text().split('\n')
  expect(first).toMatch(/^Tunnel is down +shop +firing .*PT-3001/)
  expect(second).toMatch(/^Upstream is failing +shop +acknowledged /)
})

test('nothing open is said, and programs get a line for each', async () => {
  const none = stage([])
  await listAlerts(none.context)
  expect(none.text()).toBe('Nothing is wrong.\n')
  const t = stage([down], true)
  await listAlerts(t.context, { all: true })
  expect(JSON.parse(t.text())).toMatchObject({ event: 'alert', id: down.id, state: 'firing' })
})

test('one is acknowledged by its id, or by the name of its tunnel if no other is about it', async () => {
  const t = stage([down])
  await acknowledgeAlert(t.context, 'shop')
  expect(acts).toEqual([[down.id, { act: 'acknowledge' }]])
  expect(t.text()).toMatch(/^Acknowledged: Tunnel is down: shop, since 2026-11-30 /)
  const both = stage([down, failing])
  await expect(acknowledgeAlert(both.context, 'shop')).rejects.toMatchObject({ key: 'cli.usage' })
  await expect(acknowledgeAlert(both.context, 'other')).rejects.toMatchObject({ key: 'api.not_found' })
  await acknowledgeAlert(both.context, failing.id)
  expect(acts).toEqual([[failing.id, { act: 'acknowledge' }]])
})

function following(changes: Record<string, unknown> = {}, env: Record<string, string> = {}) {
  const clock = new FakeClock()
  const printed: string[] = []
  const stdout = { isTTY: true, write() {} }
  const context = { env, stdout, clock, isJson: false, ...changes } as unknown as Context
  const asked = vi.fn<Client['alertCount']>(async () => ({ firing: 0, acknowledged: 0 }))
  const notice = followAlerts(context, { alertCount: asked }, (lines) => printed.push(...lines))
  return { clock, printed, asked, notice }
}

test('the live view tells the newest alert once, and asks once an hour', async () => {
  const { clock, printed, asked, notice } = following()
  asked.mockImplementation(async () => ({ firing: 2, acknowledged: 0, newest: down }))
  await clock.advanceAsync(3 * 3_600_000, 60_000)
  expect(printed).toEqual([noticeOfAlerts({ firing: 2, acknowledged: 0, newest: down })])
  expect(printed[0]).toMatch(
    /^Alert: Tunnel is down: shop, since .* and 1 more\. ptun alerts list shows them\.$/,
  )
  expect(asked).toHaveBeenCalledTimes(4)
  asked.mockImplementation(async () => ({ firing: 1, acknowledged: 0, newest: failing }))
  await clock.advanceAsync(3_600_000, 60_000)
  expect(printed).toHaveLength(2)
  notice.close()
  await clock.advanceAsync(3 * 3_600_000, 60_000)
  expect(asked).toHaveBeenCalledTimes(5)
})

test.each([
  ['with --json', { isJson: true }, {}],
  ['without a terminal', { stdout: { isTTY: false, write() {} } }, {}],
  ['in CI', {}, { CI: 'true' }],
])('%s nobody is asked', async (_when, changes, env) => {
  const { clock, asked } = following(changes, env)
  await clock.advanceAsync(3 * 3_600_000, 60_000)
  expect(asked).not.toHaveBeenCalled()
})

test('a server that refuses or is away is no failure, and text from it controls no terminal', async () => {
  const { clock, printed, asked } = following()
  asked.mockRejectedValue(new Error('away'))
  await clock.advanceAsync(3_600_000, 60_000)
  expect(printed).toEqual([])
  const evil = noticeOfAlerts({
    firing: 1,
    acknowledged: 0,
    newest: { ...down, name: '\u001b[2Jevil\nline' },
  })
  expect(evil).not.toMatch(/\p{Cc}/u)
})
