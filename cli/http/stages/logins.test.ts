import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { describe, expect, test } from 'vitest'
import { Guesses } from './guesses.ts'
import { faultOfLogin, isLogin, loginOf } from './logins.ts'

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

describe('logins', () => {
  const logins = ['alice:open sesame', 'bob:a:b', 'zoë:pässword'].map(loginOf)

  test.each(['alice:open sesame', 'bob:a:b', 'zoë:pässword'])(
    '%s is let in, in any spelling of the scheme',
    (login) => {
      expect(isLogin(logins, basic(login))).toBe(true)
      expect(isLogin(logins, basic(login).replace('Basic ', 'bAsIc   '))).toBe(true)
      expect(isLogin(logins, basic(login).replace(/=+$/, ''))).toBe(true)
    },
  )

  test.each([
    undefined,
    '',
    'Basic',
    'Basic ',
    basic(''),
    basic(':'),
    basic('alice:'),
    basic('alice:open sesame '),
    basic('Alice:open sesame'),
    basic('alice:a:b'),
    basic('alice:open sesame').replace('Basic', 'Bearer'),
    `${basic('alice:open sesame')}, ${basic('x:y')}`,
    `Basic ${logins[0]}`,
  ])('%s is not', (field) => {
    expect(isLogin(logins, field)).toBe(false)
    expect(isLogin([], field)).toBe(false)
  })

  test.each(['alice', ':x', 'alice:', 'a\u0000:b', 'a:b\n'])('%j is no login', (text) => {
    expect(faultOfLogin(text)).toBeDefined()
  })
})

describe('guesses', () => {
  const wrong = (guesses: Guesses, address: string, times: number) => {
    for (let i = 0; i < times; i++) guesses.count(address)
  }

  test('ten wrong passwords within a minute block a network until the minute is over', () => {
    const clock = new FakeClock()
    const guesses = new Guesses(clock)
    wrong(guesses, '192.0.2.1', 9)
    expect(guesses.waitSeconds('192.0.2.1')).toBe(0)
    clock.advance(20_000)
    wrong(guesses, '192.0.2.1', 1)
    expect(guesses.waitSeconds('192.0.2.1')).toBe(40)
    expect(guesses.waitSeconds('192.0.2.2')).toBe(0)
    clock.advance(40_000)
    expect(guesses.waitSeconds('192.0.2.1')).toBe(0)
    wrong(guesses, '192.0.2.1', 1)
    expect(guesses.waitSeconds('192.0.2.1')).toBe(0)
  })

  test('all addresses of an IPv6 /64 count as one', () => {
    const guesses = new Guesses(new FakeClock())
    wrong(guesses, '2001:db8::1', 5)
    wrong(guesses, '2001:db8:0:0:ffff::2', 5)
    expect(guesses.waitSeconds('2001:DB8::abcd')).toBe(60)
    expect(guesses.waitSeconds('2001:db8:0:1::1')).toBe(0)
  })

  test('strangers cannot fill its memory', () => {
    const guesses = new Guesses(new FakeClock())
    wrong(guesses, '192.0.2.1', 10)
    for (let i = 0; i < 10_000; i++) guesses.count(`10.0.${i >> 8}.${i & 255}`)
    expect(guesses.waitSeconds('192.0.2.1')).toBe(0)
  })
})
