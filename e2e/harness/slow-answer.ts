/** An answer that pauses for longer than any rule of quiet could mean: whoever waits for it must not be cut. */
import type { Handler } from './upstreams.ts'

const tickMs = 600

/** @param ticks lines of the answer */
export function makeSlowAnswer(ticks = 8) {
  let begun = 0
  const handler: Handler = (_request, response) => {
    begun += 1
    let said = 0
    const timer = setInterval(() => {
      said += 1
      response.write('tick\n')
      if (said < ticks) return
      clearInterval(timer)
      response.end()
    }, tickMs)
    response.once('close', () => clearInterval(timer))
    response.flushHeaders()
  }
  return {
    handler,
    text: 'tick\n'.repeat(ticks),
    /** How many have been asked for. */
    get begun() {
      return begun
    },
  }
}
