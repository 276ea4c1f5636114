/** HTTP for the relay's own names: connections come from the visitor listeners with their first bytes put back. */
import { createServer, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { challengeAnswer } from './challenges.ts'
import type { LiveFigures } from './live.ts'

/** How long a connection may have no whole request, or an answer that nobody reads. */
const socketIdleMs = 15_000
const headEnd = '\r\n\r\n'

export class OwnHost {
  /** It never listens; it is there for Node's parser and responses. */
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #idleMs: number

  /** @param thumbprint of the key whose challenges are answered here, once it is known */
  constructor(live: LiveFigures, thumbprint: () => string | undefined, idleMs = socketIdleMs) {
    this.#idleMs = idleMs
    this.#server = createServer({ maxHeaderSize: 16 * 1024 }, (request, response) => {
      const { socket } = request
      // Until its answer has ended the answer's own pace decides; then a reader that does not read is not waited for.
      socket.setTimeout(0)
      response.once('prefinish', () => socket.setTimeout(idleMs))
      // One request a connection, and whatever comes behind it is dropped before Node's parser makes requests of it.
      socket.removeAllListeners('data')
      socket.on('data', drop)
      const answer = challengeAnswer(pathOf(request.url), thumbprint())
      if (answer === undefined) return void live.serve(request, response)
      response.shouldKeepAlive = false
      response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(answer)
    })
  }

  /** Serves a paused connection; `first` was read from it and begins with a whole head. */
  serve(socket: Socket, first: Buffer): void {
    socket.unshift(first.subarray(0, first.indexOf(headEnd) + headEnd.length))
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    socket.setTimeout(this.#idleMs, () => socket.destroy())
    this.#server.emit('connection', socket)
    socket.resume()
  }

  close(): void {
    for (const socket of [...this.#sockets]) socket.destroy()
  }
}

/** The path of any target, also of one that is no URL: nothing a stranger sends may throw here. */
function pathOf(target = ''): string {
  return /^(?:https?:\/\/[^/?]*)?([^?]*)/i.exec(target)?.[1] ?? ''
}

function drop(): void {}
