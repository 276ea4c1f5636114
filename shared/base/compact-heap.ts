/** Gives back the memory that only the start of a program needed. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * Runs one full collection that also returns free pages to the system. It takes 10 to 20 ms and saves 5 MB in a relay
 * or agent at rest. V8 alone would wait for an allocation, which never comes in an idle program.
 */
export function compactHeap(): void {
  setFlagsFromString('--expose-gc')
  const collect: NodeJS.GCFunction = runInNewContext('gc')
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}
