/**
 * What the agent does with visitors: it dials the tunnel's upstream for each stream, keeps the bytes that arrive
 * meanwhile (never more than the first window, because no credit is given before the upstream took them), then splices.
 */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Clock } from '@porttunneler/shared/base/clock'
import {
  type ErrorKey,
  fail,
  keyOfCode,
  type PortTunnelerError,
  wireCode,
} from '@porttunneler/shared/base/errors'
import { HeadRewriter } from '@porttunneler/shared/http/rewrite'
import type { OpenInfo } from '@porttunneler/shared/mux/open-info'
import { Splice, type SplicedStream } from '@porttunneler/shared/mux/splice'
import type { StreamSink } from '@porttunneler/shared/mux/stream-sink'
import type { Turn } from '@porttunneler/shared/mux/turn'
import { writeProxyHeader } from '@porttunneler/shared/protocol/proxy-header'
import { Http2Lookout } from '../http/http2-lookout.ts'
import { mayReply, type RequestRules, stagesOf } from '../http/pipeline.ts'
import { RequestGate } from '../http/request-gate.ts'
import type { Guesses } from '../http/stages/guesses.ts'
import { answerUpgrade } from '../http/upgrade.ts'
import { Bridge } from '../http/upstream-h2/bridge.ts'
import type { UpstreamSessions } from '../http/upstream-h2/sessions.ts'
import type { HeldRoom } from '../http/webhooks/held-room.ts'
import { WebhookKeeper } from '../http/webhooks/held-webhook.ts'
import { dialUpstream, type LoopbackMemory } from './dial-upstream.ts'
import { type Emit, problemOf } from './events.ts'
import { labelOf, recovered, speaksHttp, type Tunnel, type WantedTunnel } from './tunnels.ts'
import { formatUpstream } from './upstream.ts'
import { endsOf, visitorPath, visitorText } from './visitor-ends.ts'
import type { VisitorStream } from './visitor-stream.ts'

const nothingToCancel = () => {}

export type VisitorOptions = {
  readonly tunnel: Tunnel
  readonly memory: LoopbackMemory
  /** Present if TLS ends here and HTTP is inside: the host that the handshake was for. */
  readonly hostOfTls?: () => string
  /** What is done with its requests; they pass unread without it. */
  readonly rules: RequestRules | undefined
  guesses(): Guesses
  /** Where webhooks wait until they are complete. */
  readonly room: HeldRoom
  /** Present if the upstream speaks HTTP/2. */
  readonly sessions: UpstreamSessions | undefined
  readonly clock: Clock
  readonly turn: Turn
  readonly emit: Emit
  onEnd(): void
}

/**
 * One visitor's stream, from OPEN to its end. It is the stream's sink all the time: before the upstream is connected it
 * keeps what arrives, then it passes it to the splice. It has ended when both the socket and the stream have.
 */
export class Visitor implements StreamSink {
  readonly #stream: VisitorStream
  readonly #info: OpenInfo
  readonly #options: VisitorOptions
  readonly #openedAt: number
  #waiting: Buffer[] = []
  #isFinished = false
  #cancelDial: () => void = nothingToCancel
  #splice: Splice | Bridge | undefined
  #socket: Socket | undefined
  /** Stands before the upstream if requests are checked. */
  readonly #gate: RequestGate | undefined
  /** The tunnel's settings when the visitor came: a visitor is not sent elsewhere half-way. */
  readonly #wanted: WantedTunnel
  /** The upstream still has to get a PROXY header, before this visitor's first byte. */
  #owesHeader: boolean
  #isDialled = false
  /** The gate answers the visitor itself; and why, unless it is sent elsewhere. */
  #isAnswered = false
  #refusal: ErrorKey | undefined
  #isSocketClosed = false
  #isStreamClosed = false
  /** Why it ends, if not in order. */
  #code: number | undefined
  #hasEnded = false

  constructor(stream: VisitorStream, info: OpenInfo, options: VisitorOptions) {
    this.#stream = stream
    this.#info = info
    this.#options = options
    this.#openedAt = options.clock.monotonic()
    options.tunnel.streams.add(stream)
    this.#wanted = options.tunnel.wanted
    this.#owesHeader = this.#wanted.proxyProtocol !== undefined
    this.#gate = this.#makeGate()
  }

