/**
 * What the upstream gets to see of a request head: every byte as the visitor sent it, but the forwarding fields are
 * ours alone. A visitor's own X-Forwarded-*, Forwarded, X-Real-IP and X-Porttunneler-* are left out, never appended to,
 * so an application may trust X-Forwarded-For to be one address: the visitor's as the relay saw it.
 */
import { Buffer } from 'node:buffer'
import type { RequestHead } from '@porttunneler/shared/http/head'

export type Visitor = { readonly address: string; readonly proto: 'http' | 'https' }

const closeLine = Buffer.from('Connection: close\r\n')

/** Makes outgoing heads for one visitor connection. Our lines are the same as long as its Host field is. */
export class HeadRewriter {
  readonly #visitor: Visitor
  #hostField = ''
  #lines = Buffer.alloc(0)

  constructor(visitor: Visitor) {
    this.#visitor = visitor
  }

  /**
   * One buffer, ready to send; the visitor's lines in their order, ours last. `isLast`: the upstream is asked to close
   * behind its answer, which tells the visitor to send nothing more either (RFC 9112 section 9.6).
   */
  rewrite(head: RequestHead, isLast = false): Buffer {
    const { bytes, drop, hostField, lacksHost } = head
    if (hostField !== this.#hostField) this.#setHost(hostField)
    const before = [
      ...(lacksHost ? [Buffer.from(`Host: ${hostField}\r\n`)] : []),
      ...(isLast ? [closeLine] : []),
    ]
    const lines = before.length > 0 ? Buffer.concat([...before, this.#lines]) : this.#lines
    const out = Buffer.allocUnsafe(bytes.length + lines.length)
    let from = 0
    let to = 0
    for (let i = 0; i < drop.length; i += 2) {
      to += bytes.copy(out, to, from, drop[i])
      from = drop[i + 1] as number
    }
    // The empty line that ended the head comes again at the end of `lines`.
    to += bytes.copy(out, to, from, bytes.length - 2)
    to += lines.copy(out, to)
    return to === out.length ? out : out.subarray(0, to)
  }

  #setHost(hostField: string): void {
    const { address, proto } = this.#visitor
    this.#hostField = hostField
    this.#lines = Buffer.from(
      `X-Forwarded-For: ${address}\r\nX-Forwarded-Host: ${hostField}\r\nX-Forwarded-Proto: ${proto}\r\n\r\n`,
      'latin1',
    )
  }
}
