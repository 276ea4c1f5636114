/**
 * The bytes that the kernel still has to bring to a peer. A reset throws them away and Node cannot tell how many there
 * are, so a caller that wants to reset a connection after its last words asks here. Linux lists them for all sockets in
 * one file: all callers meanwhile share the next reading, and readings take a small part of the process's time however
 * long the list is.
 */
import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { systemClock } from '../base/clock.ts'

const files = { IPv4: '/proc/self/net/tcp', IPv6: '/proc/self/net/tcp6' } as const
type Family = keyof typeof files

/** Columns of proc(5), net/tcp: sl, local_address, rem_address, st, tx_queue:rx_queue. */
const linePattern = /^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]{2} ([0-9A-F]{8}):/gm
/** After a reading the next one waits this many times as long as it took. */
const restFactor = 4

/** By both ports. Two sockets with the same ports get the longer queue: one of them waits longer than necessary. */
type Queues = ReadonlyMap<string, number>
type Look = Promise<Queues | undefined>

/** The next reading, which has not begun. */
const coming = new Map<Family, Look>()
/** The present one with its pause. */
const resting = new Map<Family, Promise<void>>()

/** @returns bytes written to `socket` that its peer has not acknowledged; undefined: this system does not tell */
export async function unacknowledgedBytes(socket: Socket): Promise<number | undefined> {
  const { localPort, remotePort, remoteFamily } = socket
  // Bytes written to a Unix socket are the peer's at once, and a closed socket has nothing left.
  if (localPort === undefined || remotePort === undefined) return 0
  const queues = await nextLook(remoteFamily === 'IPv6' ? 'IPv6' : 'IPv4')
  return queues && (queues.get(`${localPort} ${remotePort}`) ?? 0)
}

function nextLook(family: Family): Look {
  const known = coming.get(family)
  if (known !== undefined) return known
  const look = (resting.get(family) ?? Promise.resolve()).then(() => {
    coming.delete(family)
    const startedMs = systemClock.monotonic()
    const looking = readFile(files[family], 'latin1').then(parseQueues, () => undefined)
    resting.set(
      family,
      looking.then(() => rest((systemClock.monotonic() - startedMs) * restFactor)),
    )
    return looking
  })
  coming.set(family, look)
  return look
}

function rest(ms: number): Promise<void> {
  return new Promise((resolve) => void systemClock.after(ms, resolve, { background: true }))
}

function parseQueues(text: string): Queues {
  const queues = new Map<string, number>()
  for (const [, local = '', remote = '', bytes = ''] of text.matchAll(linePattern)) {
    const queued = Number.parseInt(bytes, 16)
    if (queued === 0) continue
    const key = `${Number.parseInt(local, 16)} ${Number.parseInt(remote, 16)}`
    queues.set(key, Math.max(queued, queues.get(key) ?? 0))
  }
  return queues
}
