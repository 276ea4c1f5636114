import { toProblem } from '@porttunneler/shared/api/problem'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { describe, expect, test, vi } from 'vitest'
import { makeLocalIdentity } from '../testing/local-identity.ts'
import { limits } from './identity.local.guard.ts'
import { Line, type Place, runningMax, waitingMax, waitMsMax } from './identity.local.line.ts'
import { Passwords } from './identity.local.passwords.ts'
import { localIdentity } from './identity.local.ts'

/** Who was admitted and who was refused, in order of time. */
async function makeLine() {
  const clock = new FakeClock()
  const line = new Line(clock)
  const log: string[] = []
  const enter = (place: Place, name: string = place[1]) => {
    const entered = line.enter(place)
    entered.then(
      () => log.push(name),
      (error: unknown) => log.push(`${name} ${isFailure(error, 'auth.busy') ? 'busy' : String(error)}`),
    )
  }
  const settle = () => new Promise((resolve) => setImmediate(resolve))
  for (let n = 0; n < runningMax; n++) enter(['stranger', 'flood'], 'running')
  await settle()
  log.length = 0
  return {
    line,
    clock,
    log,
    enter,
    settle,
    async serve(count: number) {
      for (let n = 0; n < count; n++) line.leave()
      await settle()
    },
  }
}

describe('the line for password hashes', () => {
  test('a source that fills it waits for itself: others come next, in turn', async () => {
    const { log, enter, serve } = await makeLine()
    for (let n = 0; n < waitingMax - 2; n++) enter(['stranger', 'flood'])
    enter(['stranger', 'owner'])
    enter(['stranger', 'other'])
    await serve(4)
    expect(log).toEqual(['flood', 'owner', 'other', 'flood'])
  })

  test('when it is full its largest holder yields; the one that holds most is told to come back', async () => {
    const { log, enter, settle, serve } = await makeLine()
    for (let n = 0; n < waitingMax + 5; n++) enter(['stranger', 'flood'])
    await settle()
    expect(log).toEqual(Array(5).fill('flood busy'))
    enter(['stranger', 'owner'])
    await settle()
    expect(log.slice(5)).toEqual(['flood busy'])
    await serve(2)
    expect(log.slice(6)).toEqual(['flood', 'owner'])
  })

  test('a known device gets its place and its turn however many strangers there are', async () => {
    const { log, enter, settle, serve } = await makeLine()
    for (let n = 0; n < waitingMax; n++) enter(['stranger', `bot ${n}`])
    enter(['stranger', 'one more'])
    enter(['known', 'laptop'])
    await settle()
    expect(log).toEqual(['one more busy', `bot ${waitingMax - 1} busy`])
    await serve(2)
    expect(log.slice(2)).toEqual(['bot 0', 'laptop'])
  })

  test('nobody waits longer than five seconds, and later ones keep their places', async () => {
    const { clock, log, enter, settle, serve } = await makeLine()
    enter(['stranger', 'early'])
    enter(['known', 'laptop'])
    clock.advance(waitMsMax - 1)
    enter(['stranger', 'late'])
    await settle()
    expect(log).toEqual([])
    clock.advance(1)
    await settle()
    expect(log).toEqual(['early busy', 'laptop busy'])
    await serve(1)
    expect(log.slice(2)).toEqual(['late'])
    expect(clock.pending).toBe(0)
  })

  test('waiting in vain gives 503, PT-1007 and when to come back', async () => {
    const { clock, line } = await makeLine()
    const waiting = line.enter(['stranger', 'early']).catch((error: unknown) => error)
    clock.advance(waitMsMax)
    const error = await waiting
    if (!isFailure(error)) throw new Error('it was let in')
    const problem = toProblem(error, { docsUrl: 'https://tunnel.example.com' })
    expect(problem).toMatchObject({ status: 503, code: 'PT-1007', retryAfter: 3 })
  })

  test('when all have been served it is empty, and the next is served at once', async () => {
    const { log, enter, settle, serve } = await makeLine()
    enter(['known', 'a'])
    enter(['stranger', 'b'])
    await serve(4)
    expect(log).toEqual(['a', 'b'])
    enter(['stranger', 'c'])
    await settle()
    expect(log).toEqual(['a', 'b', 'c'])
  })
})

test('a right password is accepted even when there is no place to renew its hash', async () => {
  const { identity, options } = makeLocalIdentity()
  const ada = { email: 'ada@example.com', password: 'correct horse battery' }
  const home = { from: '192.0.2.1' }
  await identity.register(ada, home)
  const costlier = localIdentity({ ...options, passwordCost: { log2N: 5, r: 1, p: 1 } })
  const hash = vi.spyOn(Passwords.prototype, 'hash').mockRejectedValueOnce(fail('auth.busy'))
  await costlier.login(ada, home)
  expect(hash).toHaveBeenCalledTimes(1)
  hash.mockRestore()
})

test('being told to come back is not a failed sign-in and locks nobody out', async () => {
  const { identity } = makeLocalIdentity()
  const ada = { email: 'ada@example.com', password: 'correct horse battery' }
  const home = { from: '192.0.2.1' }
  const { device } = await identity.register(ada, home)
  const full = vi.spyOn(Passwords.prototype, 'verify')
  for (const caller of [home, { ...home, device }]) {
    for (let n = 0; n < 2 * limits.source.free; n++) {
      full.mockRejectedValueOnce(Object.assign(new Error('busy'), { key: 'auth.busy' }))
      await identity.login(ada, caller).catch(() => {})
    }
    await identity.login(ada, caller)
  }
  // Earlier failures still count.
  for (let n = 0; n < limits.pair.free; n++) {
    await identity.login({ ...ada, password: 'a guess' }, home).catch(() => {})
    full.mockRejectedValueOnce(new Error('busy'))
    await identity.login(ada, home).catch(() => {})
  }
  const locked = await identity.login(ada, home).catch((error: unknown) => error)
  expect(isFailure(locked, 'auth.locked')).toBe(true)
  full.mockRestore()
})
