import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FileWatch } from './config-watch.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ptun-watch-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Counts changes of a file, whose states tests name by what the system would return. */
function watchFake(seen?: string) {
  const clock = new FakeClock()
  const state = { found: 'one', changes: 0 }
  const watch = new FileWatch({
    clock,
    path: '',
    seen,
    look: async () => state.found,
    onChange: () => {
      state.changes += 1
    },
  })
  void watch.start()
  return { clock, state, watch }
}

describe('watching a file', () => {
  test('a change is reported once, when two looks found the same', async () => {
    const { clock, state, watch } = watchFake()
    await clock.advanceAsync(5_000, 1_000)
    state.found = 'half'
    await clock.advanceAsync(1_000, 1_000)
    state.found = 'whole'
    await clock.advanceAsync(1_000, 1_000)
    expect(state.changes).toBe(0)
    await clock.advanceAsync(10_000, 1_000)
    expect(state.changes).toBe(1)
    watch.close()
    expect(clock.pending).toBe(0)
  })

  test('a change between the first reading and the first look is reported', async () => {
    const { clock, state, watch } = watchFake('as it was read')
    await clock.advanceAsync(2_000, 1_000)
    expect(state.changes).toBe(1)
    await clock.advanceAsync(5_000, 1_000)
    expect(state.changes).toBe(1)
    watch.close()
  })

  test('a file read meanwhile for another reason is not reported again; later changes are', async () => {
    const { clock, state, watch } = watchFake()
    await clock.advanceAsync(2_000, 1_000)
    state.found = 'read'
    await watch.mark()
    await clock.advanceAsync(5_000, 1_000)
    expect(state.changes).toBe(0)
    state.found = 'half'
    await watch.mark()
    state.found = 'whole'
    await clock.advanceAsync(5_000, 1_000)
    expect(state.changes).toBe(1)
    state.found = 'half'
    await clock.advanceAsync(5_000, 1_000)
    expect(state.changes).toBe(2)
    watch.close()
  })

  test.each<[what: string, prepare: (path: string) => void, change: (path: string) => void]>([
    ['written in place', plain, (path) => writeFileSync(path, 'two: 2')],
    [
      'replaced by another file of the same size, as editors do',
      plain,
      (path) => {
        writeFileSync(`${path}~`, 'two')
        renameSync(`${path}~`, path)
      },
    ],
    ['deleted', plain, (path) => rmSync(path)],
    [
      'a link whose folder is swapped, as in a config map of Kubernetes',
      (path) => {
        mkdirSync(join(folder, '..1'))
        writeFileSync(join(folder, '..1', 'ptun.yaml'), 'one')
        symlinkSync('..1', join(folder, '..data'))
        symlinkSync(join('..data', 'ptun.yaml'), path)
      },
      () => {
        mkdirSync(join(folder, '..2'))
        writeFileSync(join(folder, '..2', 'ptun.yaml'), 'two')
        symlinkSync('..2', join(folder, '..tmp'))
        renameSync(join(folder, '..tmp'), join(folder, '..data'))
      },
    ],
  ])('%s', async (_what, prepare, change) => {
    const path = join(folder, 'ptun.yaml')
    prepare(path)
    const clock = new FakeClock()
    const changed = Promise.withResolvers<void>()
    const watch = new FileWatch({ clock, path, onChange: () => changed.resolve() })
    await watch.start()
    change(path)
    let isTold = false
    void changed.promise.then(() => {
      isTold = true
    })
    while (!isTold) {
      clock.advance(1_000)
      await looked()
    }
    watch.close()
  })
})

function plain(path: string): void {
  writeFileSync(path, 'one')
}

/** Waits until the system has answered one look. */
function looked(): Promise<void> {
  return stat(folder).then(() => new Promise((resolve) => setImmediate(resolve)))
}
