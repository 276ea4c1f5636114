/** The inspector in Chromium: a webhook arrives, is found, changed and sent again; what strangers sent stays text. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Duplex } from 'node:stream'
import { systemClock } from '@porttunneler/shared/base/clock'
import { Turn } from '@porttunneler/shared/mux/turn'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { newTunnel } from '../cli/agent/tunnels.ts'
import { VisitorDesk } from '../cli/agent/visitor-desk.ts'
import { Inspector } from '../cli/inspector/inspector.ts'
import { serveInspector } from '../cli/inspector/server.ts'
import { StreamVisitor } from '../cli/testing/stream-visitor.ts'
import { barriersIn, openTab, pixelsTooWide, startBrowser } from './harness/browser.ts'

const closers: (() => unknown)[] = []
let browser: Awaited<ReturnType<typeof startBrowser>>

beforeAll(async () => {
  browser = await startBrowser()
  closers.push(() => browser.close())
})
afterAll(async () => {
  for (const close of closers.reverse()) await close()
})

/** An agent without a relay: its desk, its inspector and the page that `npm run build` made. */
async function startAgent() {
  const bodies: string[] = []
  const upstream = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (part) => {
      body += part
    })
    request.on('end', () => {
      bodies.push(`${request.url} ${request.headers.authorization ?? ''} ${body}`)
      response.statusCode = request.url === '/broken' ? 500 : 200
      response.setHeader('content-type', 'text/html')
      response.end('<h1 id="evil">evil</h1><script>document.title = "evil"</script>')
    })
  }).listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  const { port } = upstream.address() as AddressInfo
  const inspector = new Inspector(systemClock)
  const tunnel = newTunnel(1, { name: 'web', kind: 'http', upstream: { host: '127.0.0.1', port } })
  const options = { clock: systemClock, turn: new Turn(), visitorsMax: 10, onIdle() {} }
  const desk = new VisitorDesk({ ...options, inspect: inspector, emit: (event) => inspector.onEvent(event) })
  const folder = `${import.meta.dirname}/../web/inspector/dist`
  const server = await serveInspector(inspector, { clock: systemClock, port: 0, folder })
  closers.push(
    () => server.close(),
    () => desk.close(),
    () => upstream.close(),
  )
  const send = (text: string) => new StreamVisitor().enter(desk, tunnel).ask(text)
  const fields = 'Authorization: Bearer topsecret\r\nContent-Type: application/json\r\n'
  const post = (path: string, body: string) =>
    send(`POST ${path} HTTP/1.1\r\nHost: web.test\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`)
  const enter = (visitor: StreamVisitor) => visitor.enter(desk, tunnel, { awaitsUpgrade: true })
  return { server, bodies, post, upstream, enter }
}

test('a webhook arrives, is found by what is in it, changed and sent again', async () => {
  const { server, bodies, post } = await startAgent()
  const { page, takeErrors, screenshot } = await openTab(browser)
  await page.goto(server.url)
  await page.getByText('The link of the inspector is needed').waitFor()
  await page.goto('about:blank')
  takeErrors()
  await page.goto(server.link)
  await page.getByText('No request has come yet').waitFor()
  post('/other', '{"type":"ping"}')
  post('/hooks/pay', '{"type":"invoice.paid"}')
  post('/broken', '{"type":"ping"}')
  // It shows by itself.
  await page.getByRole('button', { name: /hooks\/pay/ }).waitFor()
  await page.getByRole('searchbox', { name: 'A body has' }).fill('invoice.paid')
  await page.getByRole('button', { name: /other/ }).waitFor({ state: 'detached' })
  await page.getByRole('button', { name: /hooks\/pay/ }).click()
  await page.getByText('"type": "invoice.paid"').waitFor()
  await page.getByText('Bearer [redacted]').waitFor()
  expect(await page.locator('#evil').count()).toBe(0)
  expect(await page.title()).toBe('Inspector · ptun')
  await screenshot('inspector-request')
  await page.getByRole('button', { name: 'Change and send' }).click()
  await page.getByLabel('Body', { exact: true }).fill('{"type":"invoice.changed"}')
  await page.getByRole('button', { name: 'Send', exact: true }).click()
  await page.getByText('repeats request 2').waitFor()
  await page.getByText('"type": "invoice.changed"').waitFor()
  expect(bodies.at(-1)).toBe('/hooks/pay Bearer topsecret {"type":"invoice.changed"}')
  expect(await page.content()).not.toContain('topsecret')
  await page.setViewportSize({ width: 360, height: 740 })
  expect(await pixelsTooWide(page)).toBeLessThanOrEqual(0)
  expect(takeErrors()).toEqual([])
})

