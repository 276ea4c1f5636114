/** Visitors by https who trust one root alone, and a steady rate of them with kept and with new connections. */
import { Agent as ConnectionPool, request } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { systemClock } from '@porttunneler/shared/base/clock'

export type TlsPlace = { readonly host: string; readonly port: number; readonly root: string }
export type TlsAnswer = { readonly status: number; readonly body: string; readonly serial: string }

/**
 * A kept connection ended just as it was used again, as after five idle seconds at an upstream. HTTP/1.1 has no cure
 * for that but to ask again.
 */
export class Crossed extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause })
  }
}

/** Rejects when the certificate is not trusted. @throws {Crossed} */
export function getByTls(
  { host, port, root }: TlsPlace,
  { path = '/', pool }: { readonly path?: string; readonly pool?: ConnectionPool } = {},
): Promise<TlsAnswer> {
  return new Promise((resolve, reject) => {
    const headers = { host: port === 443 ? host : `${host}:${port}`, accept: 'text/plain' }
    const address = { host: '127.0.0.1', port, servername: host, ca: root, headers, path }
    const outgoing = request({ ...address, agent: pool ?? false }, (answer) => {
      const { serialNumber: serial } = (answer.socket as TLSSocket).getPeerCertificate()
      let body = ''
      answer.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      answer.on('error', reject)
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body, serial }))
    })
    outgoing.on('error', (error) => reject(outgoing.reusedSocket ? new Crossed(error) : error)).end()
  })
}

const tickMs = 20
/** On a machine that cannot keep up, requests are left out instead of piling up. */
const atOnceMax = 100

export type Rate = {
  /** Certificates that new connections saw, each once: relays learn of a new one at different times. */
  readonly serials: readonly string[]
  sent(): number
  /** Resolves when so many requests were sent since now. */
  further(count: number): Promise<void>
  /** Resolves when all are answered. */
  stop(): Promise<{ readonly sent: number; readonly leftOut: number; readonly failures: readonly string[] }>
}

/** So many requests a second: each second one on a kept connection. No request is tried twice. */
export function startRate(place: TlsPlace, { perSecond }: { readonly perSecond: number }): Rate {
  const pool = new ConnectionPool({ keepAlive: true, maxSockets: 8 })
  const failures: string[] = []
  const serials: string[] = []
  const running = new Set<Promise<void>>()
  let waiting: { readonly at: number; readonly reached: () => void } | undefined
  let sent = 0
  let leftOut = 0
  let owed = 0
  const visit = async (isKept: boolean) => {
    try {
      const got = await getByTls(place, isKept ? { pool } : {})
      if (got.status !== 200) failures.push(`${got.status} ${got.body}`)
      if (!isKept && !serials.includes(got.serial)) serials.push(got.serial)
    } catch (error) {
      failures.push(`${isKept ? 'kept' : 'new'}: ${error}`)
    }
  }
  const timer = systemClock.every(tickMs, () => {
    owed += (perSecond * tickMs) / 1_000
    for (; owed >= 1; owed--) {
      if (running.size >= atOnceMax) {
        leftOut++
        continue
      }
      const visiting = visit(sent++ % 2 === 0).finally(() => running.delete(visiting))
      running.add(visiting)
    }
    if (waiting && sent >= waiting.at) waiting.reached()
  })
  return {
    serials,
    sent: () => sent,
    further: (count) =>
      new Promise((resolve) => {
        waiting = { at: sent + count, reached: resolve }
      }),
    stop: async () => {
      timer.clear()
      await Promise.all(running)
      pool.destroy()
      return { sent, leftOut, failures }
    },
  }
}
