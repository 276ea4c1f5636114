import { collection } from '@porttunneler/shared/control/names'
import { expect, test } from 'vitest'
import { GatheredReads, refsMax } from './store.firestore.reads.ts'

const things = collection<{ n: number }>('things')

function gathered() {
  const calls: string[][] = []
  const reads = new GatheredReads(async (refs) => {
    calls.push(refs.map(({ id }) => id))
    if (refs.some(({ id }) => id === 'lost')) throw new Error('no answer')
    return refs.map((ref) =>
      ref.id === 'none' ? undefined : { ref, data: { n: ref.id.length }, version: 'v', mark: undefined },
    )
  })
  const read = async (id: string) => (await reads.read(things.ref(id)))?.data.n
  return { calls, read }
}

test('reads that begin together are one call, and each gets its result; a later one is another call', async () => {
  const { calls, read } = gathered()
  const first = await Promise.all(['a', 'none', 'bb', 'a'].map(read))
  expect(first).toEqual([1, undefined, 2, 1])
  expect(await read('ccc')).toBe(3)
  expect(calls).toEqual([['a', 'none', 'bb', 'a'], ['ccc']])
})

test('no call has more than the maximum', async () => {
  const { calls, read } = gathered()
  await Promise.all(Array.from({ length: 2 * refsMax + 1 }, (_, n) => read(`r${n}`)))
  expect(calls.map(({ length }) => length)).toEqual([refsMax, refsMax, 1])
})

test('a failed call fails its own reads, an invalid id only itself', async () => {
  const { calls, read } = gathered()
  const told = await Promise.allSettled(['a', 'no/slash'].map(read))
  expect(told.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
  const lost = await Promise.allSettled(['lost', 'b'].map(read))
  expect(lost.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(await read('b')).toBe(1)
  expect(calls).toEqual([['a'], ['lost', 'b'], ['b']])
})
