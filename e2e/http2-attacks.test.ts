/** Hostile peers that speak HTTP/2, at both places where it ends, each in a process that may be lost. */
import { join } from 'node:path'
import { growthOfEach } from '@porttunneler/shared/testing/collector'
import { expect, test } from 'vitest'
import { isWhole } from './breadth.ts'
import { root } from './harness/programs.ts'

/** Megabytes that the process may take more, both ends of the connection together. */
const growthMax = 32
/** One attack of so many is made; nearly each is a row of a unit test too, without the collector. */
const every = isWhole ? 1 : 12

test.each([
  ['upstream', 'cli/testing/http2-attacks.ts'],
  ['visitor', 'relay-vm/testing/http2-attacks.ts'],
])('no HTTP/2 %s ends the process, whenever the collector runs, or takes much memory', async (_who, path) => {
  const grown = await growthOfEach(join(root, path), every)
  expect(grown.length).toBeGreaterThan(50 / every)
  expect(grown.filter(({ megabytes }) => megabytes > growthMax)).toEqual([])
})
