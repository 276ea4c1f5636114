/** `ptun doctor` looks at the way to the server and its relays. */
import { lookup } from 'node:dns/promises'
import { connect, isIP } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { Client } from '@porttunneler/shared/api/client'
import type { OpenCells } from '@porttunneler/shared/api/schemas/tunnels'
import { type ErrorKey, fail, isFailure } from '@porttunneler/shared/base/errors'
import { sayNetworkError } from '@porttunneler/shared/base/system-errors'
import { type Context, proxyChooserOf } from '../context.ts'
import { formatDuration, printable } from '../output/format.ts'
import { formatProxy } from '../proxy/settings.ts'
import { noticeOf } from '../update-notice.ts'
import { version } from '../version.ts'
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

/** @throws server.name */
export async function lookUp({ host }: Place, resolve = lookUpAll): Promise<Finding> {
  if (isIP(host) !== 0) return fine('name', `${host} is an address and needs no name server`)
  const found = await within(
    () => resolve(host),
    silent('server.name', `the name servers for ${host}`),
  ).catch((cause: unknown) => {
    if (isFailure(cause)) throw cause
    throw fail('server.name', `${host} was not found${sayNetworkError(cause)}`, { cause })
  })
  return fine('name', `${host} is ${found.map(({ address }) => address).join(', ')}`)
}

function lookUpAll(host: string): Promise<readonly { readonly address: string }[]> {
  return lookup(host, { all: true })
}

/** @throws proxy.setting */
export function lookAtProxy(context: Context, place: Place): Finding {
  const proxy = proxyChooserOf(context)(place)
  if (!proxy) return fine('proxy', 'none is set for this server')
  return fine('proxy', `${formatProxy(proxy)}, named by ${proxy.from}`)
}

/**
 * Asks directly who vouches for an https server: an authority that Node does not know may read along.
 * @throws server.silent
 */
export async function lookAtCertificate(place: Place, waitMs?: number): Promise<Finding> {
  const name = 'certificate'
  const servername = isIP(place.host) ? '' : place.host
  const socket = await shakeHands({ ...place, servername, keys: serverKeys, waitMs })
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
  const { now, version: there } = await client.health()
  const took = Math.round(clock.monotonic() - began)
  const newer = noticeOf(version, there, process.argv[1] ?? '')
  return [
    fine('server', `${server} answers in ${took} ms`),
    ...(newer ? [{ name: 'version', state: 'warning', ...newer } as const] : []),
    lookAtClock(now, clock.now()),
  ]
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
export async function lookAtRelays(
  context: Context,
  { cells }: OpenCells,
  waitMs?: number,
): Promise<readonly Finding[]> {
  if (cells.length === 0) throw fail('cell.none')
  return Promise.all(cells.slice(0, cellsMax).map((cell) => lookAtRelay(context, cell, waitMs)))
}

/** Whether a connection and TLS reach the relay; who it is only a ticket finds out. */
async function lookAtRelay(
  context: Context,
  { id, host, port, sni = host }: OpenCells['cells'][number],
  ms = waitMs,
): Promise<Finding> {
  const name = `relay of ${printable(id)}`
  const place = `${printable(host)}:${port}`
  const { clock } = context
  try {
    const proxy = proxyChooserOf(context)({ host, port, isEncrypted: true })
    const began = clock.monotonic()
    if (proxy) {
      const { connectThrough } = await import('../proxy/connect.ts')
      const life = { clock, signal: AbortSignal.timeout(ms) }
      ;(await connectThrough(proxy, { host, port }, life)).on('error', () => {}).destroy()
      return fine(name, `${place} is reached through ${formatProxy(proxy)}`)
    }
    const socket = await shakeHands({
      host,
      port,
      servername: isIP(sni) ? '' : sni,
      keys: relayKeys,
      waitMs: ms,
    })
    const took = Math.round(clock.monotonic() - began)
    const protocol = socket.getProtocol()
    socket.destroy()
    return fine(name, `${place} speaks ${protocol} after ${took} ms`)
  } catch (error) {
    return failed(name, error)
  }
}

type Shaken = Omit<Place, 'isEncrypted'> & {
  readonly servername: string
  readonly keys: { readonly failed: ErrorKey; readonly silent: ErrorKey }
  readonly waitMs?: number | undefined
}

const serverKeys = { failed: 'server.silent', silent: 'server.silent' } as const
const relayKeys = { failed: 'relay.unreachable', silent: 'relay.silent' } as const

/**
 * @returns a TLS socket whoever signed the certificate; nothing is sent to it
 * @throws the failures of `keys`
 */
function shakeHands({ host, port, servername, keys, waitMs: ms }: Shaken): Promise<TLSSocket> {
  const place = `${printable(host)}:${port}`
  return within(
    (signal) =>
      new Promise((resolve, reject) => {
        const plain = connect({ host, port })
        const socket = connectTls({ socket: plain, servername, rejectUnauthorized: false })
        const give = (cause: Error) => {
          plain.destroy()
          const why = sayNetworkError(cause) || ` (${printable(cause.message)})`
          reject(fail(keys.failed, `No TLS with ${place}${why}`, { cause }))
        }
        signal.addEventListener('abort', () => plain.destroy(), { once: true })
        plain.on('error', give)
        socket.on('error', give)
        socket.once('secureConnect', () => resolve(socket))
      }),
    silent(keys.silent, place, ms),
    ms,
  )
}

/** Makes the failure of whoever says nothing. */
function silent(key: ErrorKey, who: string, ms = waitMs): () => Error {
  return () => fail(key, `${who} gave no answer within ${formatDuration(ms)}`)
}

async function within<T>(
  work: (signal: AbortSignal) => Promise<T>,
  late: () => Error,
  ms = waitMs,
): Promise<T> {
  const signal = AbortSignal.timeout(ms)
  const waited = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(late()), { once: true })
  })
  return Promise.race([work(signal), waited])
}
