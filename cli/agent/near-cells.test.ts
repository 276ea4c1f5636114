import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { afterAll, expect, test } from 'vitest'
import { NearCells, type NearCellsOptions } from './near-cells.ts'

const folder = mkdtempSync(join(tmpdir(), 'ptun-near-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const live = new AbortController().signal
const place = (id: string, port = 1) => ({ id, host: '127.0.0.1', port })

function stage(ms: Readonly<Record<string, number | undefined>>, changes: Partial<NearCellsOptions> = {}) {
  const clock = new FakeClock()
  const asked = { lists: 0, probes: [] as string[] }
  const near = new NearCells({
    list: async () => {
      asked.lists += 1
      return { cells: Object.keys(ms).map((id) => place(id)) }
    },
    server: 'https://server.test',
    clock,
    isProxied: () => false,
    probe: async ({ id }) => {
      asked.probes.push(id)
      return ms[id]
    },
    ...changes,
  })
  return { near, clock, asked }
}

test('cells come in the order of their distance, without those that do not answer', async () => {
  const { near, asked } = stage({ far: 180, near: 3, gone: undefined, mid: 40 })
  expect(await near.find(live)).toEqual(['near', 'mid', 'far'])
  expect(await near.find(live)).toEqual(['near', 'mid', 'far'])
  expect(asked).toEqual({ lists: 1, probes: ['far', 'near', 'gone', 'mid'] })
})

test('it does not measure a single cell, the way through a proxy, or more than sixteen cells', async () => {
  expect((await stage({ only: 1 }).near.find(live)).length).toBe(0)
  const proxied = stage({ a: 1, b: 2 }, { isProxied: () => true })
  expect(await proxied.near.find(live)).toEqual([])
  expect(proxied.asked.probes).toEqual([])
  const many = stage(Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`c${n}`, n])))
  await many.near.find(live)
  expect(many.asked.probes).toHaveLength(16)
})

test('the result is kept for an hour, for that server, whatever the file holds', async () => {
  const first = stage({ a: 2, b: 1 }, { folder })
  expect(await first.near.find(live)).toEqual(['b', 'a'])
  const next = stage({ a: 1, b: 2 }, { folder, clock: first.clock })
  expect(await next.near.find(live)).toEqual(['b', 'a'])
  expect(next.asked.lists).toBe(0)
  first.clock.advance(3_600_000)
  expect(await next.near.find(live)).toEqual(['a', 'b'])
  const elsewhere = stage({ c: 1, d: 2 }, { folder, clock: first.clock, server: 'https://other.test' })
  expect(await elsewhere.near.find(live)).toEqual(['c', 'd'])
  writeFileSync(join(folder, 'cells.json'), '{"version":')
  expect(await stage({ e: 1, f: 2 }, { folder }).near.find(live)).toEqual(['e', 'f'])
  expect(JSON.parse(readFileSync(join(folder, 'cells.json'), 'utf8')).near).toEqual(['e', 'f'])
})

test('a server that does not list cells, or is slow, costs at most three seconds and no claim', async () => {
  const old = stage({}, { list: () => Promise.reject(fail('api.not_found')) })
  expect(await old.near.find(live)).toEqual([])
  let isAway = true
  const away = stage(
    {},
    {
      list: async () => {
        if (isAway) throw fail('server.unreachable')
        return { cells: [place('a'), place('b')] }
      },
      probe: async () => 1,
    },
  )
  expect(await away.near.find(live)).toEqual([])
  isAway = false
  expect(await away.near.find(live), 'asked again').toEqual(['a', 'b'])
  let lists = 0
  const slow = stage(
    {},
    {
      list: (signal) =>
        new Promise((_, reject) => {
          lists += 1
          signal.addEventListener('abort', () => reject(new Error('late')))
        }),
    },
  )
  const found = slow.near.find(live)
  await slow.clock.advanceAsync(4_000, 1_000)
  expect(await found).toEqual([])
  expect([await slow.near.find(live), lists], 'once').toEqual([[], 1])
  expect(slow.clock.pending).toBe(0)
})

test('the way is measured by connecting; a cell that does not answer is not chosen', async () => {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  const near = new NearCells({
    list: async () => ({ cells: [place('closed', 9), place('here', port)] }),
    server: 's',
    clock: systemClock,
    isProxied: () => false,
  })
  expect(await near.find(live)).toEqual(['here'])
  await new Promise((resolve) => server.close(resolve))
})
