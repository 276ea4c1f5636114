/**
 * How many visitors one agent process takes at a time. Each is a connection to an upstream, and so a descriptor, and
 * each has objects in V8's heap, whose limit ends the process.
 */
import { readFileSync } from 'node:fs'
import { heapLimitBytes } from '@porttunneler/shared/base/memory'

/** The rest is for relays, files and whatever a library opens. */
const share = 0.8
/** Used when the system does not say: macOS allows 10,240 for a process. */
const elsewhere = 8_000
/** More than a relay sends to one session. */
const most = 65_536
/** The heap of an agent without visitors, and what V8 needs to go on. */
const restBytes = 20 * 1024 ** 2
/** Measured for tcp tunnels: 6 KB of live objects. Requests that are looked at, and garbage, take more. */
const visitorBytes = 16 * 1024

/** @param text of /proc/self/limits; Node has raised the soft limit to the hard one by then */
export function visitorsMax({
  text = readLimits(),
  heapBytes = heapLimitBytes(),
}: {
  readonly text?: string
  readonly heapBytes?: number
} = {}): number {
  const descriptors = Number(/^Max open files +(\d+)/m.exec(text)?.[1] ?? elsewhere / share)
  const places = (heapBytes - restBytes) / visitorBytes
  return Math.max(1, Math.floor(Math.min(most, descriptors * share, places)))
}

function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8')
  } catch {
    // Only Linux has it.
    return ''
  }
}
