/** `ptun doctor` looks at the way to the server and its relays. */
import { lookup } from 'node:dns/promises'
import { connect, isIP } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { Client } from '@porttunneler/shared/api/client'
import type { OpenCells } from '@porttunneler/shared/api/schemas/tunnels'
import { fail } from '@porttunneler/shared/base/errors'
import { type Context, proxyChooserOf } from '../context.ts'
import { formatDuration, printable } from '../output/format.ts'
import { formatProxy } from '../proxy/settings.ts'
import { type Finding, failed, fine } from './check.ts'

/** A way around the world with lost packets takes less. */
const waitMs = 10_000
/** Sign-in codes and certificates stand this much; logs of two machines are hard to compare before. */
const clockOffMs = 60_000
/** As many as a server lists. */
const cellsMax = 16

type Place = { readonly host: string; readonly port: number; readonly isEncrypted: boolean }

export function placeOf(server: string): Place {
  const { hostname, port, protocol } = new URL(server)
  const isEncrypted = protocol === 'https:'
  const host = hostname.replace(/^\[|\]$/g, '')
  return { host, port: Number(port) || (isEncrypted ? 443 : 80), isEncrypted }
}

export async function lookUp({ host }: Place): Promise<Finding> {
  if (isIP(host) !== 0) return fine('name', `${host} is an address and needs no name server`)
  const found = await within(() => lookup(host, { all: true }))
  return fine('name', `${host} is ${found.map(({ address }) => address).join(', ')}`)
}

/** @throws proxy.setting */
export function lookAtProxy(context: Context, place: Place): Finding {
  const proxy = proxyChooserOf(context)(place)
  if (!proxy) return fine('proxy', 'none is set for this server')
  return fine('proxy', `${formatProxy(proxy)}, named by ${proxy.from}`)
}

/** Asks directly who vouches for an https server: an authority that Node does not know may read along. */
export async function lookAtCertificate(place: Place): Promise<Finding> {
  const name = 'certificate'
  const socket = await shakeHands({ ...place, servername: isIP(place.host) ? '' : place.host })
  const { issuer, valid_to: until } = socket.getPeerCertificate()
  socket.destroy()
  const by = printable([issuer?.O, issuer?.CN].flat().filter(Boolean).join(', ') || 'nobody with a name')
  if (socket.authorized) return fine(name, `by ${by}, until ${until}`)
  const why = printable(String(socket.authorizationError))
  return {
    name,
    state: 'warning',
    text: `by ${by}, whom Node does not know (${why})`,
    cure: 'If the server is not your own, something on the way opens TLS: a proxy of your company, or a virus scanner.',
  }
}

/** How long it takes to answer, and what time it has. @throws server.*, proxy.* */
export async function askServer(
  context: Context,
  client: Client,
  server: string,
): Promise<readonly Finding[]> {
  const { clock } = context
  const began = clock.monotonic()
  const { now } = await client.health()
  const took = Math.round(clock.monotonic() - began)
  return [fine('server', `${server} answers in ${took} ms`), lookAtClock(now, clock.now())]
}

function lookAtClock(serverMs: number, nowMs: number): Finding {
  const offMs = nowMs - serverMs
  if (Math.abs(offMs) < clockOffMs) return fine('clock', 'agrees with the server')
  const side = offMs > 0 ? 'ahead of' : 'behind'
  return {
    name: 'clock',
    state: 'warning',
    text: `the clock of this machine is ${formatDuration(Math.abs(offMs))} ${side} the server's`,
    cure: 'Set it, and let NTP keep it; certificates look invalid to a wrong clock.',
  }
}

/** @throws cell.none */
export async function lookAtRelays(context: Context, { cells }: OpenCells): Promise<readonly Finding[]> {
  if (cells.length === 0) throw fail('cell.none')
  return Promise.all(cells.slice(0, cellsMax).map((cell) => lookAtRelay(context, cell)))
}

/** Whether a connection and TLS reach the relay; who it is only a ticket finds out. */
async function lookAtRelay(
  context: Context,
  { id, host, port, sni = host }: OpenCells['cells'][number],
): Promise<Finding> {
  const name = `relay of ${printable(id)}`
  const place = `${printable(host)}:${port}`
  const { clock } = context
  try {
    const proxy = proxyChooserOf(context)({ host, port, isEncrypted: true })
    const began = clock.monotonic()
    if (proxy) {
      const { connectThrough } = await import('../proxy/connect.ts')
      const life = { clock, signal: AbortSignal.timeout(waitMs) }
      ;(await connectThrough(proxy, { host, port }, life)).on('error', () => {}).destroy()
      return fine(name, `${place} is reached through ${formatProxy(proxy)}`)
    }
    const socket = await shakeHands({ host, port, servername: isIP(sni) ? '' : sni })
    const took = Math.round(clock.monotonic() - began)
    const protocol = socket.getProtocol()
    socket.destroy()
    return fine(name, `${place} speaks ${protocol} after ${took} ms`)
  } catch (error) {
    return {
      cure: 'Let connections out to this host and port, or set a proxy (docs: Behind a proxy).',
      ...failed(name, error),
    }
  }
}

/** @returns a TLS socket whoever signed the certificate; nothing is sent to it */
function shakeHands({
  host,
  port,
  servername,
}: {
  readonly host: string
  readonly port: number
  readonly servername: string
}): Promise<TLSSocket> {
  return within(
    (signal) =>
      new Promise((resolve, reject) => {
        const plain = connect({ host, port })
        const socket = connectTls({ socket: plain, servername, rejectUnauthorized: false })
        const give = (error: Error) => {
          plain.destroy()
          reject(new Error(`${printable(host)}:${port}: ${error.message}`, { cause: error }))
        }
        signal.addEventListener('abort', () => give(new Error('no answer in 10 s')), { once: true })
        plain.on('error', give)
        socket.on('error', give)
        socket.once('secureConnect', () => resolve(socket))
      }),
  )
}

async function within<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const signal = AbortSignal.timeout(waitMs)
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('no answer in 10 s')), { once: true })
  })
  return Promise.race([work(signal), late])
}
