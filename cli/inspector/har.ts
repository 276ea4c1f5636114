/** Requests as an HTTP Archive 1.2, which browsers and proxies read. Secrets are hidden as everywhere. */
import { isUtf8 } from 'node:buffer'
import type { HeaderLine } from '@porttunneler/shared/api/schemas/inspection'
import { version } from '../version.ts'
import { urlOf } from './copy-as.ts'
import { decodeBody } from './decode.ts'
import type { Entry, Message } from './entry.ts'

export async function asHar(entries: readonly Entry[]): Promise<string> {
  const log = {
    version: '1.2',
    creator: { name: 'ptun', version },
    entries: await Promise.all(entries.map(harEntry)),
  }
  return JSON.stringify({ log }, undefined, 2)
}

async function harEntry(entry: Entry) {
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
      ...(request.body.total > 0 && { postData: postData(request) }),
      headersSize: -1,
      bodySize: request.body.total,
    },
    response: {
      status,
      statusText: '',
      httpVersion: 'HTTP/1.1',
      cookies: [],
      headers: answer ? headersOf(answer) : [],
      content: answer ? await contentOf(answer) : { size: 0, mimeType: 'x-unknown' },
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
function postData(request: Message) {
  const { bytes } = request.body
  return { mimeType: typeOf(request), text: bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1') }
}

async function contentOf(answer: Message) {
  const { bytes } = await decodeBody(answer.body.bytes, answer.header('content-encoding'))
  const isText = isUtf8(bytes)
  return {
    size: bytes.length,
    mimeType: typeOf(answer),
    text: bytes.toString(isText ? 'utf8' : 'base64'),
    ...(!isText && { encoding: 'base64' }),
  }
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
