/** Visitors who speak HTTP/2 to an http tunnel: curl, Chromium, and h2load where it is installed. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Browser } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { within } from '../harness/events.ts'
import type { Handler } from '../harness/upstreams.ts'
import { describeWith, programPath } from '../requirements.ts'

export type Http2Context = {
  /** Two tunnels, https://host:port, whose certificate the visitors trust. */
  readonly web: string
  readonly other: string
  /** For files of the tests. */
  readonly folder: string
  curl(url: string, ...words: string[]): Promise<string>
  startBrowser(): Promise<Browser>
}

/** Routes of the upstream behind `web`. */
export const http2Routes: Readonly<Record<string, Handler>> = {
  '/page': (_request, response) => response.end('<!doctype html><title>page</title>'),
  '/who': (_request, response) => response.setHeader('access-control-allow-origin', '*').end('web'),
  '/sum': (request, response) => {
    const sum = createHash('sha256')
    request.on('data', (chunk: Buffer) => sum.update(chunk)).on('end', () => response.end(sum.digest('hex')))
  },
  '/trailers': (_request, response) => {
    response.writeHead(200, { trailer: 'x-sum' })
    response.write('body')
    response.addTrailers({ 'x-sum': '42' })
    response.end()
  },
  '/early': (_request, response) =>
    void response.writeEarlyHints({ link: '</a.css>; rel=preload; as=style' }, () => response.end('late')),
}

const uploadBytes = 5_000_000
const requestsOfPage = 60
const loadRequests = 1_000

/** Runs in the page: many requests at once, a WebSocket, and a request for another tunnel. */
const loadAll = `async (other) => {
  const paths = Array.from({ length: ${requestsOfPage} }, (_, index) => '/who?' + index)
  const texts = await Promise.all(paths.map(async (path) => (await fetch(path)).text()))
  const echoed = await new Promise((resolve) => {
    const socket = new WebSocket(location.origin.replace('https', 'wss') + '/ws')
    socket.onopen = () => socket.send('hello')
    socket.onmessage = ({ data }) => resolve(data)
    socket.onerror = () => resolve('failed')
  })
  const stranger = await (await fetch(other + '/who')).text()
  const own = performance.getEntriesByType('resource').filter(({ name }) => name.startsWith(location.origin))
  return {
    texts: [...new Set(texts)],
    echoed,
    stranger,
    protocols: [...new Set(own.map(({ nextHopProtocol }) => nextHopProtocol))],
  }
}`

export function http2Suite(context: () => Http2Context): void {
  describe('HTTP/2 at an http tunnel', () => {
    test('curl uses it by itself, and HTTP/1.1 when it is told to', async () => {
      const { web, curl } = context()
      const version = ['-o', '/dev/null', '-w', '%{http_version} %{http_code}']
      expect(await curl(`${web}/page`, ...version)).toBe('2 200')
      expect(await curl(`${web}/page`, '--http1.1', ...version)).toBe('1.1 200')
      expect(await curl(`${web}/page`, '-I')).toMatch(/^HTTP\/2 200/)
      const early = await curl(`${web}/early`, '-i')
      expect(early).toMatch(/HTTP\/2 103[\s\S]*link: <\/a.css>[\s\S]*HTTP\/2 200[\s\S]*late$/)
      expect(await curl(`${web}/trailers`, '-i')).toMatch(/body[\s\S]*x-sum: 42/)
    })

    test('an upload of megabytes arrives whole, with its length and without', async () => {
      const { web, curl, folder } = context()
      const bytes = Buffer.alloc(uploadBytes, 'some bytes ')
      const sum = createHash('sha256').update(bytes).digest('hex')
      const file = join(folder, 'upload')
      writeFileSync(file, bytes)
      expect(await curl(`${web}/sum`, '--data-binary', `@${file}`)).toBe(sum)
      expect(await curl(`${web}/sum`, '--data-binary', `@${file}`, '-H', 'Content-Length:')).toBe(sum)
    })

    test('Chromium speaks it for all of a page, and HTTP/1.1 for its WebSocket; another tunnel gets its own requests', async () => {
      const { web, other, startBrowser } = context()
      const browser = await startBrowser()
      try {
        const page = await browser.newPage()
        await page.goto(`${web}/page`)
        const found = await within(
          page.evaluate(`(${loadAll})(${JSON.stringify(other)})`),
          'the page is loaded',
        )
        // A browser reuses a connection for each name that its certificate covers: 421 sends it to one of its own.
        expect(found).toEqual({ texts: ['web'], echoed: 'hello', stranger: 'other', protocols: ['h2'] })
      } finally {
        await browser.close()
      }
    })
  })

  describeWith(['h2load'], 'HTTP/2 under load', () => {
    test('a thousand requests on four connections, fifty at a time, are all answered', async () => {
      const { web } = context()
      const { port } = new URL(web)
      const args = ['-n', String(loadRequests), '-c', '4', '-m', '50', `--connect-to=127.0.0.1:${port}`]
      const { stdout } = await promisify(execFile)(programPath('h2load'), [...args, `${web}/who`])
      expect(stdout).toContain('Application protocol: h2')
      expect(stdout).toContain(`status codes: ${loadRequests} 2xx`)
    })
  })
}
