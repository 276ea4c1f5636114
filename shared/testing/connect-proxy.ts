/**
 * A real and strict HTTP proxy for tests: only CONNECT and absolute requests, user and password if set, and only names
 * from its own list. Tests of `ptun` behind a proxy use it.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'

export type ConnectProxy = {
  readonly port: number
  /** `CONNECT host:port` and `GET http://...` that were carried or refused, in order, with the status. */
  readonly requests: readonly string[]
  /** Tunnels that are open. */
  readonly tunnels: number
  /** While set, every CONNECT gets it. */
  status: number | undefined
  /** From now on nothing passes through tunnels that are open now, and nobody is told. */
  forget(): void
  /** Resets every tunnel. */
  cut(): void
  close(): Promise<void>
}

export type ConnectProxyOptions = {
  /** Host names that it knows, and their addresses. */
  readonly names: Readonly<Record<string, string>>
  readonly user?: { readonly name: string; readonly password: string }
  /** The same again, when a proxy restarts. */
  readonly port?: number
}

export async function startConnectProxy({
  names,
  user,
  port = 0,
}: ConnectProxyOptions): Promise<ConnectProxy> {
  const requests: string[] = []
  const sockets = new Set<Socket>()
  const pairs = new Set<readonly [Socket, Socket]>()
  let status: number | undefined
  const expected = user && `Basic ${Buffer.from(`${user.name}:${user.password}`).toString('base64')}`
  const addressOf = (host: string) => names[host] ?? (/^127\./.test(host) ? host : undefined)
  const judge = ({ method, url, headers }: IncomingMessage, host: string): number => {
    const isSignedIn = expected === undefined || headers['proxy-authorization'] === expected
    const given = !isSignedIn ? 407 : addressOf(host) === undefined ? 502 : (status ?? 200)
    requests.push(`${method} ${url} ${given}`)
    return given
  }

  const server = createServer((incoming: IncomingMessage, response: ServerResponse) => {
    const url = URL.canParse(incoming.url ?? '') ? new URL(incoming.url ?? '') : undefined
    if (url?.protocol !== 'http:') return void response.writeHead(400).end()
    const given = judge(incoming, url.hostname)
    if (given !== 200) return void response.writeHead(given).end()
    const { 'proxy-authorization': _, ...headers } = incoming.headers
    const { pathname, search, port } = url
    const { method } = incoming
    const to = {
      host: addressOf(url.hostname),
      port: port || 80,
      path: `${pathname}${search}`,
      method,
      headers,
    }
    const outgoing = request(to, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    outgoing.on('error', () => response.destroy())
    incoming.pipe(outgoing)
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).once('close', () => sockets.delete(socket))
  })
  server.on('connect', (incoming: IncomingMessage, near: Socket, head: Buffer) => {
    const [, host = '', wanted] = /^(.*):(\d+)$/.exec(incoming.url ?? '') ?? []
    const given = judge(incoming, host)
    if (given !== 200) {
      const challenge = given === 407 ? 'Proxy-Authenticate: Basic realm="test"\r\n' : ''
      near.end(`HTTP/1.1 ${given} No\r\n${challenge}Content-Length: 0\r\n\r\n`)
      return
    }
    const far = connect({ host: addressOf(host), port: Number(wanted), allowHalfOpen: true })
    const pair = [near, far] as const
    sockets.add(far)
    far.once(
      'error',
      () => pairs.has(pair) || near.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n'),
    )
    far.once('connect', () => {
      pairs.add(pair)
      near.write('HTTP/1.1 200 Connection established\r\n\r\n')
      if (head.length > 0) far.write(head)
      near.pipe(far)
      far.pipe(near)
    })
    for (const socket of pair)
      socket
        .on('error', () => {})
        .once('close', () => {
          sockets.delete(socket)
          // The ends of a forgotten path do not learn of each other.
          if (pairs.delete(pair)) for (const other of pair) other.destroy()
        })
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    get tunnels() {
      return pairs.size
    },
    get status() {
      return status
    },
    set status(value) {
      status = value
    },
    forget: () => {
      for (const pair of pairs) for (const socket of pair) socket.unpipe().pause()
      pairs.clear()
    },
    cut: () => {
      for (const pair of pairs) for (const socket of pair) socket.resetAndDestroy()
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
