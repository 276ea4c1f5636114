/** Field lines between HTTP/1.1 and HTTP/2: those of answers, and trailers both ways. */
import { Buffer } from 'node:buffer'
import type { OutgoingHttpHeaders } from 'node:http2'
import type { Field, Fields, ReceivedHead } from '@porttunneler/shared/http/answer-parser'
import { isTrailer } from '@porttunneler/shared/http/chunks'

/** They belong to one HTTP/1.1 connection (RFC 9113 section 8.2.2). */
const ofConnection: ReadonlySet<string> = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'te',
  'http2-settings',
])

/** Nothing but these two, as almost always. */
const usualOptions = /^(?:, *(?:close|keep-alive))*$/i

/** The head of an answer for Node, names and values in turn. */
export function answerFields(head: ReceivedHead): string[] {
  const list = [':status', String(head.status)]
  let options = ''
  for (const field of head.fields) {
    const name = nameOf(head, field)
    if (name === 'connection') options += `,${textOf(head, field)}`
    // Node sends no body with 205, and a length that it does not have would break the answer.
    else if (head.status === 205 && name === 'content-length') continue
    else if (!ofConnection.has(name)) list.push(name, textOf(head, field))
  }
  return usualOptions.test(options) ? list : withoutNamed(list, options)
}

/** Fields by name, where Node takes no list: those of interim answers and trailers. */
export function fieldsByName(fields: Fields): OutgoingHttpHeaders {
  // An upstream may choose any name, also one that every object has.
  const byName: Record<string, string[]> = Object.create(null)
  for (const field of fields.fields) {
    const name = nameOf(fields, field)
    if (ofConnection.has(name)) continue
    byName[name] ??= []
    byName[name].push(textOf(fields, field))
  }
  return byName
}

/** The trailers of a request as lines of a chunked body; those that a trailer may not have are left out. */
export function trailerLines(raw: readonly string[]): Buffer {
  const lines: Buffer[] = []
  for (let at = 0; at < raw.length; at += 2) {
    const line = Buffer.from(`${raw[at]}: ${raw[at + 1]}\r\n`, 'latin1')
    if (isTrailer(line, 0, line.length - 1)) lines.push(line)
  }
  return Buffer.concat(lines)
}

function nameOf({ bytes }: Fields, { start, nameEnd }: Field): string {
  return bytes.toString('latin1', start, nameEnd).toLowerCase()
}

function textOf({ bytes }: Fields, { valueStart, valueEnd }: Field): string {
  return bytes.toString('latin1', valueStart, valueEnd)
}

/** The fields that `Connection` names belong to that connection too. */
function withoutNamed(list: readonly string[], options: string): string[] {
  const named = new Set(options.split(',').map((option) => option.trim().toLowerCase()))
  const left: string[] = []
  for (let at = 0; at < list.length; at += 2)
    if (!named.has(list[at] ?? '')) left.push(list[at] ?? '', list[at + 1] ?? '')
  return left
}
