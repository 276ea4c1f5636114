/**
 * DNS rebinding as a browser sees it: a page of a stranger's name, which now leads to this machine, asks the console's
 * port. It learns nothing and changes nothing.
 */
import { systemClock } from '@porttunneler/shared/base/clock'
import { chromium } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Listening, listen, makeWeb } from '../standalone/web-server.ts'
import { describeWith, programPath } from './requirements.ts'

const stranger = 'rebound.example'

describeWith(['chromium'], 'DNS rebinding', () => {
  const reached: string[] = []
  let server: Listening
  beforeAll(async () => {
    const page = Buffer.from('<!doctype html><title>console</title>')
    const web = makeWeb({
      api: ({ method, url }) => {
        reached.push(`${method} ${new URL(url).pathname}`)
        return new Response('{"secret":true}')
      },
      files: new Map([['/index.html', { body: page, headers: { etag: '"1"' } }]]),
      liveOrigins: () => [],
      isHttps: false,
      names: [],
    })
    server = await listen(web, { host: '127.0.0.1', port: 0, clock: systemClock })
  })
  afterAll(() => server?.close(0))

  test('a page of a name that is not ours reaches neither the API nor the console', async () => {
    // Recent Chromium asks people before a page reaches this machine; older and other browsers do not.
    const args = [
      `--host-resolver-rules=MAP ${stranger} 127.0.0.1`,
      '--disable-features=LocalNetworkAccessChecks',
    ]
    if (process.getuid?.() === 0) args.push('--no-sandbox')
    const browser = await chromium.launch({ executablePath: programPath('chromium'), args })
    try {
      const page = await browser.newPage()
      const origin = `http://${stranger}:${server.port}`
      // The page that the name led to before.
      await page.route(`${origin}/evil`, (route) =>
        route.fulfill({ contentType: 'text/html', body: 'hello' }),
      )
      await page.goto(`${origin}/evil`)
      const answers = await page.evaluate(async () => {
        const get = await fetch('/v1/tunnels')
        const post = await fetch('/v1/auth/login', { method: 'POST', body: '{}' })
        return [get.status, await get.text(), post.status]
      })
      expect(answers).toEqual([421, expect.stringContaining('PT-0033'), 421])
      const shown = await page.goto(`${origin}/`)
      expect(shown?.status()).toBe(421)
      expect(await page.textContent('body')).toContain('public.names')
      expect(reached).toEqual([])
      await page.goto(`http://localhost:${server.port}/v1/tunnels`)
      expect(reached).toEqual(['GET /v1/tunnels'])
    } finally {
      await browser.close()
    }
  })
})
