import { describe, expect, test } from 'vitest'
import { LineWriter } from './line-writer.ts'

function refusal(code: string): Error {
  return Object.assign(new Error(code), { code })
}

/** A descriptor with room for this many bytes. */
function smallDisk(room: number) {
  let text = ''
  let left = room
  const writer = new LineWriter((bytes) => {
    if (left === 0) throw refusal('ENOSPC')
    const taken = Math.min(left, bytes.length)
    text += bytes.subarray(0, taken).toString()
    left -= taken
    return taken
  })
  return { writer, text: () => text, free: (bytes: number) => (left += bytes) }
}

describe('log lines', () => {
  test.each(['ENOSPC', 'EPIPE', 'EIO', 'EBADF', 'EMFILE'])(
    'a descriptor that fails with %s loses lines and nothing else, and the next line says how many',
    (code) => {
      let refuses = true
      const said: string[] = []
      const writer = new LineWriter((bytes) => {
        if (refuses) throw refusal(code)
        said.push(bytes.toString())
        return bytes.length
      })
      expect(writer.write('one')).toMatchObject({ code })
      writer.write('two\n')
      refuses = false
      expect(writer.write('three')).toBeUndefined()
      writer.write('four')
      expect(said.join('')).toBe('{"level":40,"lost":2}\nthree\nfour\n')
    },
  )

  test('a half-written line does not run into the next', () => {
    const disk = smallDisk(9)
    disk.writer.write('first')
    disk.writer.write('second')
    disk.free(1_000)
    disk.writer.write('third')
    expect(disk.text()).toBe('first\nsec\n{"level":40,"lost":1}\nthird\n')
  })

  test('it waits once for a slow reader, and a reader that stopped never delays it again', () => {
    let tries = 0
    const writer = new LineWriter(() => {
      tries += 1
      throw refusal('EAGAIN')
    })
    writer.write('one')
    expect(tries).toBeGreaterThan(1)
    const before = tries
    writer.write('two')
    expect(tries - before).toBe(1)
  })
})