  start(): void {
    const { rules, tunnel, hostOfTls } = this.#options
    // Strangers do not reach the upstream. Only if several agents share the tunnel, the relay asks first which can.
    const isAlone = tunnel.lease?.agents !== 'many'
    const waits = this.#gate && (hostOfTls !== undefined || (isAlone && rules && mayReply(rules)))
    if (!waits) this.dial()
    this.#gate?.start()
  }

  get tunnel(): Tunnel {
    return this.#options.tunnel
  }

  #makeGate(): RequestGate | undefined {
    const { tunnel, clock, rules, guesses, room, hostOfTls: host } = this.#options
    if (!rules) return undefined
    const { visitorAddress, awaitsUpgrade } = this.#info
    const rewriter = new HeadRewriter({ address: visitorAddress, proto: 'https' })
    return new RequestGate(this.#stream, {
      stages: stagesOf(rules, { guesses: guesses(), realm: tunnel.name ?? tunnel.wanted.kind }),
      webhooks: rules.webhooks && new WebhookKeeper(rules.webhooks, { room, path: visitorPath(this.#info) }),
      clock,
      visitorAddress,
      awaitsUpgrade,
      ...(host && { endToEnd: { host, rewriter } }),
      deliver: (bytes) => {
        this.dial()
        this.#pass(bytes)
      },
      finish: () => this.#finish(),
      onAnswered: (key) => this.#onAnswered(key),
      onOver: (key) => {
        this.#onAnswered(key)
        this.#end(wireCode(key))
      },
    })
  }

  dial(): void {
    if (this.#isDialled) return
    this.#isDialled = true
    const { clock, memory, sessions } = this.#options
    if (sessions) {
      const onFail = (failure: PortTunnelerError) => this.#refuse(failure)
      this.#cancelDial = sessions.wait(false, () => this.#bridge(sessions), onFail)
      return
    }
    this.#cancelDial = dialUpstream(this.#wanted.upstream, {
      clock,
      memory,
      tls: this.#wanted.tls,
      onConnect: (socket) => this.#join(socket),
      onFail: (failure) => this.#refuse(failure),
    })
  }

