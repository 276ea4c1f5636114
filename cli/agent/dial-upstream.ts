/**
 * Dials upstreams. `localhost` means both loopback addresses, because half of all programs listen only on one of them.
 * It tries the family that worked last first, as a literal, so it needs no resolver and no race of addresses.
 */
import { connect, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Clock } from '@porttunneler/shared/base/clock'
import { type ErrorKey, fail, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import { sayNetworkError } from '@porttunneler/shared/base/system-errors'
import { limits } from '@porttunneler/shared/protocol/limits'
import { formatUpstream, type PortUpstream, type Upstream } from './upstream.ts'
import { beginTls, type InnerProtocol, keyOfTlsError, type UpstreamTls } from './upstream-tls.ts'

/** Which loopback address worked last, by port. Holds as many entries as the user configured upstreams. */
export type LoopbackMemory = Map<number, string>

export type DialUpstreamOptions = {
  readonly clock: Clock
  readonly memory: LoopbackMemory
  /** For https upstreams: which certificates are accepted. */
  readonly tls?: UpstreamTls | undefined
  /** For https upstreams: what is spoken inside. Default: HTTP/1.1, also with servers that do not negotiate. */
  readonly protocol?: 'h2'
  /** The socket is connected, half-open allowed, paused, and has no listener left from dialling. */
  onConnect(socket: Socket): void
  onFail(error: PortTunnelerError): void
}

/**
 * Dials until connected, refused by every address, or 8 s have passed. Exactly one of the two handlers is called, never
 * before this returns.
 * @returns a function that gives up silently: no handler is called afterwards
 */
export function dialUpstream(upstream: Upstream, options: DialUpstreamOptions): () => void {
  const { clock } = options
  let socket: Socket | undefined
  const stop = () => {
    timer.clear()
    socket?.removeAllListeners()
    // A socket destroyed while connecting may still report an error, which no longer matters.
    socket?.on('error', () => {})
    socket?.destroy()
  }
  const timer = clock.after(limits.upstreamConnectMs, () => {
    stop()
    options.onFail(fail('upstream.timeout', `${formatUpstream(upstream)} did not answer within 8 s`))
  })
  const attempt: Attempt = {
    onSocket: (current) => {
      socket = current
    },
    onReady: (current) => {
      timer.clear()
      current.removeAllListeners()
      current.pause()
      options.onConnect(current)
    },
    onFail: (key, code, cause) => {
      timer.clear()
      // For a path's own codes the cure says enough.
      const why = keyByErrno[code] === key ? `cannot be reached${sayNetworkError(cause)}` : `answered ${code}`
      options.onFail(fail(key, `${formatUpstream(upstream)} ${why}`, { cause }))
    },
  }
  if ('path' in upstream) dialSocket(upstream.path, attempt)
  else dialPort(upstream, options, attempt)
  return stop
}

/** What the ways of dialling report; `onReady` or `onFail` comes last. */
type Attempt = {
  /** The socket to destroy when the dial is given up. */
  onSocket(socket: Socket): void
  onReady(socket: Socket): void
  onFail(key: ErrorKey, code: string, cause: Error): void
}

function dialSocket(path: string, { onSocket, onReady, onFail }: Attempt): void {
  const socket = connect({ path, allowHalfOpen: true })
  // There is no reset here: a peer notices a broken end when it writes.
  socket.resetAndDestroy = () => socket.destroy()
  onSocket(socket)
  socket.once('connect', () => onReady(socket))
  socket.once('error', (error) => {
    const code = codeOf(error)
    onFail(keyBySocketErrno[code] ?? keyByErrno[code] ?? 'upstream.failed', code, error)
  })
}

/** Tries one address after the other, and begins TLS on the first that connects, if requested. */
function dialPort(upstream: PortUpstream, options: DialUpstreamOptions, attempt: Attempt): void {
  const { host: name, port } = upstream
  const { memory, tls, protocol = 'http/1.1' } = options
  let firstError: Error | undefined
  const tryNext = (host: string, rest: readonly string[]) => {
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true })
    attempt.onSocket(socket)
    socket.once('connect', () => {
      if (isSelfConnected(socket, port)) return socket.destroy(refusedError(port))
      if (name === 'localhost') memory.set(port, host)
      else if (!isLoopback(host)) socket.setKeepAlive(true, limits.tcpKeepAliveMs)
      socket.removeAllListeners()
      if (upstream.isTls) secure(beginTls(socket, name, { tls, protocol }), protocol, attempt)
      else attempt.onReady(socket)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const [next, ...others] = rest
      // The preferred address's error says more than "no IPv6 here".
      firstError ??= error
      if (next !== undefined && worthAnotherAddress(error)) return tryNext(next, others)
      const code = codeOf(firstError)
      attempt.onFail(keyByErrno[code] ?? 'upstream.failed', code, firstError)
    })
  }
  const [first = name, ...rest] = candidates(upstream, memory)
  tryNext(first, rest)
}

