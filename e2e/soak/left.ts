/**
 * Names the sockets that are still open at the doors after the last visitor: tunnel, kind of visit, age, and what both
 * kernels have. Node tells of every socket that this process dials, so no visitor can be forgotten here.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { execFileSync } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import { systemClock } from '@porttunneler/shared/base/clock'
import type { Kind, Side } from './ledger.ts'
import type { Doors } from './load.ts'

/** The visit that runs now. */
const visiting = new AsyncLocalStorage<Kind>()

/** Runs a visit: sockets that it dials are known as its own. */
export function asVisit<T>(kind: Kind, visit: () => Promise<T>): Promise<T> {
  return visiting.run(kind, visit)
}

type Dialled = {
  readonly kind: Kind | 'no visit'
  readonly atMs: number
  closedMs?: number
}

/** A port comes again after some 28,000 others. */
const rememberedMax = 20_000

/** Every socket of this process by its own port; the newest has the port. */
export class Dials {
  readonly #byPort = new Map<number, Dialled>()

  constructor() {
    subscribe('net.client.socket', (message) => {
      const { socket } = message as { readonly socket: Socket }
      const kind = visiting.getStore() ?? 'no visit'
      socket.once('connect', () => this.#note(socket, kind))
    })
  }

  #note(socket: Socket, kind: Dialled['kind']): void {
    const { localPort } = socket
    if (localPort === undefined) return
    const dialled: Dialled = { kind, atMs: systemClock.monotonic() }
    socket.once('close', () => {
      dialled.closedMs = systemClock.monotonic()
    })
    this.#byPort.delete(localPort)
    this.#byPort.set(localPort, dialled)
    const [oldest] = this.#byPort.keys()
    if (this.#byPort.size > rememberedMax && oldest !== undefined) this.#byPort.delete(oldest)
  }

  at(port: number): Dialled | undefined {
    return this.#byPort.get(port)
  }
}

type End = {
  readonly state: string
  readonly unread: string
  readonly unsent: string
  readonly localPort: number
  readonly peerPort: number
  readonly rest: string
}

/** Columns of `ss -tnH`; with -O each socket is one line. */
const linePattern = /^(\S+) +(\d+) +(\d+) +\S+:(\d+) +\S+:(\d+)(.*)$/

/** A line for each socket that a relay holds at one of the doors. */
export function describeLeft(dials: Dials, doors: Readonly<Record<Side, Doors>>): readonly string[] {
  const names = new Map(
    Object.entries(doors).flatMap(([side, parts]) =>
      Object.entries(parts).map(([name, { port }]) => [port, name === 'web' ? 'web' : `${name} of ${side}`]),
    ),
  )
  const filter = [...names.keys()].flatMap((port) => [`sport = :${port}`, `dport = :${port}`]).join(' or ')
  const ends = execFileSync(
    'ss',
    ['-tnpiHO', 'state', 'connected', 'exclude', 'time-wait', `( ${filter} )`],
    {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 ** 2,
    },
  )
    .split('\n')
    .flatMap((line) => parseEnd(line))
  return ends
    .filter((end) => names.has(end.localPort))
    .map((end) => {
      const other = ends.find((one) => one.localPort === end.peerPort && one.peerPort === end.localPort)
      return [
        `  ${names.get(end.localPort)}: ${saidOf(dials.at(end.peerPort))}`,
        `the relay's end ${stateOf(end)}`,
        `the visitor's ${other ? stateOf(other) : 'is gone'}`,
      ].join('; ')
    })
}

function parseEnd(line: string): readonly End[] {
  const [, state, unread, unsent, local, peer, rest] = linePattern.exec(line) ?? []
  if (!state || !unread || !unsent || rest === undefined) return []
  return [{ state, unread, unsent, localPort: Number(local), peerPort: Number(peer), rest }]
}

function saidOf(dialled: Dialled | undefined): string {
  if (!dialled) return 'dialled by another process, or long ago'
  const ago = (ms: number) => `${((systemClock.monotonic() - ms) / 1_000).toFixed(1)} s ago`
  const end = dialled.closedMs === undefined ? 'not closed by it' : `closed by it ${ago(dialled.closedMs)}`
  return `${dialled.kind}, dialled ${ago(dialled.atMs)}, ${end}`
}

/** Unread bytes that stay are those of a paused reader. */
function stateOf({ state, unread, unsent, rest }: End): string {
  const figure = (name: string) => new RegExp(`\\b${name}:(\\d+)`).exec(rest)?.[1] ?? '0'
  const pid = /pid=(\d+)/.exec(rest)?.[1]
  return [
    `is ${state}${pid === undefined ? '' : ` in process ${pid}`}`,
    `in ${figure('bytes_received')} B, unread ${unread}, last ${figure('lastrcv')} ms ago`,
    `out ${figure('bytes_acked')} B, unsent ${unsent}, last ${figure('lastsnd')} ms ago`,
  ].join(', ')
}
