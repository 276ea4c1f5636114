/**
 * What the upstream sees of a request head that the agent was asked to change: Host and what goes with it, and no
 * password that was meant for the agent. The functions of the scanner that accepted the head read its lines.
 */
import { Buffer } from 'node:buffer'
import { type FieldLine, lineFeed, readField, startsWithFolded } from '@porttunneler/shared/http/fields'
import type { RequestHead } from '@porttunneler/shared/http/head'

export type HeadEdits = {
  /** Replaces the visitor's Host. */
  readonly host?: string | undefined
  /** Replaces the visitor's own origin in Origin and Referer; X-Forwarded-Host and -Proto are then left out. */
  readonly origin?: string | undefined
  readonly dropsAuthorization: boolean
}

const edited = [
  'host',
  'origin',
  'referer',
  'authorization',
  'x-forwarded-host',
  'x-forwarded-proto',
] as const
type Edited = (typeof edited)[number]

/** The values of the Authorization fields. */
export function authorizationsOf(head: RequestHead): readonly string[] {
  const values: string[] = []
  walkFields(head.bytes, (name, line) => {
    if (name === 'authorization') values.push(head.bytes.toString('latin1', line.valueStart, line.valueEnd))
  })
  return values
}

/** The head to send on; everything that is not edited stays byte for byte. */
export function editHead(head: RequestHead, edits: HeadEdits): Buffer {
  const { bytes } = head
  const parts: Buffer[] = []
  let kept = 0
  const replace = (start: number, end: number, text: string) => {
    parts.push(bytes.subarray(kept, start), Buffer.from(text, 'latin1'))
    kept = end
  }
  if (edits.host !== undefined) replaceTarget(head, replace)
  walkFields(bytes, (name, line, start) => {
    const { valueStart, valueEnd, next } = line
    const value = () => bytes.toString('latin1', valueStart, valueEnd)
    if (name === 'host') {
      if (edits.host !== undefined) replace(valueStart, valueEnd, edits.host)
    } else if (name === 'authorization') {
      if (edits.dropsAuthorization) replace(start, next, '')
    } else if (edits.origin === undefined) return
    else if (name === 'origin' || name === 'referer') {
      const own = ownOriginBytes(value(), head.hostField)
      if (own > 0) replace(valueStart, valueStart + own, edits.origin)
    } else replace(start, next, '')
  })
  // HTTP/1.0 may name its host only in the target, which was just removed.
  if (edits.host !== undefined && head.hostLine === undefined)
    replace(bytes.length - 2, bytes.length - 2, `Host: ${edits.host}\r\n`)
  parts.push(bytes.subarray(kept))
  return Buffer.concat(parts)
}

/** An absolute target outweighs Host (RFC 9112 section 3.2.2), so it must not stay beside another Host. */
function replaceTarget(
  { bytes, method }: RequestHead,
  replace: (start: number, end: number, text: string) => void,
): void {
  const start = method.length + 1
  const end = bytes.indexOf(0x20, start)
  const match = /^https?:\/\/[^/?]+/i.exec(bytes.toString('latin1', start, end))
  if (!match) return
  const pathAt = start + match[0].length
  const isBare = pathAt === end
  replace(start, pathAt, isBare && method === 'OPTIONS' ? '*' : bytes[pathAt] === 0x2f ? '' : '/')
}

/**
 * How many bytes of a URL are the origin under which the visitor knows the tunnel. Another origin is never made to look
 * like the upstream's own, because applications recognise forged requests by it.
 */
function ownOriginBytes(url: string, hostField: string): number {
  const match = /^https?:\/\/([^/?#]*)(?=[/?#]|$)/i.exec(url)
  return match?.[1]?.toLowerCase() === hostField.toLowerCase() ? match[0].length : 0
}

/** Calls `take` for each field whose name is in `edited`. */
function walkFields(bytes: Buffer, take: (name: Edited, line: FieldLine, start: number) => void): void {
  const line: FieldLine = { nameEnd: 0, valueStart: 0, valueEnd: 0, next: bytes.indexOf(lineFeed) + 1 }
  const end = bytes.length - 2
  while (line.next < end) {
    const start = line.next
    // The scanner has read this head with the same function.
    if (readField(bytes, start, line) !== undefined) throw new Error('a head that was accepted is malformed')
    const length = line.nameEnd - start
    const name = edited.find((one) => one.length === length && startsWithFolded(bytes, start, one))
    if (name !== undefined) take(name, line, start)
  }
}
