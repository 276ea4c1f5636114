/**
 * Which streams of a session yield when it holds too much: those of the binding that holds most, and of them those of
 * the visitor that holds most, the largest first. So one tunnel of an agent costs its other tunnels nothing, and one
 * visitor of a tunnel costs the others nothing.
 */
import type { Stream } from './stream.ts'

type Group = { bytes: number; readonly streams: Stream[] }

/** Resets the worst of `streams` at both ends until about `bytes` are free. */
export function resetWorst(streams: Iterable<Stream>, bytes: number): void {
  const holders = Array.from(streams).filter((stream) => stream.heldBytes > 0)
  let left = bytes
  while (left > 0 && holders.length > 0) {
    const ofBinding = largestOf(holders, (stream) => stream.info.bind)
    const ofVisitor = largestOf(ofBinding, (stream) => stream.info.visitorAddress)
    const before = left
    for (const stream of ofVisitor.toSorted((a, b) => b.heldBytes - a.heldBytes)) {
      if (left <= 0) return
      left -= stream.heldBytes
      holders.splice(holders.indexOf(stream), 1)
      stream.cut('stream.memory')
      // Another may be the largest now.
      if (before - left > bytes / stepsMin) break
    }
  }
}

/** The largest is looked up again at least this often, unless all are small. */
const stepsMin = 8

function largestOf(streams: readonly Stream[], keyOf: (stream: Stream) => unknown): readonly Stream[] {
  const groups = new Map<unknown, Group>()
  for (const stream of streams) {
    const key = keyOf(stream)
    const group = groups.get(key) ?? { bytes: 0, streams: [] }
    group.bytes += stream.heldBytes
    group.streams.push(stream)
    groups.set(key, group)
  }
  let largest: Group | undefined
  for (const group of groups.values()) if (group.bytes > (largest?.bytes ?? 0)) largest = group
  return largest?.streams ?? []
}
