/**
 * Makes the bytes of a repeated request from the recorded one and the changes to it. Values that still read as hidden
 * get back what they were; the framing is made anew, so that nobody can hide a second request in the body of one.
 */
import { Buffer } from 'node:buffer'
import type { HeaderLine, ReplayWish } from '@porttunneler/shared/api/schemas/inspection'
import { fail, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import { RequestScanner } from '@porttunneler/shared/http/scanner'
import type { Entry } from './entry.ts'
import { hiddenText, revealLines, revealTarget } from './redaction.ts'

export type ReplayRequest = { readonly bytes: Buffer; readonly host: string; readonly revealed: number }

/** They describe a body and a connection that are not these. */
const framing = new Set([
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'expect',
  'trailer',
  'te',
])
const tokenPattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const valuePattern = /^[\t\x20-\x7e\x80-\xff]*$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these end a request line early
const brokenTarget = /[\x00-\x20\x7f#]/

/** @throws inspector.replay */
export function replayBytes(entry: Entry, wish: ReplayWish): ReplayRequest {
  const body = bodyOf(entry, wish)
  const method = wish.method ?? entry.method
  if (!tokenPattern.test(method)) throw refuse(`"${method}" is no method, such as GET or POST.`)
  const { target, revealed: inTarget } = targetOf(entry, wish)
  const { lines, revealed } = linesOf(entry, wish)
  const hasBody = body.length > 0 || !['GET', 'HEAD', 'OPTIONS', 'DELETE'].includes(method)
  const head = [
    `${method} ${Buffer.from(target, 'utf8').toString('latin1')} HTTP/1.1`,
    ...lines.map(([name, value]) => `${name}: ${value}`),
    ...(hasBody ? [`Content-Length: ${body.length}`] : []),
    '\r\n',
  ]
  const bytes = Buffer.concat([Buffer.from(head.join('\r\n'), 'latin1'), body])
  return { bytes, host: hostOf(bytes), revealed: inTarget + revealed }
}

function bodyOf({ request }: Entry, { body }: ReplayWish): Buffer {
  if (body !== undefined) return Buffer.from(body, 'utf8')
  const { bytes, total } = request.body
  if (!request.isWhole) throw refuse('The request has not come completely.')
  if (bytes.length < total)
    throw refuse(
      `Only the first ${bytes.length} of ${total} bytes of its body are kept. Write a body of your own.`,
    )
  return Buffer.from(bytes)
}

function targetOf(entry: Entry, { target: wanted }: ReplayWish): { target: string; revealed: number } {
  const { target, count } = revealTarget(wanted ?? entry.target, entry.rawTarget())
  if (!target.startsWith('/') || brokenTarget.test(target))
    throw refuse('A path begins with / and has no spaces and no # in it.')
  if (target.includes(hiddenText)) throw refuse(`Write a value where the path says ${hiddenText}.`)
  return { target, revealed: count }
}

function linesOf(entry: Entry, { headers }: ReplayWish): { lines: readonly HeaderLine[]; revealed: number } {
  const wanted = headers ?? entry.request.headers
  if (wanted.some(([name]) => name.toLowerCase() === 'upgrade'))
    throw refuse('A request that opens a WebSocket cannot be sent again: its page would be missing.')
  const kept = wanted.filter(([name]) => !framing.has(name.toLowerCase()))
  for (const [name, value] of kept) {
    if (!tokenPattern.test(name)) throw refuse(`"${name}" cannot be the name of a header.`)
    if (!valuePattern.test(value))
      throw refuse(`The value of ${name} has letters in it that no header may have.`)
  }
  const { lines, count } = revealLines(kept, entry.rawLines())
  const hidden = lines.find(([, value]) => value.includes(hiddenText))
  if (hidden)
    throw refuse(
      `Write the whole value of ${hidden[0]}, or leave the line as it was: then it is sent as it came.`,
    )
  return { lines, revealed: count }
}

/** Reads the request as the agent and the upstream will. */
function hostOf(bytes: Buffer): string {
  const scanner = new RequestScanner()
  scanner.push(Buffer.from(bytes))
  const head = scanner.next()
  if (head?.kind !== 'head') throw refuse('With these headers it is no valid request; look at Host.')
  return head.host
}

function refuse(detail: string): PortTunnelerError {
  return fail('inspector.replay', detail)
}
