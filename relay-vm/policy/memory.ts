/**
 * How much memory this process uses, and how much it may. Reading it opens a file of /proc, which a process without
 * free descriptors is refused: then what V8 knows of itself stands for it, because memory must be watched just then.
 */
import { totalmem } from 'node:os'
import process from 'node:process'
import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8'

/** Of the machine, or what this process may have of it. */
export function memoryBytes(): number {
  return Math.min(totalmem(), process.constrainedMemory() || totalmem())
}

/** @returns reads resident memory and never throws. @param read tests have their own */
export function residentReader(read: () => number = () => process.memoryUsage.rss()): () => number {
  let lastBytes = 0
  return () => {
    try {
      lastBytes = read()
      return lastBytes
    } catch {
      // EMFILE, ENFILE: not less than what was read last, and V8's own figures take no descriptor.
      const { total_heap_size, external_memory } = getHeapStatistics()
      return Math.max(lastBytes, total_heap_size + external_memory)
    }
  }
}

/**
 * Objects of V8 that live for more than a moment, not buffers. At the limit V8 ends the process, and no handler is
 * asked.
 */
export function heapUsedBytes(): number {
  return getHeapSpaceStatistics().reduce(
    (sum, { space_name, space_used_size }) => (isYoung.test(space_name) ? sum : sum + space_used_size),
    0,
  )
}

const isYoung = /^new_/

/**
 * Of those objects. What V8 says its limit is has room for new ones besides: three times a semi-space, which is most of
 * a small heap.
 */
export function heapLimitBytes(
  limitBytes = getHeapStatistics().heap_size_limit,
  options: readonly string[] = [...process.execArgv, ...(process.env.NODE_OPTIONS ?? '').split(' ')],
): number {
  const semi = options
    .map((option) => /^--max[-_]semi[-_]space[-_]size=(\d+)$/.exec(option)?.[1])
    .find(Boolean)
  const young = 3 * (semi === undefined ? semiSpaceBytes : Number(semi) * 1024 ** 2)
  return Math.max(limitBytes - young, limitBytes / 2)
}

/** Of V8 on 64-bit machines, where nobody says otherwise. */
const semiSpaceBytes = 16 * 1024 ** 2
