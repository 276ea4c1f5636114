/** Gives back the memory that only the start of a program needed. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * One full collection that also hands free pages back to the system: 10 to 20 ms, and 5 MB less of a relay or an agent
 * at rest. V8 itself would wait for an allocation that never comes in a program without work.
 */
export function compactHeap(): void {
  setFlagsFromString('--expose-gc')
  const collect: NodeJS.GCFunction = runInNewContext('gc')
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}
