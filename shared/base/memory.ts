/**
 * How much memory this process uses, and how much it may use. Reading it opens a file of /proc, which fails without
 * free descriptors. V8's own figures replace it then, because memory must be watched just then.
 */
import { totalmem } from 'node:os'
import process from 'node:process'
import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8'

/** The machine's memory, or the part that this process may use. */
export function memoryBytes(): number {
  return Math.min(totalmem(), process.constrainedMemory() || totalmem())
}

/** @param read tests pass their own. @returns a function that reads resident memory and never throws */
export function residentReader(read: () => number = () => process.memoryUsage.rss()): () => number {
  let lastBytes = 0
  return () => {
    try {
      lastBytes = read()
      return lastBytes
    } catch {
      // EMFILE, ENFILE: not less than the last value, and V8's own figures need no descriptor.
      const { total_heap_size, external_memory } = getHeapStatistics()
      return Math.max(lastBytes, total_heap_size + external_memory)
    }
  }
}

/**
 * Bytes of V8 objects that live for more than a moment, without buffers. At the limit V8 ends the process without
 * asking a handler.
 */
export function heapUsedBytes(): number {
  return getHeapSpaceStatistics().reduce(
    (sum, { space_name, space_used_size }) => (isYoung.test(space_name) ? sum : sum + space_used_size),
    0,
  )
}

const isYoung = /^new_/

/**
 * The limit of those objects: the one that Node was started with, or V8's own. What V8 reports also has room for new
 * objects, three times a semi-space, which is most of a small heap.
 */
export function heapLimitBytes(
  limitBytes = getHeapStatistics().heap_size_limit,
  options: readonly string[] = [...process.execArgv, ...(process.env.NODE_OPTIONS ?? '').split(' ')],
): number {
  const sizeOf = (space: RegExp) => {
    const found = options.map((option) => space.exec(option)?.[1]).find(Boolean)
    return found === undefined ? undefined : Number(found) * 1024 ** 2
  }
  const old = sizeOf(/^--max[-_]old[-_]space[-_]size=(\d+)$/)
  if (old !== undefined) return Math.min(old, limitBytes)
  const young = 3 * (sizeOf(/^--max[-_]semi[-_]space[-_]size=(\d+)$/) ?? semiSpaceBytes)
  return Math.max(limitBytes - young, limitBytes / 2)
}

/** The largest default: releases of Node 24 have had 16 and 64 MiB. */
const semiSpaceBytes = 64 * 1024 ** 2
