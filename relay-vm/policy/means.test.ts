import type { Log } from '@porttunneler/shared/base/log'
import { silentLog } from '@porttunneler/shared/base/log'
import { describe, expect, test } from 'vitest'
import { parseConfig, type RelayConfig } from '../config.ts'
import { descriptorsNeeded, heapNeeded, type Means, withinMeans } from './means.ts'

const config: RelayConfig = parseConfig(
  JSON.stringify({
    instance: 'r1',
    dataDir: '/nowhere',
    controlUrl: 'http://127.0.0.1:1',
    listen: { tls: { port: 0 }, http: { port: 0 } },
    public: { agentHost: 'localhost', agentSni: 'r1.localhost', names: ['localhost'] },
  }),
  {},
)
const plenty = { descriptors: 1_048_576, heapBytes: 2 ** 40 }

function start(means: Means, of = config) {
  const said: { readonly code?: string; readonly cure?: string }[] = []
  const log: Log = { ...silentLog, warn: (fields) => said.push(fields) }
  return { limits: withinMeans(of, log, means).limits, said }
}

describe('the machine’s resources', () => {
  test('enough of everything logs nothing and changes nothing', () => {
    const enough = { descriptors: descriptorsNeeded(config.limits), heapBytes: heapNeeded(config.limits) }
    for (const means of [plenty, enough, { ...plenty, descriptors: undefined }])
      expect(start(means)).toEqual({ limits: config.limits, said: [] })
  })

  test('the hard limit of most machines is not logged at each start for default maxima', () => {
    const { said, limits } = start({ ...plenty, descriptors: 20_000 })
    expect(said).toEqual([])
    expect(limits.visitorsMax).toBeLessThan(15_000)
    expect(start({ ...plenty, descriptors: 4_096 }).said).toMatchObject([{ code: 'PT-5023' }])
  })

  test('one descriptor less than configured is logged with the figure and LimitNOFILE', () => {
    const asked: RelayConfig = { ...config, limits: { ...config.limits, visitorsMax: 15_000 } }
    const needs = descriptorsNeeded(asked.limits)
    const { said } = start({ ...plenty, descriptors: needs - 1 }, asked)
    expect(said).toMatchObject([{ code: 'PT-5023', has: needs - 1, needs }])
    expect(said[0]?.cure).toContain('LimitNOFILE')
  })

  test.each([1, 128, 256, 1_024, 4_096, 20_000])('with %i descriptors some are left for agents', (has) => {
    const { visitorsMax, strangersMax } = start({ ...plenty, descriptors: has }).limits
    expect(Math.min(visitorsMax, strangersMax)).toBeGreaterThanOrEqual(1)
    if (has > 200) expect(visitorsMax + strangersMax).toBeLessThan(has * 0.9)
    expect(visitorsMax).toBeLessThanOrEqual(config.limits.visitorsMax)
  })

  test('a heap too small for the maxima is logged', () => {
    const { said, limits } = start({ ...plenty, heapBytes: heapNeeded(config.limits) - 1 })
    expect(said).toMatchObject([{ code: 'PT-5024' }])
    expect(limits).toEqual(config.limits)
  })
})
