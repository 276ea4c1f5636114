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
  #wasAnswered = false
  /** Nothing of the last request's answer has come: what is kept is of the answer before. */
  #isPending = false
  #isNextHead = false
  /** A request came before the last one was answered: nobody knows any more whose bytes are whose. */
  #isMixed = false

  /** A request is sent. */
  asked(method: string): void {
    this.#isMixed ||= this.#isPending
    this.#isPending = true
    this.#isNextHead = method === 'HEAD'
  }

  /** The upstream says something. */
  heard(bytes: Buffer): void {
    if (this.#isPending) this.#begin()
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
    return !this.#isPending && this.#look() === 'whole'
  }

  /** Nothing of the last request's answer has come, and all before it is answered in full: there is room for a page. */
  get hasRoom(): boolean {
    if (!this.#isPending) return this.#look() === 'none'
    return !this.#isMixed && (!this.#wasAnswered || this.#look() === 'whole')
  }

  #begin(): void {
    this.#isPending = false
    this.#wasAnswered = true
    this.#isHeadRequest = this.#isNextHead
    this.#headBytes = this.#bytes = this.#tail = 0
  }

  /** How much of an answer is there; interim ones (100, 103) are none. */
  #look(): 'none' | 'part' | 'whole' {
    if (this.#isMixed) return 'part'
    let text = this.#head?.toString('latin1', 0, this.#headBytes) ?? ''
    let bytes = this.#bytes
    while (bytes > 0) {
      const status = Number(statusPattern.exec(text)?.[1])
      const headBytes = text.indexOf('\r\n\r\n') + 4
      if (Number.isNaN(status) || headBytes < 4) return 'part'
      const isInterim = status < 200 && status !== 101
      if (!isInterim)
        return this.#isWhole(status, text.slice(0, headBytes), bytes - headBytes) ? 'whole' : 'part'
      text = text.slice(headBytes)
      bytes -= headBytes
    }
    return 'none'
  }

  #isWhole(status: number, head: string, bodyBytes: number): boolean {
    if (status === 101) return false
    if (this.#isHeadRequest || status === 204 || status === 304) return bodyBytes === 0
    if (chunkedPattern.test(head)) return bodyBytes >= 5 && this.#tail === lastChunk
    const length = lengthPattern.exec(head)?.[1]
    return length !== undefined && bodyBytes === Number(length)
  }
}
