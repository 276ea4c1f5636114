/**
 * Gives a socket whose ClientHello was read to the TLS server for that name. Node's way is to put the bytes back, which
 * costs as long as the connection lives: the first buffer that OpenSSL's input gets is then of the hello's size, one of
 * 16 KiB follows, and the two take turns (61 reads of the kernel for each MB instead of 24). So the hello is passed on
 * only after the input has made its buffer for a read of 64 KiB, which it does for the read that finds nothing behind
 * the hello. docs/decisions/0058-a-hello-is-read-to-its-last-byte.md
 */
import { Socket } from 'node:net'
import { TLSSocket, type Server as TlsServer } from 'node:tls'

export type ReadHello = {
  readonly bytes: Buffer
  /** True when the hello was read to its last byte and no further, and this is called from within that read. */
  readonly isInRead: boolean
}

/** The socket is flowing. While `isInRead`, its client sends nothing before the server has answered. */
export function beginTls(server: TlsServer, socket: Socket, { bytes, isInRead }: ReadHello): void {
  if (isInRead && isPossible()) {
    const made = firstMade(() => server.emit('connection', socket))
    // After the current read.
    setImmediate(() => receiverOf(made)?.(bytes))
    return
  }
  // Paused, so that no byte can arrive between here and the moment TLS takes the handle over.
  socket.pause()
  socket.unshift(bytes)
  server.emit('connection', socket)
}

/** Set while a TLS socket is made that somebody waits for. */
let onInit: ((socket: TLSSocket) => void) | undefined

/** The TLS socket that `make` makes: a server shows it to nobody before the handshake is over. */
function firstMade(make: () => void): TLSSocket | undefined {
  let made: TLSSocket | undefined
  onInit = (socket) => {
    made ??= socket
  }
  try {
    make()
  } finally {
    onInit = undefined
  }
  return made
}

/**
 * Calls `onInit` for every new TLS socket of this process. Call it only once: with each change of the prototype V8
 * throws away what it compiled for sockets.
 */
function watchInit(): void {
  const init: unknown = Reflect.get(TLSSocket.prototype, '_init')
  if (typeof init !== 'function') return
  Reflect.set(TLSSocket.prototype, '_init', function (this: TLSSocket, ...args: unknown[]) {
    onInit?.(this)
    return Reflect.apply(init, this, args)
  })
}

/** A function that takes bytes as if they had just been read; undefined when the socket is closed. */
function receiverOf(socket: TLSSocket | undefined): ((bytes: Buffer) => void) | undefined {
  const handle: unknown = socket && Reflect.get(socket, '_handle')
  if (typeof handle !== 'object' || handle === null) return undefined
  const receive: unknown = Reflect.get(handle, 'receive')
  return typeof receive === 'function' ? (bytes) => void Reflect.apply(receive, handle, [bytes]) : undefined
}

let possible: boolean | undefined

/** Whether this Node's internals allow that; otherwise bytes are put back. */
function isPossible(): boolean {
  if (possible !== undefined) return possible
  watchInit()
  let probe: TLSSocket | undefined
  const made = firstMade(() => {
    probe = new TLSSocket(new Socket())
  })
  possible = made !== undefined && made === probe && receiverOf(made) !== undefined
  probe?.destroy()
  return possible
}
