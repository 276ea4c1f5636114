/**
 * A program for e2e/http2-attacks.test.ts: visitors attack a relay by HTTP/2, and the collector follows. What goes
 * wrong here ends the whole process, so no test can do it in its own. It writes a line for each attack: by how many
 * megabytes the process grew, and its name.
 */
import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { systemClock } from '@porttunneler/shared/base/clock'
import { silentLog } from '@porttunneler/shared/base/log'
import type { Stream } from '@porttunneler/shared/mux/stream'
import { deafSink } from '@porttunneler/shared/mux/stream-sink'
import { Turn } from '@porttunneler/shared/mux/turn'
import { isTried, startCollector, still } from '@porttunneler/shared/testing/collector'
import { muxPair, Recorder } from '@porttunneler/shared/testing/mux-pair'
import type { HttpRoute } from '../listeners/http/deps.ts'
import { serveHttp2Visitor } from '../listeners/http2/visitor.ts'
import { costly, fatal } from './hostile-visitors.ts'
import { frame, opening, request, Type } from './http2-frames.ts'

const none = Buffer.alloc(0)
const greedy = Buffer.concat([
  opening([[4, 0x7fffffff]]),
  frame(Type.windowUpdate, 0, Buffer.of(0x7f, 0, 0, 0)),
])

/** More than a socket takes. */
const answerBytes = 32 * 1024 * 1024
const answering: Stream[] = []
/** Whatever is asked, the upstream answers at length. */
const pair = muxPair({
  clock: systemClock,
  agent: {
    onOpen: (stream) => {
      const upstream = new Recorder()
      upstream.stream = stream
      answering.push(stream)
      stream.write(Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${answerBytes}\r\n\r\n`))
      const part = Buffer.alloc(65_536)
      let left = answerBytes
      upstream.onChange = () => {
        let mayGoOn = true
        for (; mayGoOn && left > 0; left -= part.length) mayGoOn = stream.write(part)
      }
      upstream.onChange()
      return upstream
    },
  },
})
const route: HttpRoute = {
  open: (info, { onStream }) => {
    onStream(pair.relay.open({ ...info, bind: 1, atMs: 0 }, deafSink))
    return undefined
  },
  judge: () => undefined,
  closed() {},
  answers: { now: () => 0, answered() {}, unanswered() {} },
  refused() {},
}
let connections = 0
const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
  connections += 1
  socket
    .on('error', () => {})
    .on('close', () => {
      connections -= 1
    })
  socket.resume()
  serveHttp2Visitor(
    { socket, origin: { address: '192.0.2.9', port: 1, localPort: 2 }, tls: { sni: 'a.test', raw: socket } },
    {
      clock: systemClock,
      turn: new Turn(),
      httpsPort: () => 8443,
      log: silentLog,
      lookup: () => route,
      serveOwn() {},
      refused() {},
    },
  )
}).listen(0, '127.0.0.1')
await once(server, 'listening')

const collector = await startCollector()
for (const [index, [name, pieces]] of [...fatal, ...costly].entries())
  for (const isDeaf of [false, true]) {
    if (!isTried(index)) continue
    const megabytes = await collector.growthOf(() => attack(pieces, isDeaf))
    process.stdout.write(`${megabytes} ${name}${isDeaf ? ', and the answer is not read' : ''}\n`)
  }
process.exit(0)

async function attack(pieces: readonly Buffer[], isDeaf: boolean): Promise<void> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => {})
  await once(socket, 'connect')
  const progress = () => `${socket.bytesWritten} ${socket.bytesRead} ${socket.destroyed}`
  if (isDeaf) socket.pause()
  else socket.resume()
  const [first = none, ...more] = pieces
  // What an upstream has answered then waits in the socket, by windows as large as there are.
  socket.write(isDeaf && first.equals(opening()) ? greedy : first)
  if (begins(more[0])) socket.write(more.shift() ?? none)
  await still(progress)
  socket.write(Buffer.concat(more))
  collector.follow()
  await still(progress)
  // Upstreams break off while a part of their answers waits in the socket.
  for (const stream of answering.splice(0)) stream.reset('stream.aborted')
  await still(progress)
  collector.follow()
  socket.destroy()
  await still(() => connections)
}

/** A request that is open, which the relay should know before more comes. */
function begins(piece: Buffer | undefined): boolean {
  return piece?.equals(request(1, { isOpen: true })) === true
}
