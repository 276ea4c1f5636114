/** How many visitors one agent process takes at a time: each is a connection to an upstream, and so a descriptor. */
import { readFileSync } from 'node:fs'

/** The rest is for relays, files and whatever a library opens. */
const share = 0.8
/** Used when the system does not say: macOS allows 10,240 for a process. */
const elsewhere = 8_000
/** More than a relay sends to one session. */
const most = 65_536

/** @param text of /proc/self/limits; Node has raised the soft limit to the hard one by then */
export function visitorsMax(text = readLimits()): number {
  const descriptors = Number(/^Max open files +(\d+)/m.exec(text)?.[1] ?? elsewhere / share)
  return Math.min(most, Math.max(1, Math.floor(descriptors * share)))
}

function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8')
  } catch {
    // Only Linux has it.
    return ''
  }
}