test('it is usable by the keyboard alone', async () => {
  const { server, bodies, post } = await startAgent()
  const { page, takeErrors } = await openTab(browser)
  await page.goto(server.link)
  post('/first', '{"a":1}')
  post('/second', '{"a":2}')
  await page.getByRole('button', { name: '/second' }).waitFor()
  await tabTo(page, /second/)
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: '/first' }).waitFor()
  await tabTo(page, /^Change and send$/)
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'detached' })
  expect(await focused(page)).toMatch(/^Change and send$/)
  await tabTo(page, /^Resend last$/)
  await page.keyboard.press('Enter')
  await page.getByText(/repeats request 2/).waitFor()
  await expect.poll(() => bodies.at(-1), { timeout: 5_000 }).toBe('/second Bearer topsecret {"a":2}')
  await tabTo(page, /^Connections$/)
  await page.keyboard.press('Enter')
  await page.locator('[aria-current=page]', { hasText: 'Connections' }).waitFor()
  expect(takeErrors()).toEqual([])
})

test.each(['light', 'dark'] as const)('it has no barriers: %s', async (look) => {
  const { server, post } = await startAgent()
  const { page, screenshot, close } = await openTab(browser, look)
  await page.goto(server.url)
  await page.getByText('The link of the inspector is needed').waitFor()
  expect(await barriersIn(page)).toEqual([])
  await screenshot('inspector-link')
  await page.goto('about:blank')
  await page.goto(server.link)
  post('/hook', '{"a":1}')
  await page.getByRole('button', { name: '/hook' }).click()
  await page.getByText('"a": 1').waitFor()
  expect(await barriersIn(page)).toEqual([])
  await page.getByRole('button', { name: 'Change and send' }).click()
  await page.getByRole('dialog').waitFor()
  expect(await barriersIn(page)).toEqual([])
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Connections' }).click()
  await page.locator('[aria-current=page]', { hasText: 'Connections' }).waitFor()
  expect(await barriersIn(page)).toEqual([])
  await close()
})

test('compressed messages of a WebSocket are shown as they were before', async () => {
  const { server, upstream, enter } = await startAgent()
  const sockets = new WebSocketServer({ server: upstream, perMessageDeflate: { threshold: 0 } })
  closers.push(() => sockets.close())
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(`${data} and back`)))
  const wire = new Duplex({ read() {}, write: (bytes, _coding, done) => done(void visitor.ask(bytes)) })
  const visitor = enter(new StreamVisitor((bytes) => wire.push(Buffer.from(bytes))))
  const client = new WebSocket('ws://web.test/ws', { createConnection: () => wire, perMessageDeflate: true })
  await once(client, 'open')
  for (const text of ['the same words', 'the same words again', `${'long '.repeat(1_000)}end`]) {
    client.send(text)
    await once(client, 'message')
  }
  const { page, takeErrors, screenshot } = await openTab(browser)
  await page.goto(`${server.url}/requests/1#${new URL(server.link).hash.slice(1)}`)
  await page.getByText('the same words again and back').waitFor()
  const messages = page.getByRole('region', { name: 'Messages' })
  expect(await messages.getByRole('listitem').count()).toBe(6)
  expect(await messages.getByText('not unpacked').count()).toBe(0)
  expect(await messages.getByText(/compressed \d/).count()).toBeGreaterThanOrEqual(4)
  await screenshot('inspector-messages')
  expect(takeErrors()).toEqual([])
  client.terminate()
})

/** Presses Tab until something with this name has the focus. */
async function tabTo(page: Page, name: RegExp): Promise<void> {
  for (let n = 0; n < 60; n++) {
    await page.keyboard.press('Tab')
    if (name.test(await focused(page))) return
  }
  throw new Error(`Tab does not lead to ${name}`)
}

function focused(page: Page): Promise<string> {
  return page.evaluate<string>('(document.activeElement?.textContent ?? "").trim()')
}
