/** The inspector in Chromium: a webhook arrives, is found, changed and sent again; what strangers sent stays text. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { systemClock } from '@porttunneler/shared/base/clock'
import { Turn } from '@porttunneler/shared/mux/turn'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newTunnel } from '../cli/agent/tunnels.ts'
import { VisitorDesk } from '../cli/agent/visitor-desk.ts'
import { Inspector } from '../cli/inspector/inspector.ts'
import { serveInspector } from '../cli/inspector/server.ts'
import { openTab, pixelsTooWide, startBrowser } from './harness/browser.ts'

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
  const send = (text: string) => {
    const stream = {
      isOver: false,
      bytesIn: 0,
      bytesOut: 0,
      consumed() {},
      opened() {},
      answeredUpgrade() {},
    }
    const ends = { end() {}, reset() {}, resetBehind() {}, write: () => true }
    const info = {
      bind: 1,
      visitorAddress: '192.0.2.1',
      visitorPort: 1,
      localPort: 80,
      atMs: 0,
      awaitsUpgrade: false,
    }
    desk.accept({ ...stream, ...ends }, info, tunnel).onData(Buffer.from(text))
  }
  const fields = 'Authorization: Bearer topsecret\r\nContent-Type: application/json\r\n'
  const post = (path: string, body: string) =>
    send(`POST ${path} HTTP/1.1\r\nHost: web.test\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`)
  return { server, bodies, post }
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
