/** Gives back the memory that only the start of a program needed. */
import { executionAsyncResource } from 'node:async_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * One of the objects that Node makes for each `process.nextTick`, kept for good. A collection forgets the shape of
 * objects of which none is left, and V8 then makes all later ones by a slow path: 6 us of each new connection.
 */
const ticks: object[] = []

/**
 * Runs one full collection that also returns free pages to the system. It takes 10 to 20 ms and saves 5 MB in a relay
 * or agent at rest. V8 alone would wait for an allocation, which never comes in an idle program.
 */
export function compactHeap(): void {
  process.nextTick(() => {
    if (ticks.length === 0) ticks.push(executionAsyncResource())
  })
  setFlagsFromString('--expose-gc')
  const collect: NodeJS.GCFunction = runInNewContext('gc')
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}
