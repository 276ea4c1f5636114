/**
 * Finds out how an upstream answers a request with Upgrade. The agent tells the relay, which has held back the
 * visitor's further bytes until then (docs/protocol.md, Upgrade). It only reads along; every byte passes untouched.
 */
import type { Socket } from 'node:net'
import type { Stream } from '@porttunneler/shared/mux/stream'
import { limits } from '@porttunneler/shared/protocol/limits'

type UpgradeAnswer = 'upgraded' | 'plain'

/** The beginning of every status line; `d` stands for a digit. */
const statusLine = 'HTTP/1.d ddd'
const statusStart = statusLine.indexOf('ddd')
const lineFeed = 0x0a
const carriageReturn = 0x0d

/**
 * Skips interim answers (100, 103); the first final head decides. `upgraded` only after a complete 101 head; anything
 * that is not HTTP/1, or too long, is `plain`, and then the relay still checks what the visitor sends.
 */
export class UpgradeReader {
  /** Bytes of the status line seen, at most its fixed part. */
  #matched = 0
  #status = 0
  /** Bytes of the present line except CR; an empty line ends a head. */
  #lineBytes = 0
  #left: number = limits.requestHeadBytes

  /** Call it with every read until it returns an answer; undefined = not known yet. */
  read(chunk: Buffer): UpgradeAnswer | undefined {
    for (const byte of chunk) {
      if (this.#left-- === 0) return 'plain'
      if (this.#matched < statusLine.length) {
        if (!this.#match(byte)) return 'plain'
        continue
      }
      if (byte === carriageReturn) continue
      if (byte !== lineFeed) this.#lineBytes++
      else if (this.#lineBytes > 0) this.#lineBytes = 0
      else if (this.#status === 101) return 'upgraded'
      else this.#matched = this.#status = 0
    }
    return undefined
  }

  /** Takes one byte of the status line. False when the answer can be neither interim nor a switch. */
  #match(byte: number): boolean {
    const at = this.#matched++
    if (statusLine[at] !== 'd') return statusLine.charCodeAt(at) === byte
    if (byte < 0x30 || byte > 0x39) return false
    if (at >= statusStart) this.#status = this.#status * 10 + byte - 0x30
    this.#lineBytes = 1
    return at !== statusStart || byte === 0x31
  }
}

/**
 * Watches `socket` until the upstream has answered, and reports that on `stream`. Pause the socket explicitly, so that
 * listening does not start its flow before the splice is there.
 */
export function answerUpgrade(socket: Socket, stream: Pick<Stream, 'answeredUpgrade'>): void {
  const reader = new UpgradeReader()
  const onData = (chunk: Buffer) => {
    const answer = reader.read(chunk)
    if (answer === undefined) return
    socket.off('data', onData)
    stream.answeredUpgrade(answer)
  }
  socket.on('data', onData)
}
