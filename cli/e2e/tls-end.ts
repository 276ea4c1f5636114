/**
 * The end of a visitor's TLS at the agent. To what comes behind it, it looks like the visitor's stream with the plain
 * bytes; nobody but the visitor and this process can read them. The stream's credit follows the plain bytes: what the
 * upstream has not taken yet is not credited, so a slow upstream holds the visitor back as it does without TLS.
 */
import { Duplex } from 'node:stream'
import { type SecureContext, TLSSocket } from 'node:tls'
import type { Clock, Timer } from '@porttunneler/shared/base/clock'
import { type ErrorKey, wireCode } from '@porttunneler/shared/base/errors'
import { deafSink, type StreamSink } from '@porttunneler/shared/mux/stream-sink'
import { limits } from '@porttunneler/shared/protocol/limits'
import type { PlainVisitor, TlsStream, VisitorStream } from '../agent/visitor-stream.ts'

export type TlsEndOptions = {
  readonly clock: Clock
  /** Empty: the visitor's programs speak whatever they like. */
  readonly protocols: readonly string[]
  /**
   * Several agents serve the tunnel: the relay sends the visitor's bytes when the upstream is reached, and asks another
   * agent if it is not.
   */
  readonly isShared: boolean
  contextOf(name: string): SecureContext | undefined
}

export class TlsEnd implements TlsStream, StreamSink {
  readonly #stream: VisitorStream
  #visitor: PlainVisitor = { ...deafSink, start() {}, dial() {} }
  readonly #wire: Duplex
  readonly #tls: TLSSocket
  readonly #options: TlsEndOptions
  #timer: Timer | undefined
  /** Calls back when the stream takes more. */
  #wake: (() => void) | undefined
  #isGreeted = false
  #isSecure = false
  #isOver = false
  #hasEnded = false
  /** The visitor's side was told that it is over. */
  #isTold = false
  /** Bytes from the stream, those of them that were credited, and plain bytes that the upstream has yet to take. */
  #received = 0
  #credited = 0
  #untaken = 0
  /** Set by a reset that waits for the last bytes. */
  #lastKey: ErrorKey | undefined

  constructor(stream: VisitorStream, options: TlsEndOptions) {
    const { protocols, contextOf } = options
    this.#options = options
    this.#stream = stream
    this.#wire = this.#makeWire()
    this.#tls = new TLSSocket(this.#wire, {
      isServer: true,
      ...(protocols.length > 0 && { ALPNProtocols: [...protocols] }),
      SNICallback: (name, done) => done(null, contextOf(name.toLowerCase())),
    })
    this.#listen()
  }

  lead(visitor: PlainVisitor): StreamSink {
    this.#visitor = visitor
    // Where nobody else can do better, the upstream is dialled after the handshake: strangers do not reach it.
    if (this.#options.isShared) visitor.dial()
    else this.#greet(0)
    return this
  }

  /** The relay waits for this before it passes bytes on. */
  #greet(connectMs: number): void {
    if (this.#isGreeted || this.#isOver) return
    this.#isGreeted = true
    const { clock } = this.#options
    // Relays that know of no other agent do not wait.
    if (!this.#isSecure) this.#timer = clock.after(limits.headDeadlineMs, () => this.#fail('tls.deadline'))
    this.#stream.opened(connectMs)
  }

  // --- from the visitor ---

  onData(bytes: Buffer): void {
    this.#received += bytes.length
    // The stream uses its memory again.
    if (!this.#isOver) this.#wire.push(Buffer.from(bytes))
    this.#credit()
  }

  onFin(): void {
    if (!this.#isOver) this.#wire.push(null)
  }

  onWritable(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
    // What waits in the wire is written then.
    if (this.#lastKey) setImmediate(() => this.#resetIfWritten())
  }

  onReset(code: number): void {
    this.#close()
    this.#tellReset(code)
  }

  onClosed(): void {
    this.#close()
    this.#visitor.onClosed?.()
  }

  // --- what stands behind it calls these ---

  write(plain: Buffer): boolean {
    // The caller uses its memory again, and TLS may keep what it cannot encrypt yet.
    return this.#isOver || !this.#tls.writable || this.#tls.write(Buffer.from(plain))
  }

  end(): void {
    if (!this.#isOver) this.#tls.end()
  }

  consumed(bytes: number): void {
    this.#untaken -= bytes
    this.#credit()
  }

  reset(key: ErrorKey): void {
    this.#close()
    this.#stream.reset(key)
  }

  resetBehind(key: ErrorKey): void {
    this.#lastKey ??= key
    this.#resetIfWritten()
  }

  /** If it was told before the handshake, it is not told again. */
  opened(connectMs: number): void {
    this.#greet(connectMs)
  }

  /** Only relays ask for it, and this visitor's requests are not theirs to see. */
  answeredUpgrade(): void {}

  get isOver(): boolean {
    return this.#stream.isOver
  }

  get host(): string {
    const { servername } = this.#tls
    return typeof servername === 'string' ? servername.toLowerCase() : ''
  }

  get bytesIn(): number {
    return this.#stream.bytesIn
  }

  get bytesOut(): number {
    return this.#stream.bytesOut
  }

  #makeWire(): Duplex {
    return new Duplex({
      read() {},
      write: (bytes: Buffer, _encoding, done) => {
        if (this.#isOver || this.#stream.write(bytes)) done()
        else this.#wake = done
      },
      final: (done) => {
        if (!this.#isOver) this.#stream.end()
        done()
      },
    })
  }

  #listen(): void {
    const tls = this.#tls
    tls.on('secure', () => {
      this.#isSecure = true
      this.#timer?.clear()
      this.#visitor.start()
    })
    tls.on('data', (plain: Buffer) => {
      if (this.#isOver) return
      this.#untaken += plain.length
      this.#visitor.onData(plain)
    })
    tls.on('end', () => {
      if (this.#isOver || this.#hasEnded) return
      this.#hasEnded = true
      if (this.#isSecure) this.#visitor.onFin()
      else this.#fail('tls.handshake')
    })
    tls.on('drain', () => {
      if (this.#isOver) return
      if (this.#lastKey) this.#resetIfWritten()
      else this.#visitor.onWritable()
    })
    // A close behind a good end is no failure: the stream ends when both sides have used it.
    tls.on('error', () => this.#fail(this.#isSecure ? 'stream.aborted' : 'tls.handshake'))
    this.#wire.on('error', () => {})
  }

  /** What the upstream has not taken is held back; a handshake and what TLS adds is not. */
  #credit(): void {
    const due = this.#received - this.#untaken
    if (due <= this.#credited) return
    const bytes = due - this.#credited
    this.#credited = due
    this.#stream.consumed(bytes)
  }

  /** Without the end that TLS has: the visitor sees that something is missing. */
  #resetIfWritten(): void {
    const isWritten = this.#isOver || this.#tls.writableLength + this.#wire.writableLength === 0
    if (!this.#lastKey || !isWritten) return
    this.#close()
    this.#stream.resetBehind(this.#lastKey)
  }

  #tellReset(code: number): void {
    if (this.#isTold) return
    this.#isTold = true
    this.#visitor.onReset(code)
  }

  #fail(key: ErrorKey): void {
    if (this.#isOver) return
    this.#close()
    // An alert that TLS has just written still arrives.
    this.#stream.resetBehind(key)
    this.#tellReset(wireCode(key))
  }

  #close(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#timer?.clear()
    this.#untaken = 0
    this.#credit()
    this.#wake?.()
    this.#wake = undefined
    this.#tls.destroy()
    this.#wire.destroy()
  }
}