  onData(chunk: Buffer): void {
    if (this.#gate) this.#gate.onData(chunk)
    else if (this.#splice) this.#splice.onData(chunk)
    else this.#waiting.push(Buffer.from(chunk))
  }

  onFin(): void {
    if (this.#gate) this.#gate.onFin()
    else this.#finish()
  }

  /** Bytes for the upstream. */
  #pass(bytes: Buffer): void {
    if (!this.#splice) this.#waiting.push(Buffer.from(bytes))
    else {
      this.#payHeader(this.#socket)
      this.#splice.onData(bytes)
    }
  }

  #finish(): void {
    if (this.#splice) this.#splice.onFin()
    else this.#isFinished = true
  }

  onWritable(): void {
    this.#splice?.onWritable()
  }

  onReset(code: number): void {
    this.#splice?.onReset(code)
    this.#code ??= code
    // With a splice its socket ends next, unless it ended first and this was its last data.
    if (this.#splice && !this.#isSocketClosed) return
    this.#cancelDial()
    this.#end(this.#code)
  }

  onClosed(): void {
    this.#isStreamClosed = true
    if (this.#isSocketClosed) this.#end(this.#code)
  }

  close(key: ErrorKey = 'session.closed'): void {
    this.#stream.reset(key)
    this.onReset(wireCode(key))
  }

  #join(socket: Socket): void {
    const { turn, clock } = this.#options
    const stream = this.#stream
    this.#reached()
    const { awaitsUpgrade } = this.#info
    this.#socket = socket
    if (awaitsUpgrade && !this.#gate) answerUpgrade(socket, stream)
    const splice = new Splice(socket, this.#front(), {
      turn,
      clock,
      isOverheard: awaitsUpgrade || socket instanceof TLSSocket,
      onEnd: (key) => this.#onSocketClosed(key),
    })
    if (!this.#gate || this.#waiting.length > 0) this.#payHeader(socket)
    this.#serve(splice)
    socket.resume()
  }

  /** What gets the bytes of the upstream's socket. */
  #front(): SplicedStream {
    const { tunnel, emit } = this.#options
    const front = this.#gate ?? this.#stream
    if (!speaksHttp(this.#wanted)) return front
    return new Http2Lookout(front, {
      onHttp2: () => {
        const name = formatUpstream(this.#wanted.upstream)
        const failure = fail('upstream.only_http_two', `${name} answered in HTTP/2 only`)
        this.#tell(failure)
        this.close(failure.key)
      },
      onOther: () => recovered(tunnel, emit),
    })
  }

  #bridge(sessions: UpstreamSessions): void {
    const { turn, clock, tunnel, emit } = this.#options
    this.#reached()
    const { awaitsUpgrade } = this.#info
    const bridge = new Bridge(this.#gate ?? this.#stream, {
      sessions,
      turn,
      clock,
      name: formatUpstream(this.#wanted.upstream),
      awaitsUpgrade,
      onFirst: (answer) => awaitsUpgrade && !this.#gate && this.#stream.answeredUpgrade(answer),
      onAnswer: () => recovered(tunnel, emit),
      onProblem: (failure) => this.#tell(failure),
      onEnd: (key) => this.#onSocketClosed(key),
    })
    this.#serve(bridge)
  }

  #reached(): void {
    const { tunnel, emit, clock } = this.#options
    // Releases the dial with its timer and handlers, which would otherwise stay as long as the visitor.
    this.#cancelDial = nothingToCancel
    const connectMs = Math.round(clock.monotonic() - this.#openedAt)
    this.#stream.opened(connectMs)
    if (!needsAnswer(tunnel.upstreamFailure?.key)) recovered(tunnel, emit)
    emit({ event: 'connection.opened', tunnel: labelOf(tunnel), visitor: visitorText(this.#info), connectMs })
  }

  #serve(splice: Splice | Bridge): void {
    this.#splice = splice
    for (const chunk of this.#waiting) splice.onData(chunk)
    this.#waiting = []
    if (this.#isFinished) splice.onFin()
  }

  #payHeader(socket: Socket | undefined): void {
    const { proxyProtocol } = this.#wanted
    if (!this.#owesHeader || !proxyProtocol) return
    this.#owesHeader = false
    socket?.write(writeProxyHeader(proxyProtocol, endsOf(this.#info)))
  }

  /** The gate answers the visitor, and the stream ends after that. */
  #onAnswered(key: ErrorKey | undefined): void {
    if (this.#isAnswered) return
    this.#isAnswered = true
    this.#refusal = key
    this.#cancelDial()
    this.#waiting = []
    if (this.#splice) this.#splice.onReset(wireCode(key ?? 'stream.aborted'))
    else {
      this.#isSocketClosed = true
      this.#stream.opened(0)
    }
  }

  #onSocketClosed(key: ErrorKey | undefined): void {
    this.#isSocketClosed = true
    // A gate that answered reports that itself.
    if (key && !this.#isAnswered) this.#code ??= wireCode(key)
    // Otherwise the stream is still sending the upstream's last bytes.
    if (this.#isStreamClosed || this.#stream.isOver) this.#end(this.#code)
  }

  #refuse(failure: PortTunnelerError): void {
    this.#tell(failure)
    if (this.#gate?.failed(failure.key)) return
    this.#stream.reset(failure.key)
    this.#end(failure.wire)
  }

  #tell(failure: PortTunnelerError): void {
    const { tunnel, emit } = this.#options
    // A busy tunnel with its program down would report the same a thousand times.
    if (tunnel.upstreamFailure?.key !== failure.key) {
      const upstream = formatUpstream(tunnel.wanted.upstream)
      emit({ event: 'upstream.failed', tunnel: labelOf(tunnel), upstream, problem: problemOf(failure) })
    }
    tunnel.upstreamFailure = failure
  }

  #end(code: number | undefined): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#gate?.close()
    const { tunnel, clock, emit } = this.#options
    const { bytesIn, bytesOut } = this.#stream
    const ended = this.#refusal ? wireCode(this.#refusal) : code
    tunnel.streams.delete(this.#stream)
    tunnel.total += 1
    tunnel.bytesIn += bytesIn
    tunnel.bytesOut += bytesOut
    emit({
      event: 'connection.closed',
      tunnel: labelOf(tunnel),
      visitor: visitorText(this.#info),
      bytesIn,
      bytesOut,
      ms: Math.round(clock.monotonic() - this.#openedAt),
      ...(ended !== undefined && { code: codeText(ended) }),
    })
    this.#options.onEnd()
  }
}

/** Such a failure is not over as soon as the upstream takes a connection. */
function needsAnswer(key: ErrorKey | undefined): boolean {
  return key === 'upstream.only_http_two' || key === 'upstream.reset' || key === 'upstream.busy'
}

/** `PT-nnnn` for a RESET's number, known here or not. */
function codeText(code: number): string {
  return keyOfCode(code) ? `PT-${String(code).padStart(4, '0')}` : String(code)
}
