/** An answer with pauses longer than any idle rule: a visitor that waits for it must not be cut. */
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
    /** How many were requested. */
    get begun() {
      return begun
    },
  }
}
