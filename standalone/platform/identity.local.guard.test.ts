/** What guessing costs the guesser, and that it costs the owner nothing. */
import { isFailure } from '@porttunneler/shared/base/errors'
import { describe, expect, test } from 'vitest'
import { makeLocalIdentity } from '../testing/local-identity.ts'
import { limits } from './identity.local.guard.ts'

const ada = { email: 'ada@example.com', password: 'correct horse battery' }
const wrong = { ...ada, password: 'a guess' }
const home = { from: '192.0.2.1' }
const office = { from: '198.51.100.7' }

async function withAda() {
  const setUp = makeLocalIdentity()
  const { device } = await setUp.identity.register(ada, home)
  const { identity } = setUp
  const outcome = (promise: Promise<unknown>) =>
    promise.then(
      () => 'in',
      (error: unknown) => (isFailure(error) ? error.key : error),
    )
  return {
    ...setUp,
    device,
    guess: (from = office.from, given = wrong) => outcome(identity.login(given, { from })),
    enter: (caller: { from: string; device?: string | undefined }) => outcome(identity.login(ada, caller)),
  }
}

type SetUp = Awaited<ReturnType<typeof withAda>>

async function exhaust({ guess }: SetUp, from?: string): Promise<void> {
  for (let n = 0; n < limits.pair.free; n++) expect(await guess(from)).toBe('auth.credentials')
}

describe('sign-in lock-out', () => {
  test('after five wrong passwords the source waits, and even the right one is not checked', async () => {
    const setUp = await withAda()
    await exhaust(setUp)
    expect(await setUp.guess()).toBe('auth.locked')
    expect(await setUp.enter(office)).toBe('auth.locked')
    setUp.clock.advance(limits.pair.waitMs)
    expect(await setUp.enter(office)).toBe('in')
  })

  test('the answer says how long to wait, and the wait doubles up to a quarter of an hour', async () => {
    const setUp = await withAda()
    await exhaust(setUp)
    const waits: number[] = []
    for (let round = 0; round < 8; round++) {
      const refusal = await setUp.identity.login(ada, office).catch((error: unknown) => error)
      const waitMs = isFailure(refusal, 'auth.locked') ? Number(refusal.fields.retryAfterMs) : 0
      waits.push(waitMs)
      setUp.clock.advance(waitMs)
      expect(await setUp.guess()).toBe('auth.credentials')
    }
    expect(waits).toEqual([30, 60, 120, 240, 480, 900, 900, 900].map((seconds) => seconds * 1000))
  })

  test('a clock set back by a year makes nobody wait for a year', async () => {
    const setUp = await withAda()
    await exhaust(setUp)
    expect(await setUp.enter(office)).toBe('auth.locked')
    setUp.clock.jump(-365 * 86_400_000)
    expect(await setUp.enter(office)).toBe('in')
  })

  test('guesses sent all at once are counted one by one', async () => {
    const { guess } = await withAda()
    const outcomes = await Promise.all(Array.from({ length: 40 }, () => guess()))
    expect(outcomes.filter((outcome) => outcome === 'auth.credentials')).toHaveLength(limits.pair.free)
  })

  test('guesses from many networks are slowed to two a minute; a known device goes on', async () => {
    const setUp = await withAda()
    let looked = 0
    for (let n = 0; n < 700; n++) {
      if ((await setUp.guess(`203.0.${n % 8}.${n % 250}`)) === 'auth.credentials') looked++
      setUp.clock.advance(1_800)
    }
    expect(looked).toBeLessThan(limits.address.free + 50)
    expect(await setUp.enter({ ...office, device: setUp.device })).toBe('in')
    setUp.clock.advance(limits.address.waitMsMax)
    expect(await setUp.enter(home)).toBe('in')
  })

  test('it is the same for an unknown address', async () => {
    const outcomes = async (email: string) => {
      const setUp = await withAda()
      const keys: unknown[] = []
      for (let n = 0; n < 40; n++) keys.push(await setUp.guess(`203.0.113.${n}`, { ...wrong, email }))
      return keys
    }
    expect(await outcomes('nobody@example.com')).toEqual(await outcomes(ada.email))
  })

  test('the owner signs in from another source and from a known device, whatever a network does', async () => {
    const setUp = await withAda()
    for (let n = 0; n < 300; n++) await setUp.guess(`203.0.113.${n % 4}`)
    expect(await setUp.enter(home)).toBe('in')
    await exhaust(setUp, home.from)
    expect(await setUp.enter(home)).toBe('auth.locked')
    expect(await setUp.enter({ ...home, device: setUp.device })).toBe('in')
  })

  test('a session goes on while sign-ins are locked', async () => {
    const setUp = await withAda()
    const { tokens } = await setUp.identity.login(ada, home)
    await exhaust(setUp, home.from)
    expect(await setUp.guess(home.from)).toBe('auth.locked')
    await setUp.identity.refresh(tokens.refreshToken)
  })

  test('a known device is no way round: its guesses count, and it is known only for its user', async () => {
    const setUp = await withAda()
    const { identity, device } = setUp
    const eve = await identity.register({ ...ada, email: 'eve@example.com' }, office)
    const tries = async (caller: { from: string; device?: string | undefined }) => {
      const outcomes = []
      for (let n = 0; n < 7; n++)
        outcomes.push(await identity.login(wrong, caller).catch((error: { key: string }) => error.key))
      return outcomes.filter((key) => key === 'auth.credentials').length
    }
    expect(await tries({ ...home, device })).toBe(limits.device.free)
    expect(await tries({ ...office, device: eve.device })).toBe(limits.pair.free)
  })

  test('a source that tries many addresses is slowed down as a whole, other sources are not', async () => {
    const setUp = await withAda()
    const tryMany = (n: number) => setUp.guess(office.from, { ...wrong, email: `p${n}@example.com` })
    for (let n = 0; n < limits.source.free; n++) expect(await tryMany(n)).toBe('auth.credentials')
    expect(await tryMany(99)).toBe('auth.locked')
    expect(await setUp.enter(office)).toBe('auth.locked')
    expect(await setUp.enter(home)).toBe('in')
    setUp.clock.advance(limits.source.waitMs)
    expect(await setUp.enter(office)).toBe('in')
  })

  test('attempts refused because the source is locked do not count against the address', async () => {
    const setUp = await withAda()
    for (let n = 0; n < limits.source.free; n++)
      await setUp.guess(office.from, { ...wrong, email: `p${n}@example.com` })
    for (let n = 0; n < limits.pair.free * 2; n++) expect(await setUp.enter(office)).toBe('auth.locked')
    setUp.clock.advance(limits.source.waitMs)
    expect(await setUp.guess()).toBe('auth.credentials')
    setUp.clock.advance(2 * limits.source.waitMs)
    expect(await setUp.enter(office)).toBe('in')
  })

  test('a right password forgives earlier failures, and so does an hour of quiet', async () => {
    const setUp = await withAda()
    for (let round = 0; round < 4; round++) {
      for (let n = 1; n < limits.pair.free; n++) expect(await setUp.guess()).toBe('auth.credentials')
      if (round % 2) setUp.clock.advance(limits.pair.quietMs)
      else expect(await setUp.enter(office)).toBe('in')
    }
  })

  test('registering many users from one source is slowed down', async () => {
    const { identity } = await withAda()
    const register = (n: number) =>
      identity.requestAccount(`p${n}@example.com`, office).catch((error: { key: string }) => error.key)
    for (let n = 0; n < limits.register.free; n++) expect(await register(n)).toBeUndefined()
    expect(await register(99)).toBe('auth.locked')
  })
})
