/** The agent's TLS connection to a relay: TLS 1.3, ALPN `porttunneler`, the certificate checked or pinned. */
import type { Socket } from 'node:net'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { isOutOfTime, sayClock } from '../base/certificate-time.ts'
import type { Clock } from '../base/clock.ts'
import { fail, type PortTunnelerError } from '../base/errors.ts'
import { sayNetworkError } from '../base/system-errors.ts'
import { limits } from '../protocol/limits.ts'

export const alpn = 'porttunneler'

/** AES-128 first: 5 to 10 % less CPU than AES-256 with no relevant loss (docs/performance.md). */
export const tlsCiphers = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256'

/** Where a relay listens for agents, from the directory that came with the lease. */
export type DialAddress = {
  readonly host: string
  readonly port: number
  readonly sni: string
  /** PEM; it is then the only root. */
  readonly certificate?: string | undefined
}

/**
 * Makes a TLS connection to a relay, checks its certificate, and that it speaks our protocol. `socket`: an existing
 * connection to that relay, made through a proxy; it is destroyed together with the returned one, or on failure.
 */
export function connectTls(
  address: DialAddress,
  { clock, signal, socket: way }: { clock: Clock; signal: AbortSignal; socket?: Socket },
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const { host, port, sni, certificate } = address
    const options: ConnectionOptions & { autoSelectFamilyAttemptTimeout: number } = {
      ...(way ? { socket: way } : { host, port }),
      servername: sni,
      ALPNProtocols: [alpn],
      minVersion: 'TLSv1.3',
      ciphers: tlsCiphers,
      // Node's own 250 ms ends the dial of a family that a slow link would have reached.
      autoSelectFamilyAttemptTimeout: 1_000,
      ...(certificate !== undefined && { ca: [certificate] }),
    }
    const socket = connect(options)
    const stop = (error: Error) => {
      cleanUp()
      socket.on('error', () => {})
      socket.destroy()
      reject(error)
    }
    const onAbort = () => stop(fail('session.closed'))
    const onError = (cause: Error & { code?: string }) => stop(dialError(cause, address, clock.now()))
    const timer = clock.after(limits.helloDeadlineMs, () =>
      stop(
        fail(
          'relay.unreachable',
          `${host}:${port} did not answer within ${limits.helloDeadlineMs / 1000} s.`,
        ),
      ),
    )
    const cleanUp = () => {
      timer.clear()
      signal.removeEventListener('abort', onAbort)
      socket.off('error', onError)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    socket.on('error', onError)
    socket.once('secureConnect', () => {
      if (socket.alpnProtocol !== alpn)
        return stop(fail('relay.identity', `${host}:${port} is not a PortTunneler relay.`))
      cleanUp()
      socket.setNoDelay(true)
      socket.setKeepAlive(true, limits.tcpKeepAliveMs)
      resolve(socket)
    })
  })
}

/** The machine answered, and nothing listens there: the relay is restarting, or has moved. */
export function isNobodyListening({ cause }: PortTunnelerError): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED'
}

/** TLS failures mean the wrong peer, or a wrong clock; all others mean no peer. */
function dialError(
  cause: Error & { code?: string },
  { host, port }: DialAddress,
  nowMs: number,
): PortTunnelerError {
  const code = cause.code ?? cause.message
  if (isOutOfTime(cause))
    return fail('relay.validity', `${host}:${port}: ${code}; ${sayClock(nowMs)}.`, { cause })
  const isIdentity = /CERT|SSL|TLS|ALTNAME|SIGNED|ISSUER/.test(code)
  return isIdentity
    ? fail('relay.identity', `${host}:${port} has no certificate we trust (${code}).`, { cause })
    : fail(
        'relay.unreachable',
        `${host}:${port} cannot be reached${sayNetworkError(cause) || ` (${code})`}.`,
        { cause },
      )
}
