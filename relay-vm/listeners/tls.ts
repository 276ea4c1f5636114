/**
 * The one TLS port. It reads the ClientHello first: agents (relay name and ALPN `porttunneler`) go to their TLS server,
 * visitors of names we serve to theirs, and everybody else is closed and counted before any cryptography.
 */
import { createServer, type Server, type Socket } from 'node:net'
import {
  type TlsOptions as CreateTlsOptions,
  createServer as createTlsServer,
  type TLSSocket,
  type Server as TlsServer,
} from 'node:tls'
import type { Clock } from '@porttunneler/shared/base/clock'
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import type { FairPool } from '@porttunneler/shared/base/fair-pool'
import type { Log } from '@porttunneler/shared/base/log'
import { alpn, tlsCiphers } from '@porttunneler/shared/mux/connect-tls'
import type { Turn } from '@porttunneler/shared/mux/turn'
import { limits } from '@porttunneler/shared/protocol/limits'
import type { TlsIdentity } from '../certificate.ts'
import type { Certificates } from '../certificates.ts'
import type { Meters } from '../meters/meters.ts'
import type { OriginPulls } from '../origin-pulls.ts'
import type { HandshakeBudget } from '../policy/handshakes.ts'
import type { Route } from '../routes.ts'
import { joinSibling } from '../siblings.ts'
import { spliceVisitor } from '../visitor.ts'
import type { Visitors } from '../visitors.ts'
import { beginTls, type ReadHello } from './begin-tls.ts'
import { readHello } from './hello-reader.ts'
import { closeServer, closeWhenEmpty, type ListenAt, listen } from './listen.ts'
import type { Origin, Origins } from './origins.ts'
import { type ClientHello, sniffClientHello } from './sniff.ts'

/** Why a hello is refused: fatal alerts of RFC 8446 section 6.2. */
const Alert = {
  decodeError: 50,
  /** There is no budget for another handshake now. */
  internalError: 80,
  /** RFC 8446 section 9.2: the hello names no server. */
  missingExtension: 109,
  /** RFC 6066 section 3. */
  unrecognizedName: 112,
} as const
type Alert = (typeof Alert)[keyof typeof Alert]
const recordHandshake = 22

/** TLS 1.2 for visitors' old clients, forward secrecy only. */
export const visitorCiphers = `${tlsCiphers}:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384`

export type TlsOptions = {
  readonly clock: Clock
  readonly log: Log
  readonly identity: TlsIdentity
  readonly visitors: Visitors
  readonly origins: Origins
  readonly meters: Meters
  readonly turn: Turn
  /** All of the relay. */
  readonly silent: FairPool<Socket>
  readonly handshakes: { readonly agents: HandshakeBudget; readonly visitors: HandshakeBudget }
  /** Server name of agents. */
  readonly agentSni: string
  /** The tunnel of this name, if it wants its visitors' TLS untouched. */
  passthrough(name: string): Route | undefined
  /** If nobody here serves that tunnel now: another process of the machine that does, if there may be one. */
  findSibling(name: string, origin: Origin): Promise<Socket | undefined> | undefined
  /** Whether HTTPS for this name is ours to answer: an endpoint, a name under our domain, the relay itself. */
  servesName(name: string): boolean
  /** If the tunnel of this name wants its visitors' TLS untouched and is offline: the meters that count them. */
  offline(name: string): Pick<Meters, 'refused'> | undefined
  /** Whether visitors may speak HTTP/2 for this name; `isOnly`: this one speaks nothing else. */
  speaksHttp2(name: string, isOnly: boolean): boolean
  /** The certificates of names that have their own. */
  readonly certificates: Pick<Certificates, 'prepare' | 'contextOf'>
  /** The names whose visitors have to show a certificate. */
  readonly pulls: OriginPulls | undefined
  /** An agent whose TLS is up; HELLO is still to come. */
  onAgent(socket: TLSSocket): void
  /** A visitor whose TLS is up; `raw` is what can be reset. */
  onVisitor(socket: TLSSocket, raw: Socket): void
}

export class TlsListener {
  readonly #options: TlsOptions
  readonly #server: Server
  readonly #agents: TlsServer
  readonly #visitors: TlsServer
  /** Visitors of names that demand a certificate. */
  readonly #pulls: TlsServer | undefined
  /** From accept until the TLS handshake is over; by remote address and port, by which TLS finds them again. */
  readonly #strangers = new Map<string, Socket>()
  readonly #endings = new WeakMap<Socket, () => void>()

