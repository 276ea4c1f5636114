/**
 * The upstreams of the demo tunnels, on loopback: a page that explains what just happened, shows the request as it
 * arrived and ticks (so that a buffering proxy would be noticed), and a TCP echo. They are ordinary upstreams and know
 * nothing of tunnels; the agent dials them like any other.
 */
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import type { Clock } from '@porttunneler/shared/base/clock'
import { escapeHtml } from '@porttunneler/shared/base/html'

export type DemoUpstream = {
  readonly httpPort: number
  readonly echoPort: number
  close(): Promise<void>
}

/** More than anybody opens by hand; this limits a stranger's flood before it fills this process's memory. */
const connectionsMax = 500

export async function startDemoUpstream(clock: Clock): Promise<DemoUpstream> {
  const http = createHttpServer((request, response) => answer(request, response, clock))
  const echo = createTcpServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy())
    socket.pipe(socket)
  })
  http.maxConnections = connectionsMax
  echo.maxConnections = connectionsMax
  const [httpPort, echoPort] = await Promise.all([listenOnLoopback(http), listenOnLoopback(echo)])
  return {
    httpPort,
    echoPort,
    close: async () => {
      http.closeAllConnections()
      await Promise.all([closed(http), closed(echo)])
    },
  }
}

function listenOnLoopback(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    // Stays for good: a refused accept costs only that connection.
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}

function answer(request: IncomingMessage, response: ServerResponse, clock: Clock): void {
  switch (request.url?.split('?', 1)[0]) {
    case '/':
      send(response, 200, 'text/html', page(request))
      break
    case '/clock':
      streamClock(response, clock)
      break
    case '/clock.js':
      send(response, 200, 'text/javascript', clockScript)
      break
    case '/headers':
      send(response, 200, 'application/json', headersJson(request))
      break
    default:
      send(response, 404, 'text/plain', 'Nothing here; the page is at /.\n')
  }
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    'content-type': `${type}; charset=utf-8`,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'self'; style-src 'unsafe-inline'",
    'x-content-type-options': 'nosniff',
  })
  response.end(body)
}

function headersJson(request: IncomingMessage): string {
  return `${JSON.stringify({ method: request.method, url: request.url, headers: request.headers }, null, 2)}\n`
}

/** One event a second until the visitor leaves. */
function streamClock(response: ServerResponse, clock: Clock): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  const tick = () => response.write(`data: ${new Date(clock.now()).toISOString()}\n\n`)
  tick()
  const timer = clock.every(1_000, tick, { background: true })
  response.once('close', () => timer.clear())
}

const clockScript = `new EventSource('/clock').onmessage = ({ data }) => {
  document.querySelector('time').textContent = data.replace('T', ' ').slice(0, 19)
}
`

const style = `
  :root { color-scheme: light dark; font: 16px/1.55 system-ui, sans-serif }
  body { max-width: 44rem; margin: 8vh auto; padding: 0 1.25rem }
  h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .5rem } .path { font-size: .95rem }
  .path b { font-weight: 600; white-space: nowrap } time, td, code { font-family: ui-monospace, monospace }
  time { font-size: 1.25rem } table { border-collapse: collapse; width: 100%; font-size: .85rem }
  td { padding: .3rem .5rem .3rem 0; border-top: 1px solid #8884; vertical-align: top; overflow-wrap: anywhere }
  td:first-child { opacity: .65; white-space: nowrap }
  pre { padding: .8rem 1rem; background: #8882; border-radius: .5rem; overflow-x: auto }
`

function page(request: IncomingMessage): string {
  const rows = Object.entries(request.headers)
    .map(([name, value]) => `<tr><td>${escapeHtml(name)}</td><td>${escapeHtml(String(value))}</td></tr>`)
    .join('\n')
  const host = escapeHtml(request.headers.host ?? 'this address')
  return `<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>PortTunneler demo</title>
<style>${style}</style><script src="/clock.js" defer></script></head><body>
<h1>You are inside a tunnel.</h1>
<p class="path"><b>your browser</b> → <b>relay</b> at ${host} → <b>agent</b>, over one TLS connection that it dialled
itself → <b>this page</b>, served on 127.0.0.1:${request.socket.localPort}, which accepts nothing from outside.</p>
<p><time>streaming…</time><br>comes as server-sent events, once a second, unbuffered.</p>
<h2>Put your own port here</h2>
<pre><code>npx porttunneler login
npx porttunneler http 3000</code></pre>
<h2>Your request, as it arrived</h2>
<table>${rows}</table></body></html>
`
}
