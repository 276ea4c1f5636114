import { EventEmitter } from 'node:events'
import { Writable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { outliveOutputOf } from './outlive-output.ts'

/** A command whose stdout fails with `code`. */
function commandWith(code: string, exitCode?: number) {
  let said = ''
  const stderr = new Writable({
    write(chunk, _encoding, done) {
      said += String(chunk)
      done()
    },
  })
  const stdout = new Writable({
    write(_chunk, _encoding, done) {
      done(Object.assign(new Error(code), { code }))
    },
    // As those of a process.
    autoDestroy: false,
  })
  const command = Object.assign(new EventEmitter(), { stdout, stderr, exitCode })
  return { command, said: () => said }
}

describe('the output of a command', () => {
  test.each([
    { code: 'ENOSPC', before: undefined, after: 1, words: 'The output could not be written (ENOSPC).\n' },
    { code: 'EIO', before: 3, after: 3, words: 'The output could not be written (EIO).\n' },
    { code: 'EPIPE', before: undefined, after: undefined, words: '' },
  ])('$code: the command goes on, and says once how it ends', async ({ code, before, after, words }) => {
    const { command, said } = commandWith(code, before)
    outliveOutputOf(command)
    for (let line = 0; line < 3; line++) command.stdout.write('a line\n')
    await expect.poll(said, { timeout: 5_000 }).toBe(words)
    command.emit('exit')
    expect(command.exitCode).toBe(after)
    expect(said()).toBe(words)
  })
})
