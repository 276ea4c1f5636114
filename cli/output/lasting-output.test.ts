import { EventEmitter } from 'node:events'
import { describe, expect, test } from 'vitest'
import { LastingOutput } from './lasting-output.ts'

/** Refuses while told to as `process.stdout` does, by callback and by event, and is not destroyed by it. */
function refusable() {
  const state = { code: undefined as string | undefined, text: '' }
  const events = new EventEmitter()
  const output = {
    on: (event: string, listener: (error: NodeJS.ErrnoException) => void) => events.on(event, listener),
    write(text: string, onDone: (error?: Error | null) => void) {
      const { code } = state
      if (code === undefined) state.text += text
      const error = code === undefined ? undefined : Object.assign(new Error(code), { code })
      setImmediate(() => {
        onDone(error)
        if (error) events.emit('error', error)
      })
    },
  }
  return { output, state }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

describe('an output that refuses', () => {
  test.each(['EPIPE', 'ENOSPC', 'EIO', 'EBADF'])('%s is told once and ends nothing', async (code) => {
    const { output, state } = refusable()
    const heard: string[] = []
    const lasting = new LastingOutput(output, {
      sayLost: (lines) => `lost ${lines}\n`,
      onRefused: (why) => heard.push(why),
    })
    state.code = code
    for (const line of ['one\n', 'two\nthree\n']) {
      lasting.write(line)
      await settled()
    }
    expect(heard).toEqual([code])
    expect(lasting.refusal).toBe(code)
  })

  test('what could not be written is counted and said by the next line that can', async () => {
    const { output, state } = refusable()
    const lasting = new LastingOutput(output, { sayLost: (lines) => `lost ${lines}\n` })
    const say = async (text: string) => {
      lasting.write(text)
      await settled()
    }
    await say('first\n')
    state.code = 'ENOSPC'
    await say('second\n')
    await say('third\nfourth\n')
    state.code = undefined
    await say('fifth\n')
    await say('sixth\n')
    expect(state.text).toBe('first\n\nlost 3\nfifth\nsixth\n')
  })
})
