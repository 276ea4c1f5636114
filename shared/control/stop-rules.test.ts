import { expect, test } from 'vitest'
import { blankEndpoint } from './cells.ts'
import { decideClaim, free, holdersMax, keepMs } from './lease-rules.ts'
import { stopOf, withStop } from './stop-rules.ts'

const blank = blankEndpoint('home', 'host', 0.5)
const cell = { witnesses: [], ready: [], appliedAt: 1e9, seenAt: 1e9, hasBound: true, isBound: () => false }

test('stops: an endpoint remembers the newest, as many as may share it, and none that is too old', () => {
  let current = withStop(blank, 'old', 1)
  for (let at = 1; at <= 2 * holdersMax; at++) current = withStop(current, `a${at}`, keepMs + at)
  expect(Object.keys(current.stopped ?? {})).toHaveLength(holdersMax)
  expect(stopOf(current, { agent: 'old', startedAt: 0, nowMs: keepMs })).toBeUndefined()
  expect(stopOf(current, { agent: `a${2 * holdersMax}`, startedAt: 0, nowMs: 2 * keepMs })).toBe(
    'agent.stopped',
  )
})

test('stops: they stay with the tunnel and go with the address', () => {
  const stopped = { ...withStop(blank, 'laptop', 5), account: 'ada', tunnel: 'db' }
  expect(free(stopped)).not.toHaveProperty('stopped')
  const claimOf = (tunnel: string) => {
    const claimant = { account: 'ada', tunnel, agent: 'desktop', takeover: false, shares: false }
    const verdict = decideClaim('host:x', stopped, { claimant, cell, nowMs: 10 })
    return verdict.kind === 'take' ? verdict.next.stopped : verdict.kind
  }
  expect(claimOf('db')).toEqual({ laptop: 5 })
  expect(claimOf('web')).toBeUndefined()
})