  constructor(options: TlsOptions) {
    this.#options = options
    this.#server = createServer({
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: limits.tcpKeepAliveMs,
    })
    const { origins } = options
    this.#server.on('connection', (socket) => origins.whenKnown(socket, 'tls', () => this.#peek(socket)))
    const { certificate: cert, key } = options.identity
    const common = { cert, key: key.reveal(), handshakeTimeout: limits.headDeadlineMs, allowHalfOpen: true }
    this.#agents = createTlsServer({
      ...common,
      minVersion: 'TLSv1.3',
      ciphers: tlsCiphers,
      ALPNProtocols: [alpn],
    })
    const guests: CreateTlsOptions = {
      ...common,
      minVersion: 'TLSv1.2',
      ciphers: visitorCiphers,
      // Node makes it of the command line, and then no other relay could resume a session.
      sessionIdContext: 'visitors',
      ALPNCallback: ({ servername, protocols }) => this.#protocolOf(servername, protocols),
      SNICallback: (name, done) => done(null, options.certificates.contextOf(name.toLowerCase())),
    }
    this.#visitors = createTlsServer(guests)
    this.#pulls = options.pulls && createTlsServer({ ...guests, ...demanding(options.pulls) })
    this.#agents.on('secureConnection', (socket) => this.#greetAgent(socket))
    for (const server of [this.#visitors, this.#pulls])
      server?.on('secureConnection', (socket) => this.#greetVisitor(socket))
    for (const server of [this.#agents, this.#visitors, this.#pulls])
      server?.on('tlsClientError', (error, socket) => this.#refuse(socket, whyFailed(error, socket)))
  }

  /** With the same keys, a session that another relay of the cell began can be resumed here. */
  setTicketKeys(keys: Buffer): void {
    this.#visitors.setTicketKeys(keys)
  }

  get strangers(): number {
    return this.#strangers.size
  }

  /** @returns the port. @throws relay.port */
  listen(at: ListenAt): Promise<number> {
    return listen(this.#server, { ...at, log: this.#options.log })
  }

  /** Takes no more connections; open ones may finish their handshake. */
  stopListening(): Promise<void> {
    return closeWhenEmpty(this.#server)
  }

  /** Takes no more connections, and drops those whose handshake is not over. */
  close(): void {
    closeServer(this.#server)
    for (const socket of [...this.#strangers.values()]) socket.destroy()
  }

  #peek(socket: Socket): void {
    const { clock, visitors, silent, origins } = this.#options
    if (visitors.accept(socket) === undefined) return
    const key = keyOf(socket)
    this.#strangers.set(key, socket)
    silent.add(socket, origins.pathOf(socket), () => this.#refuse(socket, 'visitor.silent'))
    const stop = () => {
      timer.clear()
      silent.remove(socket)
      reading.stop()
      socket.off('end', onEnd)
    }
    const onEnd = () => this.#refuse(socket, 'tls.malformed')
    const timer = clock.after(limits.headDeadlineMs, () => this.#refuse(socket, 'tls.deadline'))
    const reading = readHello(socket, (bytes) => {
      const verdict = sniffClientHello(bytes)
      if (verdict === 'more') return
      const isInRead = reading.isInRead
      stop()
      // A client that does not speak TLS would not understand an alert.
      const isTls = bytes[0] === recordHandshake
      if (verdict === 'malformed')
        this.#refuse(socket, 'tls.malformed', isTls ? { alert: Alert.decodeError } : {})
      else this.#route(socket, verdict.hello, { bytes, isInRead: isInRead && !verdict.hello.isFollowed })
    })
    socket.on('end', onEnd)
    socket.once('close', () => {
      stop()
      this.#strangers.delete(key)
      this.#endings.get(socket)?.()
    })
  }

  /**
   * Hands the socket to the process that has the agent, where the name's TLS is not ours to end; otherwise serves it
   * here.
   */
  #route(socket: Socket, hello: ClientHello, peeked: ReadHello): void {
    const { findSibling, visitors } = this.#options
    const finding = hello.sni === undefined ? undefined : findSibling(hello.sni, visitors.originOf(socket))
    if (finding === undefined) {
      this.#serve(socket, hello, peeked)
      return
    }
    socket.pause()
    void finding.then((sibling) => {
      if (sibling === undefined) {
        if (!socket.destroyed) this.#serve(socket, hello, { ...peeked, isInRead: false })
        return
      }
      this.#strangers.delete(keyOf(socket))
      visitors.passOn(socket)
      joinSibling(socket, sibling, { clock: visitors.clock, first: peeked.bytes })
    })
  }

  /** Hands the socket to the TLS server for the hello. */
  #serve(socket: Socket, { sni, alpn: protocols }: ClientHello, peeked: ReadHello): void {
    const { agentSni, servesName, passthrough, offline, visitors, turn, clock } = this.#options
    const meter = sni === undefined ? undefined : offline(sni)
    if (meter !== undefined) {
      this.#refuse(socket, 'tunnel.away', { alert: Alert.internalError, meter })
      return
    }
    const route = sni === undefined ? undefined : passthrough(sni)
    if (route !== undefined) {
      this.#strangers.delete(keyOf(socket))
      socket.pause()
      spliceVisitor(socket, route, { visitors, turn, first: peeked.bytes })
      return
    }
    const isAgent = sni === agentSni && protocols.includes(alpn)
    if (!isAgent && (sni === undefined || !servesName(sni))) {
      const alert = sni === undefined ? Alert.missingExtension : Alert.unrecognizedName
      this.#refuse(socket, 'tls.name', { alert })
      return
    }
    const { agents, visitors: guests } = this.#options.handshakes
    const end = (isAgent ? agents : guests).begin(visitors.originOf(socket).address, () =>
      this.#refuse(socket, 'tls.budget'),
    )
    if (end === undefined) {
      this.#refuse(socket, 'tls.budget', { alert: Alert.internalError })
      return
    }
    // Bytes do not extend it: a byte a second must not hold a place for long.
    const timer = clock.after(limits.headDeadlineMs, () => this.#refuse(socket, 'tls.deadline'))
    this.#endings.set(socket, () => {
      timer.clear()
      end()
    })
    // A client that ends in the middle of a handshake is gone: half-closing is for those that have finished it.
    socket.allowHalfOpen = false
    if (isAgent) visitors.leave(socket)
    else if (sni !== undefined) this.#options.certificates.prepare(sni)
    const isPull = sni !== undefined && this.#options.pulls?.demands(sni)
    const guestServer = (isPull && this.#pulls) || this.#visitors
    beginTls(isAgent ? this.#agents : guestServer, socket, peeked)
  }

  /** undefined: the visitor speaks nothing that we do, which TLS tells it by an alert. */
  #protocolOf(name: string, offered: readonly string[]): string | undefined {
    const isOnly = !offered.includes('http/1.1')
    if (offered.includes('h2') && this.#options.speaksHttp2(name.toLowerCase(), isOnly)) return 'h2'
    return isOnly ? undefined : 'http/1.1'
  }

  #greetAgent(socket: TLSSocket): void {
    const raw = this.#takeRaw(socket)
    if (raw) this.#options.origins.tell(socket, this.#options.origins.of(raw))
    this.#options.onAgent(socket)
  }

  #greetVisitor(socket: TLSSocket): void {
    const raw = this.#takeRaw(socket)
    if (raw === undefined) socket.destroy()
    else this.#options.onVisitor(socket, raw)
  }

  /** Call it when the handshake is over. @returns the socket below it */
  #takeRaw(socket: TLSSocket): Socket | undefined {
    const key = keyOf(socket)
    const raw = this.#strangers.get(key)
    this.#strangers.delete(key)
    if (raw) this.#endings.get(raw)?.()
    socket.allowHalfOpen = true
    return raw
  }

  /** Closes it, after an alert where the client can still read one. */
  #refuse(
    socket: Socket,
    reason: ErrorKey,
    {
      alert,
      meter = this.#options.meters,
    }: { readonly alert?: Alert; readonly meter?: Pick<Meters, 'refused'> } = {},
  ): void {
    meter.refused(reason)
    if (alert !== undefined) socket.write(alertRecord(alert))
    else if (reason !== 'tls.malformed') {
      socket.destroy()
      return
    }
    // Unread bytes would make the kernel reset the connection, and destroy the alert.
    socket.resume()
    socket.destroySoon()
  }
}

/**
 * Sessions that began without a certificate must not be resumed where one is demanded, since OpenSSL asks for none
 * then: these have an id context and ticket keys of their own.
 */
function demanding({ ca }: OriginPulls): CreateTlsOptions {
  return { ca, requestCert: true, rejectUnauthorized: true, sessionIdContext: 'origin pulls' }
}

function whyFailed(error: Error & { readonly code?: string }, socket: TLSSocket): ErrorKey {
  const hasNone = error.code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE'
  // Node sets it to null before the certificate was looked at.
  const isWrong = Boolean(socket.authorizationError)
  return hasNone || isWrong ? 'tls.no_client_certificate' : 'tls.handshake'
}

/** type u8 = 21 · version u16 · length u16 · level u8 = fatal · description u8 */
function alertRecord(alert: Alert): Buffer {
  return Buffer.of(21, 3, 3, 0, 2, 2, alert)
}

function keyOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`
}
