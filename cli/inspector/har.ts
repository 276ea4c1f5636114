/**
 * Requests as an HTTP Archive 1.2, which browsers and proxies read. Secrets are hidden as everywhere. Small bodies may
 * unpack to very much, so all of one archive together are bounded, and the agent's work goes on between two requests.
 */
import { isUtf8 } from 'node:buffer'
import { setImmediate } from 'node:timers/promises'
import type { HeaderLine } from '@porttunneler/shared/api/schemas/inspection'
import { version } from '../version.ts'
import { urlOf } from './copy-as.ts'
import { decodeBody } from './decode.ts'
import type { Entry, Message } from './entry.ts'

/** Bodies beyond this are left out, and their entries say so. */
const bodiesBytesMax = 64_000_000

/** @param bytesMax of all bodies together, unpacked */
export async function asHar(entries: readonly Entry[], bytesMax: number = bodiesBytesMax): Promise<string> {
  const budget = { left: bytesMax }
  const parts: string[] = []
  for (const entry of entries) {
    parts.push(JSON.stringify(await harEntry(entry, budget)))
    await setImmediate()
  }
  const creator = JSON.stringify({ name: 'ptun', version })
  return `{"log":{"version":"1.2","creator":${creator},"entries":[${parts.join(',\n')}]}}`
}

type Budget = { left: number }

async function harEntry(entry: Entry, budget: Budget) {
  const { at, method, request, answer, status = 0, marks } = entry
  const url = urlOf(entry)
  return {
    startedDateTime: new Date(at).toISOString(),
    time: marks.ended ?? 0,
    request: {
      method,
      url,
      httpVersion: 'HTTP/1.1',
      cookies: [],
      headers: headersOf(request),
      queryString: URL.canParse(url)
        ? [...new URL(url).searchParams].map(([name, value]) => ({ name, value }))
        : [],
      ...(request.body.total > 0 && { postData: postData(request, budget) }),
      headersSize: -1,
      bodySize: request.body.total,
    },
    response: {
      status,
      statusText: '',
      httpVersion: 'HTTP/1.1',
      cookies: [],
      headers: answer ? headersOf(answer) : [],
      content: answer ? await contentOf(answer, budget) : { size: 0, mimeType: 'x-unknown' },
      redirectURL: answer?.header('location') ?? '',
      headersSize: -1,
      bodySize: answer?.body.total ?? -1,
    },
    cache: {},
    timings: timingsOf(entry),
    comment: entry.failure ?? '',
  }
}

function headersOf({ headers }: Message) {
  return headers.map(([name, value]: HeaderLine) => ({ name, value }))
}

/** HAR has no place for the encoding of a request's body, so bytes that are no text become letters of Latin-1. */
function postData(request: Message, budget: Budget) {
  const { bytes } = request.body
  if (!takes(budget, bytes.length)) return { mimeType: typeOf(request), comment: leftOut }
  return { mimeType: typeOf(request), text: bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1') }
}

async function contentOf(answer: Message, budget: Budget) {
  const mimeType = typeOf(answer)
  if (budget.left === 0) return { size: answer.body.total, mimeType, comment: leftOut }
  const { bytes } = await decodeBody(answer.body.bytes, answer.header('content-encoding'))
  if (!takes(budget, bytes.length)) return { size: bytes.length, mimeType, comment: leftOut }
  const isText = isUtf8(bytes)
  const text = bytes.toString(isText ? 'utf8' : 'base64')
  return { size: bytes.length, mimeType, text, ...(!isText && { encoding: 'base64' }) }
}

const leftOut = 'The archive is full: save this request by itself.'

/** @returns false if there is no room; then none is left for later ones either, so that they need not be unpacked */
function takes(budget: Budget, bytes: number): boolean {
  if (bytes > budget.left) budget.left = 0
  else {
    budget.left -= bytes
    return true
  }
  return bytes === 0
}

function typeOf(message: Message): string {
  return message.header('content-type') ?? 'x-unknown'
}

function timingsOf({ marks }: Entry) {
  const { asked = 0, connected, answered, ended } = marks
  const heard = answered ?? ended ?? asked
  return {
    blocked: -1,
    dns: -1,
    connect: connected ?? -1,
    send: asked,
    wait: Math.max(0, heard - asked),
    receive: Math.max(0, (ended ?? heard) - heard),
  }
}
