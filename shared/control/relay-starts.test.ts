import { expect, test } from 'vitest'
import { newId } from '../base/ids.ts'
import { startsOf, updatesOf } from './relay-starts.ts'

const hourMs = 3_600_000
const bootOf = (at: number) => newId('rel', at).slice(4)
const begin = (relay: string, at: number, version: string) => ({ relay, boot: bootOf(at), version })
type Doc = Parameters<typeof updatesOf>[0][number] & {
  readonly boot: string
  readonly version: string
  readonly bootAt: number
  readonly seenAt: number
}

/** As sync keeps it. */
function next(
  self: ReturnType<typeof begin>,
  at: number,
  { before, others = [] }: { before?: Doc; others?: Doc[] },
): Doc {
  const starts = startsOf(self, { before, others, nowMs: at + 5_000 })
  return { ...self, starts, bootAt: at, seenAt: at }
}

test('starts: they pass from one process to the next, in the same place or beside it', () => {
  const first = next(begin('a', 1 * hourMs, '1'), 1 * hourMs, {})
  expect(first.starts).toEqual([{ at: hourMs, version: '1' }])
  expect(startsOf(first, { before: first, others: [], nowMs: 9 * hourMs })).toBe(first.starts)
  const restarted = next(begin('a', 2 * hourMs, '1'), 2 * hourMs, { before: first })
  const other = next(begin('b', 1 * hourMs, '1'), 1 * hourMs, {})
  const successor = next(begin('a', 3 * hourMs, '2'), 3 * hourMs, { others: [other, restarted] })
  expect(successor.starts?.map(({ at, version }) => `${at / hourMs} ${version}`)).toEqual([
    '1 1',
    '2 1',
    '3 2',
  ])
})

test('starts: a document of an older control plane tells the version that it had', () => {
  const older: Doc = { ...begin('a', hourMs, '1'), bootAt: hourMs, seenAt: hourMs }
  const after = next(begin('a', 2 * hourMs, '2'), 2 * hourMs, { before: older })
  expect(updatesOf([after])).toEqual([{ at: 2 * hourMs, version: '2', before: '1' }])
})

test('starts: a restart is no update, and relays that change together are one', () => {
  const docs = ['a', 'b'].map((relay, index) => {
    let doc = next(begin(relay, hourMs, '1'), hourMs, {})
    doc = next(begin(relay, 2 * hourMs, '1'), 2 * hourMs, { before: doc })
    const at = 3 * hourMs + index * 60_000
    return next(begin(relay, at, '2'), at, { before: doc })
  })
  expect(updatesOf(docs)).toEqual([{ at: 3 * hourMs, version: '2', before: '1' }])
  expect(updatesOf([])).toEqual([])
})

test('starts: the list is bounded, and a clock that runs ahead puts no mark into the future', () => {
  let doc = next(begin('a', hourMs, '0'), hourMs, {})
  for (let hour = 2; hour < 100; hour++)
    doc = next(begin('a', hour * hourMs, `${hour}`), hour * hourMs, { before: doc })
  expect(doc.starts).toHaveLength(30)
  expect(
    startsOf(begin('a', 900 * hourMs, 'x'), { before: doc, others: [], nowMs: 100 * hourMs }).at(-1),
  ).toEqual({
    at: 100 * hourMs,
    version: 'x',
  })
})
