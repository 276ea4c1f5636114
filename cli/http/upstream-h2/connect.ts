/**
 * One HTTP/2 connection to an upstream, from its preface to the upstream's SETTINGS: only then is it known that the
 * upstream speaks HTTP/2. Used by sessions.ts for visitors and by the health check.
 */
import { type ClientHttp2Session, connect } from 'node:http2'
import type { Socket } from 'node:net'
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import { keepBehindStreams } from '@porttunneler/shared/http/native-part'

/** Dials the upstream, as dial-upstream.ts does. @returns a function that gives up silently */
export type Dial = (handlers: {
  onConnect(socket: Socket): void
  onFail(failure: PortTunnelerError): void
}) => () => void

export type ConnectOptions = {
  readonly clock: Clock
  readonly dial: Dial
  readonly scheme: 'http' | 'https'
  /** The upstream as the user wrote it, for messages. */
  readonly name: string
}

/** From the connection to SETTINGS, which a server sends at once. */
const settingsMs = 5_000
/** As much of one answer is kept while nobody reads it. node:http2 credits the connection's window at once. */
const streamWindowBytes = 64 * 1024
const connectionWindowBytes = 1024 * 1024
/** node:http2 counts what waits to be sent too, and refuses new requests beyond; visitors are limited elsewhere. */
const sessionMemoryMegabytes = 256
/** The pairs and bytes of an answer's head; a longer one ends its request. Chromium reads 256 KiB. */
const headFieldsMax = 400
const headBytesMax = 128 * 1024

const settings = {
  enablePush: false,
  initialWindowSize: streamWindowBytes,
  maxHeaderListSize: headBytesMax,
}

/**
 * Exactly one of the two handlers is called, never before this returns. The session has handlers for 'error' and
 * 'goaway' already; 'close' is the caller's.
 * @returns a function that gives up silently
 */
export function connectHttp2(
  { clock, dial, scheme, name }: ConnectOptions,
  onReady: (session: ClientHttp2Session) => void,
  onFail: (failure: PortTunnelerError) => void,
): () => void {
  let stop = () => {}
  const stopDialling = dial({
    onFail,
    onConnect: (socket) => {
      const session = openSession(socket, scheme)
      const end = () => {
        timer.clear()
        session.off('remoteSettings', greeted)
        session.off('close', refused)
      }
      const greeted = () => {
        end()
        session.setLocalWindowSize(connectionWindowBytes)
        onReady(session)
      }
      const refused = () => {
        end()
        session.destroy()
        onFail(fail('upstream.no_http_two', `${name} took the connection but did not answer in HTTP/2`))
      }
      const timer = clock.after(settingsMs, refused)
      session.once('remoteSettings', greeted)
      session.once('close', refused)
      stop = () => {
        end()
        session.destroy()
      }
    },
  })
  stop = stopDialling
  return () => stop()
}

function openSession(socket: Socket, scheme: 'http' | 'https'): ClientHttp2Session {
  // Half open it would outlive its upstream.
  socket.allowHalfOpen = false
  const session = connect(`${scheme}://upstream`, {
    createConnection: () => socket,
    settings,
    maxHeaderListPairs: headFieldsMax,
    maxSendHeaderBlockLength: 256 * 1024,
    maxSessionMemory: sessionMemoryMegabytes,
    maxSettings: 32,
    maxSessionInvalidFrames: 50,
    // Whether a visitor may repeat a field, the upstream decides.
    strictSingleValueFields: false,
  } as Parameters<typeof connect>[1])
  keepBehindStreams(session)
  // Dialling left it paused, and node:http2 does not start it. First it takes what TLS has read already.
  socket.resume()
  // Its requests fail with it and report that; 'close' follows.
  session.on('error', () => {})
  return session
}
