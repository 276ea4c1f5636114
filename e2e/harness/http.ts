/** A visitor of an http endpoint: Node's own client on a socket that the test can see. */
import { Agent as ConnectionPool, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { within } from './events.ts'
import { type Service, visitorAddress } from './service.ts'

export type Answer = {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** Two answers over one connection have the same value. */
  readonly localPort: number | undefined
}

export type Visit = {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  readonly pool?: ConnectionPool
}

/** Connections that stay open between requests; end the pool with `destroy()`. */
export function keepAlivePool(): ConnectionPool {
  return new ConnectionPool({ keepAlive: true, maxSockets: 1 })
}

export async function visit(
  service: Pick<Service, 'addressOf'>,
  url: string,
  { body, ...rest }: Visit = {},
): Promise<Answer> {
  const response = await openVisit(service, url, { ...rest, ...(body !== undefined && { body }) })
  const localPort = response.socket.localPort
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk)
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: Buffer.concat(chunks).toString(),
    localPort,
  }
}

/** Resolves at the head of the answer; the caller reads the body. */
export function openVisit(
  service: Pick<Service, 'addressOf'>,
  url: string,
  { method = 'GET', headers = {}, body, pool }: Visit = {},
): Promise<IncomingMessage> {
  const { host, pathname, search } = new URL(url)
  const opened = new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = request(
      {
        ...visitorAddress(service, url),
        method,
        path: `${pathname}${search}`,
        headers: { host, ...headers },
        agent: pool ?? false,
      },
      resolve,
    )
    outgoing.once('error', reject)
    outgoing.end(body)
  })
  return within(opened, `${method} ${url}`)
}
