import { expect, test } from 'vitest'
import { isNameDenied, isPortDenied } from './deny-lists.ts'

test.each([
  'admin',
  'www',
  'api',
  'login',
  'mail',
  'relay-2',
  'r1',
  'xn--pypal-4ve',
  'paypal',
  'my-paypa1-login',
])('name %s is withheld', (name) => expect(isNameDenied(name)).toBe(true))

test.each(['g00gle', 'micr0s0ft-login', 'secure-visa', 'porttunneler-team'])(
  'name %s would mislead',
  (name) => expect(isNameDenied(name)).toBe(true),
)

test.each([
  'demo',
  'web',
  'shop',
  'my-app',
  'relayed',
  'grapevine',
  'startups',
  'pineapple',
  'classic',
  'therapist',
])("name %s is anybody's", (name) => expect(isNameDenied(name)).toBe(false))

test('well-known and mail ports are withheld, ordinary ones are not', () => {
  for (const port of [22, 25, 80, 443, 465, 587, 993, 1023, 2525]) expect(isPortDenied(port)).toBe(true)
  for (const port of [5432, 8080, 20_000, 65_535]) expect(isPortDenied(port)).toBe(false)
})
