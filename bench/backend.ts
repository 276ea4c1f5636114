/**
 * The upstream of every measurement, in a process of its own so that its work is never counted as a tunnel's.
 * One TCP port, told by a connection's first byte what to do:
 *   U  a decimal count and '\n' follow, then that many bytes: take them, answer with their number as text, then FIN
 *   D  a decimal count follows: send that many bytes, then FIN
 *   E  give back what comes        C  give back one byte, then FIN
 * One HTTP port: GET /1 answers in one write, GET /2 writes head and body apart, as many frameworks do; `Connection:
 * close` is obeyed. GET /d<count> returns that many bytes, POST /u the length of its body as text; both then
 * end the connection.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'

const chunk = Buffer.alloc(256 * 1024, 'p')
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

/** Does not wait for the visitor's FIN: some tunnels take a half-close for the end of everything. */
function takeAll(socket: Socket, first: Buffer): void {
  const lineEnd = first.indexOf('\n')
  const wanted = Number(first.toString('latin1', 0, lineEnd))
  countBody(socket, { wanted, already: first.length - lineEnd - 1 }, (bytes) => socket.end(String(bytes)))
}

/** Calls `done` with the number of bytes when all that are wanted have come. */
function countBody(
  socket: Socket,
  { wanted, already }: { readonly wanted: number; readonly already: number },
  done: (bytes: number) => void,
): void {
  let bytes = already
  const look = () => {
    if (bytes >= wanted) done(bytes)
  }
  socket.on('data', (data: Buffer) => {
    bytes += data.length
    look()
  })
  look()
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

const headEnd = Buffer.from('\r\n\r\n')
const closing = /\r\nconnection: close\r\n/i

/**
 * A request here is a GET without a body. A request that comes in one piece, as nearly all do, is answered without
 * making text.
 */
const http = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
  let waiting: Buffer = Buffer.alloc(0)
  socket.on('error', () => socket.destroy())
  socket.on('end', () => socket.end())
  socket.on('data', (data: Buffer) => {
    let rest = waiting.length === 0 ? data : Buffer.concat([waiting, data])
    if (isTransfer(rest)) {
      socket.removeAllListeners('data')
      transfer(socket, rest)
      return
    }
    for (let end = rest.indexOf(headEnd); end >= 0; end = rest.indexOf(headEnd)) {
      answer(socket, rest.subarray(0, end + headEnd.length))
      rest = rest.subarray(end + headEnd.length)
    }
    waiting = rest
  })
})

/** The first letter of `GET /d...` or of `POST /u`, which are alone on their connection. */
function isTransfer(request: Buffer): boolean {
  return (request[0] === 0x50 || request[5] === 0x64) && request.includes(headEnd)
}

function transfer(socket: Socket, data: Buffer): void {
  const end = data.indexOf(headEnd)
  const text = data.toString('latin1', 0, end)
  const say = (bytes: number) => `HTTP/1.1 200 OK\r\ncontent-length: ${bytes}\r\nconnection: close\r\n\r\n`
  const count = Number(/^GET \/d(\d+)/.exec(text)?.[1])
  if (!Number.isNaN(count)) {
    socket.write(say(count))
    sendMany(socket, count)
    return
  }
  const wanted = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1])
  countBody(socket, { wanted, already: data.length - end - headEnd.length }, (bytes) =>
    socket.end(say(String(bytes).length) + bytes),
  )
}

function answer(socket: Socket, request: Buffer): void {
  // The digit of `GET /1` or `GET /2`.
  if (request[5] === 0x32) {
    socket.write(head)
    socket.write(body)
  } else {
    socket.write(whole)
  }
  if (closing.test(request.toString('latin1'))) socket.end()
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) =>
    server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () =>
      resolve((server.address() as AddressInfo).port),
    ),
  )
}

process.once('disconnect', () => process.exit(0))
process.send?.({ tcpPort: await listen(tcp), httpPort: await listen(http) })
