/** A visitor's request over HTTP/2, as a test sees it. */
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2'
import type { Upstream } from './http-rig.ts'

/** What came in answer so far. */
export type Answered = {
  readonly stream: ClientHttp2Stream
  status: number
  /** Names and values in turn. */
  fields: readonly string[]
  readonly interim: number[]
  text: string
  trailers: Record<string, unknown>
  /** The code of RST_STREAM; 0 after an orderly end. */
  code: number | undefined
}

/** Sends a request for `a.test`; without `body` it ends with its head. */
export function ask(
  client: ClientHttp2Session,
  fields: OutgoingHttpHeaders,
  { isOpen = false, waitForTrailers = false } = {},
): Answered {
  const head = { ':authority': 'a.test', ':scheme': 'https', ...fields }
  const stream = client.request(head, { endStream: !isOpen, waitForTrailers })
  const answered: Answered = {
    stream,
    status: 0,
    fields: [],
    interim: [],
    text: '',
    trailers: {},
    code: undefined,
  }
  stream.on('headers', ({ ':status': status = 0 }) => answered.interim.push(status))
  stream.on('response', (head, _flags, raw) => {
    answered.status = head[':status'] ?? 0
    answered.fields = raw.slice(2)
  })
  stream.on('trailers', ({ ...trailers }) => {
    answered.trailers = trailers
  })
  stream.on('data', (chunk: Buffer) => {
    answered.text += chunk.toString('latin1')
  })
  stream.on('error', () => {})
  stream.on('close', () => {
    answered.code = stream.rstCode
  })
  return answered
}

/** Resolves when `isTrue` holds; looks after each turn of the event loop. */
export async function when(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise<void>((resolve) => setImmediate(resolve))
}

/** Resolves when the request is over. */
export async function over(answered: Answered): Promise<Answered> {
  await when(() => answered.code !== undefined)
  return answered
}

/** Resolves when the upstream has got a whole head of a request for `path`. @returns all that it got */
export async function asked({ heard }: Upstream, path: string): Promise<string> {
  const text = () => heard.bytes.toString('latin1')
  await heard.until(() =>
    text()
      .slice(text().lastIndexOf(` ${path} HTTP/1.1`))
      .includes('\r\n\r\n'),
  )
  await heard.until(() => text().includes(` ${path} HTTP/1.1`))
  return text()
}
