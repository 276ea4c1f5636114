/**
 * A program for unread-rest.test.ts: visitors of HTTP/2 who vanish while a page is on its way to them. What goes wrong
 * here stops the whole process, without an exception, so no test can do it in its own.
 */
import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { systemClock } from '@porttunneler/shared/base/clock'
import { silentLog } from '@porttunneler/shared/base/log'
import { Turn } from '@porttunneler/shared/mux/turn'
import type { HttpRoute } from '../listeners/http/deps.ts'
import { serveHttp2Visitor } from '../listeners/http2/visitor.ts'
import { frame, opening, request, Type } from './http2-frames.ts'

const visitsTotal = 20

/** Takes requests and never answers. */
const silent: HttpRoute = {
  open: () => undefined,
  judge: () => undefined,
  closed() {},
  answers: { now: () => 0, answered() {}, unanswered() {} },
  refused() {},
}

let visitor: Socket
let lookups = 0
const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
  socket.on('error', () => {}).resume()
  lookups = 0
  serveHttp2Visitor(
    { socket, origin: { address: '192.0.2.9', port: 1, localPort: 2 }, tls: { sni: 'a.test', raw: socket } },
    {
      clock: systemClock,
      turn: new Turn(),
      httpsPort: () => 8443,
      log: silentLog,
      lookup: () => {
        lookups += 1
        if (lookups > 1) return silent
        // The page for this request is written now, and goes out after the next look at the socket.
        visitor.resetAndDestroy()
        return 'http.unknown_host'
      },
      serveOwn() {},
      refused() {},
    },
  )
}).listen(0, '127.0.0.1')
await once(server, 'listening')

for (let visits = 0; visits < visitsTotal; visits++) {
  visitor = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const isGone = once(visitor, 'close')
  visitor.write(
    Buffer.concat([
      opening(),
      request(1, { isOpen: true }),
      request(3),
      frame(Type.data, 1, Buffer.alloc(9), 1),
    ]),
  )
  await isGone
  // Long enough for the relay to notice.
  while (await connections()) await new Promise<void>((resolve) => setImmediate(resolve))
}
process.stdout.write('done')
process.exit(0)

function connections(): Promise<number> {
  return new Promise((resolve) => server.getConnections((_error, count) => resolve(count)))
}
