/** What orders of certificates ask: at the operator's resolvers alone, in bounded time. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Clock, systemClock } from '../base/clock.ts'
import { DnsWorld } from '../testing/dns-world.ts'
import { openLookUps } from './look-ups.ts'

/** Waits for silent resolvers for a quarter of the time. */
const clock: Clock = { ...systemClock, after: (ms, fn, options) => systemClock.after(ms / 4, fn, options) }

describe('look-ups of orders', () => {
  let world: DnsWorld
  beforeAll(async () => {
    world = await DnsWorld.open(2)
    await world.zone('example.com', [
      '@ CAA ca.example; validationmethods=http-01',
      'www CNAME app.elsewhere.example.',
      '_acme-challenge.app CNAME Token.acme.tunnels.example.net.',
    ])
    await world.zone('elsewhere.example', ['app CAA other.example', 'app A 192.0.2.1'])
  })
  beforeEach(() => world.behaveWell())
  afterAll(() => world.close())

  const ask = () => openLookUps({ resolvers: world.resolvers, clock })

  test('find CAA records at the name itself, or where its alias leads', async () => {
    const { caa } = ask()
    expect(await caa('example.com')).toEqual([{ issue: 'ca.example; validationmethods=http-01' }])
    expect(await caa('www.example.com')).toEqual([{ issue: 'other.example' }])
    expect(await caa('app.example.com')).toEqual([])
  })

  test('find where a CNAME leads, in small letters', async () => {
    const { alias } = ask()
    expect(await alias('_acme-challenge.app.example.com')).toBe('token.acme.tunnels.example.net')
    expect(await alias('_acme-challenge.www.example.com')).toBeUndefined()
  })

  test('take the answer of another resolver where one is silent or fails', async () => {
    for (const behaviour of ['silent', 'servfail', 'garbage'] as const) {
      world.behave('resolver 0', behaviour)
      expect(await ask().caa('example.com')).toHaveLength(1)
    }
  })

  test('end without an answer where no resolver has one', async () => {
    world.behave('resolver 0', 'silent')
    world.behave('resolver 1', 'servfail')
    expect(await ask().caa('example.com')).toEqual([])
    expect(await ask().alias('_acme-challenge.app.example.com')).toBeUndefined()
  })
})
