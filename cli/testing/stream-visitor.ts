/** A visitor that is a stream of this process: no relay, no socket. For tests and measurements of the agent's desk. */
import type { OpenInfo } from '@porttunneler/shared/mux/open-info'
import type { StreamSink } from '@porttunneler/shared/mux/stream-sink'
import type { Tunnel } from '../agent/tunnels.ts'
import type { VisitorDesk } from '../agent/visitor-desk.ts'
import type { VisitorStream } from '../agent/visitor-stream.ts'

const visitorInfo: OpenInfo = {
  bind: 1,
  visitorAddress: '192.0.2.7',
  visitorPort: 4711,
  localPort: 80,
  atMs: 0,
  awaitsUpgrade: false,
}

export class StreamVisitor implements VisitorStream {
  /** All that came, unless somebody else takes it. */
  heard = ''
  isOver = false
  bytesIn = 0
  bytesOut = 0
  sink: StreamSink | undefined
  readonly #onBytes: (bytes: Buffer) => void

  /** @param onBytes takes what comes; without it, it is in `heard` */
  constructor(onBytes?: (bytes: Buffer) => void) {
    this.#onBytes =
      onBytes ??
      ((bytes) => {
        this.heard += bytes.toString('latin1')
      })
  }

  enter(desk: VisitorDesk, tunnel: Tunnel, extra: Partial<OpenInfo> = {}): this {
    this.sink = desk.accept(this, { ...visitorInfo, ...extra }, tunnel)
    return this
  }

  ask(text: string | Buffer): void {
    const bytes = typeof text === 'string' ? Buffer.from(text, 'latin1') : text
    this.bytesIn += bytes.length
    this.sink?.onData(bytes)
  }

  write(bytes: Buffer): boolean {
    this.bytesOut += bytes.length
    this.#onBytes(bytes)
    return true
  }

  end(): void {
    this.isOver = true
    queueMicrotask(() => this.sink?.onClosed?.())
  }

  reset(): void {
    this.isOver = true
  }

  resetBehind(): void {
    this.isOver = true
  }

  consumed(): void {}
  opened(): void {}
  answeredUpgrade(): void {}
}
