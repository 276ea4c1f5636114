/**
 * How much memory this process uses, and how much it may. Reading it opens a file of /proc, which a process without
 * free descriptors is refused: then what V8 knows of itself stands for it, because memory must be watched just then.
 */
import { totalmem } from 'node:os'
import { getHeapStatistics } from 'node:v8'

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

/** Objects of V8, not buffers. At the limit V8 ends the process, and no handler is asked. */
export function heapUsedBytes(): number {
  return getHeapStatistics().used_heap_size
}

export function heapLimitBytes(): number {
  return getHeapStatistics().heap_size_limit
}