function secure(socket: TLSSocket, protocol: InnerProtocol, { onSocket, onReady, onFail }: Attempt): void {
  onSocket(socket)
  socket.once('secureConnect', () => {
    if (protocol === 'h2' && socket.alpnProtocol !== 'h2') {
      socket.destroy()
      onFail('upstream.no_http_two', 'without HTTP/2 (ALPN)', new Error('the server did not choose h2'))
      return
    }
    socket.allowHalfOpen = true
    onReady(socket)
  })
  socket.once('error', (error) => {
    const code = codeOf(error)
    socket.destroy()
    onFail(keyOfTlsError(code, protocol), code, error)
  })
}

function candidates({ host, port }: PortUpstream, memory: LoopbackMemory): readonly string[] {
  if (host !== 'localhost') return [host]
  return memory.get(port) === '::1' ? ['::1', '127.0.0.1'] : ['127.0.0.1', '::1']
}

/** Only refusals that say nothing about the other loopback address; a machine without IPv6 gives EADDRNOTAVAIL. */
function worthAnotherAddress({ code }: NodeJS.ErrnoException): boolean {
  return (
    code === 'ECONNREFUSED' || code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT' || code === 'ENETUNREACH'
  )
}

/**
 * A dial to an unused port of the kernel's own range may get that very port as its source. TCP's simultaneous open then
 * connects the socket to itself, and the visitor would talk to an echo.
 */
function isSelfConnected(socket: Socket, port: number): boolean {
  return socket.localPort === port && socket.localAddress === socket.remoteAddress
}

/** There no peer can vanish without the kernel reporting it. */
function isLoopback(host: string): boolean {
  return host.startsWith('127.') || host === '::1'
}

function refusedError(port: number): NodeJS.ErrnoException {
  return Object.assign(new Error(`connect ECONNREFUSED ${port}`), { code: 'ECONNREFUSED' })
}

const keyByErrno: Readonly<Record<string, ErrorKey>> = {
  ECONNREFUSED: 'upstream.refused',
  ECONNRESET: 'upstream.refused',
  ETIMEDOUT: 'upstream.timeout',
  EHOSTUNREACH: 'upstream.unreachable',
  ENETUNREACH: 'upstream.unreachable',
  EHOSTDOWN: 'upstream.unreachable',
  ENETDOWN: 'upstream.unreachable',
  EACCES: 'upstream.unreachable',
  EPERM: 'upstream.unreachable',
  ENOTFOUND: 'upstream.unknown',
  EAI_AGAIN: 'upstream.resolver',
  EMFILE: 'upstream.exhausted',
  ENFILE: 'upstream.exhausted',
  EADDRNOTAVAIL: 'upstream.exhausted',
}

/** For a path, the error says more than for an address. */
const keyBySocketErrno: Readonly<Record<string, ErrorKey>> = {
  ENOENT: 'upstream.no_socket',
  ENOTDIR: 'upstream.no_socket',
  ENOTSOCK: 'upstream.no_socket',
  EACCES: 'upstream.denied',
  EPERM: 'upstream.denied',
}

/** A host name with several addresses gives an AggregateError; its first part says why. */
function codeOf(error: NodeJS.ErrnoException & { errors?: readonly unknown[] }): string {
  return error.code ?? (error.errors?.[0] as NodeJS.ErrnoException | undefined)?.code ?? 'unknown'
}
