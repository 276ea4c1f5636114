/** Short visits: whether a visitor gets in, how soon, and what it is told when not. */
import { connect, type Socket } from 'node:net'
import { systemClock } from '@porttunneler/shared/base/clock'
import { visit } from '../harness/http.ts'
import { type Address, dial, readBytes } from '../harness/sockets.ts'
import type { World } from './world.ts'

/** Resolves when four bytes came back through a tunnel; the time that took, in ms. */
export async function pingOnce(address: Address): Promise<number> {
  const startMs = systemClock.monotonic()
  const socket = await dial(address)
  try {
    await pingOver(socket)
    return systemClock.monotonic() - startMs
  } finally {
    socket.destroy()
  }
}

/** Pings over a connection that is open already. */
export async function pingOver(socket: Socket): Promise<number> {
  const startMs = systemClock.monotonic()
  const echoed = readBytes(socket, 4)
  socket.write('ping')
  await echoed
  return systemClock.monotonic() - startMs
}

/** Tries new visitors, one every 25 ms whatever happened to the others, until one is served; ms since the call. */
export function untilServed(address: Address, deadlineMs: number): Promise<number> {
  const startMs = systemClock.monotonic()
  const sockets = new Set<Socket>()
  const served = new Promise<number>((resolve, reject) => {
    const attempt = () => {
      const sinceMs = systemClock.monotonic() - startMs
      if (sinceMs > deadlineMs)
        return finish(() => reject(new Error(`no visitor served in ${deadlineMs} ms`)))
      const socket = connect({ ...address, noDelay: true })
      sockets.add(socket)
      socket.on('error', () => undefined).once('close', () => sockets.delete(socket))
      socket.once('connect', () => socket.write('ping'))
      socket.once('data', () => finish(() => resolve(systemClock.monotonic() - startMs)))
    }
    const timer = systemClock.every(25, attempt)
    const finish = (then: () => void) => {
      timer.clear()
      then()
    }
    attempt()
  })
  return served.finally(() => {
    for (const socket of sockets) socket.destroy()
  })
}

export type Refusal = { readonly status: number; readonly code: string | undefined; readonly tookMs: number }

/** What a visitor of the http tunnel is told. */
export async function askWeb({ service, web }: Pick<World, 'service' | 'web'>): Promise<Refusal> {
  const startMs = systemClock.monotonic()
  const { status, body } = await visit(service, web)
  return { status, code: /PT-\d{4}/.exec(body)?.[0], tookMs: systemClock.monotonic() - startMs }
}

/** Visits a tcp tunnel that refuses. @returns ms until the connection ended */
export async function refusedIn(address: Address): Promise<number> {
  const startMs = systemClock.monotonic()
  const socket = connect(address)
  await new Promise<void>((resolve) => {
    socket.resume().on('error', () => undefined)
    socket.once('close', () => resolve())
  })
  return systemClock.monotonic() - startMs
}

/** @param share 0.99 for p99 */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
