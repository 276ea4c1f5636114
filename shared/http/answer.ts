/**
 * Whether the upstream's last answer is complete, for a relay that wants to close idle connections and cut no answer.
 * Answers pass by unread; what is kept of them (1 KiB of the head, a count, the last five bytes) is looked at only when
 * somebody asks. When in doubt the answer is "no": RFC 9112 section 6.3, without what only its reader can know.
 */
import { Buffer } from 'node:buffer'

/** Longer heads count as unknown. */
const headBytesMax = 1_024
/** The last chunk of a chunked body that has no trailers. */
const lastChunk = Buffer.from('0\r\n\r\n').readUIntBE(0, 5)

const statusPattern = /^HTTP\/1\.[01] (\d{3})/
const lengthPattern = /\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*\r\n/i
const chunkedPattern = /\r\ntransfer-encoding:(?:[^\r\n]*[ \t,])?chunked[ \t]*\r\n/i

export class AnswerWatch {
  /** Made with the first answer and used for all. */
  #head: Buffer | undefined
  #headBytes = 0
  #bytes = 0
  /** The last five bytes as a number. */
  #tail = 0
  #isHeadRequest = false
  #wasAsked = false
  /** A request came before the last one was answered: nobody knows any more whose bytes are whose. */
  #isMixed = false

  /** A request is sent. */
  asked(method: string): void {
    this.#isMixed ||= this.#wasAsked && this.#bytes === 0
    this.#wasAsked = true
    this.#isHeadRequest = method === 'HEAD'
    this.#headBytes = this.#bytes = this.#tail = 0
  }

  /** The upstream says something. */
  heard(bytes: Buffer): void {
    if (this.#headBytes < headBytesMax) {
      this.#head ??= Buffer.allocUnsafeSlow(headBytesMax)
      this.#headBytes += bytes.copy(this.#head, this.#headBytes)
    }
    this.#bytes += bytes.length
    if (bytes.length >= 5) this.#tail = bytes.readUIntBE(bytes.length - 5, 5)
    else for (const byte of bytes) this.#tail = (this.#tail % 2 ** 32) * 256 + byte
  }

  /** The last request is answered in full. */
  get isComplete(): boolean {
    if (this.#isMixed) return false
    let text = this.#head?.toString('latin1', 0, this.#headBytes) ?? ''
    let bytes = this.#bytes
    for (;;) {
      const status = Number(statusPattern.exec(text)?.[1])
      const headBytes = text.indexOf('\r\n\r\n') + 4
      if (Number.isNaN(status) || headBytes < 4) return false
      const isInterim = status < 200 && status !== 101
      if (!isInterim) return this.#isWhole(status, text.slice(0, headBytes), bytes - headBytes)
      text = text.slice(headBytes)
      bytes -= headBytes
    }
  }

  #isWhole(status: number, head: string, bodyBytes: number): boolean {
    if (status === 101) return false
    if (this.#isHeadRequest || status === 204 || status === 304) return bodyBytes === 0
    if (chunkedPattern.test(head)) return bodyBytes >= 5 && this.#tail === lastChunk
    const length = lengthPattern.exec(head)?.[1]
    return length !== undefined && bodyBytes === Number(length)
  }
}
