/**
 * Makes the request head that the upstream sees: every byte as the visitor sent it, except that the forwarding fields
 * are ours alone. A visitor's own X-Forwarded-*, Forwarded, X-Real-IP and X-Porttunneler-* are left out, never appended
 * to, so an application may trust X-Forwarded-For to be one address: the visitor's as the relay saw it, or as a trusted
 * proxy in front named it. The relay uses it, and the agent where TLS ends at it.
 */
import { Buffer } from 'node:buffer'
import type { FieldSpan, RequestHead } from './head.ts'

export type Visitor = { readonly address: string; readonly proto: 'http' | 'https' }

const closeLine = Buffer.from('Connection: close\r\n')

/** Makes outgoing heads for one visitor connection. Our lines stay the same as long as its Host field does. */
export class HeadRewriter {
  readonly #visitor: Visitor
  #hostField = ''
  #lines = Buffer.alloc(0)

  constructor(visitor: Visitor) {
    this.#visitor = visitor
  }

  /**
   * One buffer, ready to send: the visitor's lines in their order, ours last. `isLast`: the upstream is asked to close
   * after its answer, which also tells the visitor to send nothing more (RFC 9112 section 9.6). `hostField` replaces
   * the value of Host, where a proxy asked for something else than the visitor.
   */
  rewrite(head: RequestHead, isLast = false, hostField = head.hostField): Buffer {
    const { hostLine } = head
    if (hostField !== this.#hostField) this.#setHost(hostField)
    if (!isLast && hostLine !== undefined && hostField === head.hostField)
      return join(head.bytes, head.drop, this.#lines)
    const isHostOurs = hostLine === undefined || hostField !== head.hostField
    const host = isHostOurs ? [Buffer.from(`Host: ${hostField}\r\n`, 'latin1')] : []
    const lines = Buffer.concat([...host, ...(isLast ? [closeLine] : []), this.#lines])
    const isReplaced = isHostOurs && hostLine !== undefined
    return join(head.bytes, isReplaced ? withLine(head.drop, hostLine) : head.drop, lines)
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

/** The head with another Host and no other change. */
export function withHost({ bytes, hostLine }: RequestHead, hostField: string): Buffer {
  const line = Buffer.from(`Host: ${hostField}\r\n\r\n`, 'latin1')
  return join(bytes, hostLine ? [hostLine.start, hostLine.next] : [], line)
}

/**
 * The head without the lines of `drop` (start, end, start, end…), and with `lines` before the empty line at its end.
 */
function join(bytes: Buffer, drop: readonly number[], lines: Buffer): Buffer {
  const out = Buffer.allocUnsafe(bytes.length + lines.length)
  let from = 0
  let to = 0
  for (let i = 0; i < drop.length; i += 2) {
    to += bytes.copy(out, to, from, drop[i])
    from = drop[i + 1] as number
  }
  to += bytes.copy(out, to, from, bytes.length - 2)
  to += lines.copy(out, to)
  return to === out.length ? out : out.subarray(0, to)
}

function withLine(drop: readonly number[], { start, next }: FieldSpan): readonly number[] {
  // Lines do not overlap, so starts and ends in rising order are the pairs in rising order.
  return [...drop, start, next].toSorted((a, b) => a - b)
}
