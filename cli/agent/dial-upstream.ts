/**
 * Dials upstreams. `localhost` means both loopback addresses, because half of all programs listen only on one of
 * them: the family that worked last is tried first, as a literal, so no resolver and no race of addresses is paid for.
 */
import { connect, type Socket } from 'node:net'
import type { Clock } from '@porttunneler/shared/base/clock'
import { type ErrorKey, fail, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import { limits } from '@porttunneler/shared/protocol/limits'
import { formatUpstream, type Upstream } from './upstream.ts'

/** Which loopback address answered last, by port. Holds as many entries as the user configured upstreams. */
export type LoopbackMemory = Map<number, string>

export type DialUpstreamOptions = {
  readonly clock: Clock
  readonly memory: LoopbackMemory
  /** The socket is connected, half-open allowed, paused, and has no listener left from dialling. */
  onConnect(socket: Socket): void
  onFail(error: PortTunnelerError): void
}

/**
 * Dials until connected, refused by every address, or 8 s have passed; exactly one of the two handlers is called,
 * never before this returns.
 * @returns gives up silently: no handler is called afterwards
 */
export function dialUpstream(upstream: Upstream, options: DialUpstreamOptions): () => void {
  const { clock, memory } = options
  const hosts = candidates(upstream, memory)
  let socket: Socket | undefined
  const stop = () => {
    timer.clear()
    socket?.removeAllListeners()
    // A socket destroyed while connecting may still report an error; nobody is interested any more.
    socket?.on('error', () => {})
    socket?.destroy()
  }
  const timer = clock.after(limits.upstreamConnectMs, () => {
    stop()
    options.onFail(fail('upstream.timeout', `${formatUpstream(upstream)} did not answer within 8 s`))
  })
  let firstError: NodeJS.ErrnoException | undefined
  const tryNext = (host: string, rest: readonly string[]) => {
    const current = connect({ host, port: upstream.port, allowHalfOpen: true, noDelay: true })
    socket = current
    current.once('connect', () => {
      if (isSelfConnected(current, upstream.port)) return current.destroy(refusedError(upstream.port))
      timer.clear()
      current.removeAllListeners()
      current.pause()
      if (upstream.host === 'localhost') memory.set(upstream.port, host)
      else if (!isLoopback(host)) current.setKeepAlive(true, limits.tcpKeepAliveMs)
      options.onConnect(current)
    })
    current.once('error', (error: NodeJS.ErrnoException) => {
      const [next, ...others] = rest
      // What the preferred address said tells more than "no IPv6 here".
      firstError ??= error
      if (next !== undefined && worthAnotherAddress(error)) return tryNext(next, others)
      timer.clear()
      options.onFail(explain(upstream, firstError))
    })
  }
  const [first = upstream.host, ...rest] = hosts
  tryNext(first, rest)
  return stop
}

function candidates({ host, port }: Upstream, memory: LoopbackMemory): readonly string[] {
  if (host !== 'localhost') return [host]
  return memory.get(port) === '::1' ? ['::1', '127.0.0.1'] : ['127.0.0.1', '::1']
}

/** Only refusals that say nothing about the other loopback address; a machine without IPv6 answers EADDRNOTAVAIL. */
function worthAnotherAddress({ code }: NodeJS.ErrnoException): boolean {
  return (
    code === 'ECONNREFUSED' || code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT' || code === 'ENETUNREACH'
  )
}

/**
 * A dial to an unused port of the kernel's own range may be given that very port as its source; TCP's simultaneous
 * open then connects the socket to itself, and the visitor would talk to an echo.
 */
function isSelfConnected(socket: Socket, port: number): boolean {
  return socket.localPort === port && socket.localAddress === socket.remoteAddress
}

/** Where no peer can vanish without the kernel saying so. */
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
  ENOTFOUND: 'upstream.unknown',
  EAI_AGAIN: 'upstream.unknown',
  EMFILE: 'upstream.exhausted',
  ENFILE: 'upstream.exhausted',
  EADDRNOTAVAIL: 'upstream.exhausted',
}

/** Happy eyeballs of a host name with several addresses gives an AggregateError; its first part says why. */
function explain(upstream: Upstream, error: NodeJS.ErrnoException & { errors?: readonly unknown[] }) {
  const code = error.code ?? (error.errors?.[0] as NodeJS.ErrnoException | undefined)?.code ?? 'unknown'
  const key = keyByErrno[code] ?? 'upstream.failed'
  return fail(key, `${formatUpstream(upstream)} answered ${code}`, { cause: error })
}
