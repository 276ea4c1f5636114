/**
 * The upstream of every measurement, in a process of its own so that its work is never counted as a tunnel's.
 * One TCP port, told by a connection's first byte what to do:
 *   U  take everything; after FIN answer with the number of bytes as text
 *   D  a decimal count and '\n' follow: send that many bytes, then FIN
 *   E  give back what comes        C  give back one byte, then FIN
 * One HTTP port: GET /1 answers in one write, GET /2 writes head and body apart, as many frameworks do.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'

const chunk = Buffer.alloc(64 * 1024, 'p')
const body = Buffer.alloc(256, 'b')
const head = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\ncontent-type: text/plain\r\n\r\n`,
)
const whole = Buffer.concat([head, body])

const tcp = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy())
  socket.once('data', (first: Buffer) => {
    const rest = first.subarray(1)
    switch (String.fromCharCode(first[0] ?? 0)) {
      case 'U':
        takeAll(socket, rest)
        break
      case 'D':
        sendMany(socket, Number(rest.toString()))
        break
      case 'C':
        socket.end(rest)
        break
      default:
        if (rest.length > 0) socket.write(rest)
        socket.pipe(socket)
    }
  })
})

function takeAll(socket: Socket, first: Buffer): void {
  let bytes = first.length
  socket.on('data', (data: Buffer) => {
    bytes += data.length
  })
  socket.once('end', () => socket.end(String(bytes)))
}

function sendMany(socket: Socket, count: number): void {
  let left = count
  const push = () => {
    while (left > 0) {
      const part = left >= chunk.length ? chunk : chunk.subarray(0, left)
      left -= part.length
      if (!socket.write(part)) return
    }
    socket.off('drain', push)
    socket.end()
  }
  socket.on('drain', push)
  socket.on('data', () => undefined)
  push()
}

/** A request here is a GET without a body that arrives whole: enough for a load generator that sends exactly that. */
const http = createServer({ noDelay: true }, (socket) => {
  let text = ''
  socket.on('error', () => socket.destroy())
  socket.on('data', (data: Buffer) => {
    text += data.toString('latin1')
    for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
      if (text.startsWith('GET /2')) {
        socket.write(head)
        socket.write(body)
      } else {
        socket.write(whole)
      }
      text = text.slice(end + 4)
    }
  })
})

function listen(server: Server): Promise<number> {
  return new Promise((resolve) =>
    server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () =>
      resolve((server.address() as AddressInfo).port),
    ),
  )
}

process.once('disconnect', () => process.exit(0))
process.send?.({ tcpPort: await listen(tcp), httpPort: await listen(http) })
