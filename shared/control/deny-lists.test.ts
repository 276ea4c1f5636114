import { expect, test } from 'vitest'
import { isFailure } from '../base/errors.ts'
import { checkNewName, isNameDenied, isPortDenied } from './deny-lists.ts'

test.each([
  'admin',
  'www',
  'api',
  'login',
  'mail',
  'relay-2',
  'ns10',
  'mx-1',
  'openpgpkey',
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

test.each([
  ['', 'name.length'],
  ['a'.repeat(41), 'name.length'],
  ['a'.repeat(1_000_000), 'name.length'],
  ['Shop', 'name.characters'],
  ['my_shop', 'name.characters'],
  ['_acme-challenge', 'name.characters'],
  ['shop.', 'name.characters'],
  ['shop.tunnel.example.com', 'name.characters'],
  ['*', 'name.characters'],
  ['sh*p', 'name.characters'],
  ['%41', 'name.characters'],
  ['p\u0430ypal', 'name.characters'],
  ['ｓｈｏｐ', 'name.characters'],
  ['shop\n', 'name.characters'],
  ['\ud800', 'name.characters'],
  ['-shop', 'name.hyphen'],
  ['shop-', 'name.hyphen'],
  ['ab--cd', 'name.hyphen'],
  ['xn--pypal-4ve', 'name.look_alike'],
  ['xn--', 'name.hyphen'],
  ['www', 'endpoint.name_denied'],
  ['rnicrosoft', 'endpoint.name_denied'],
  ['paypa1-login', 'endpoint.name_denied'],
])('a new tunnel is not called %j: %s', (name, key) => {
  let thrown: unknown
  try {
    checkNewName(name)
  } catch (error) {
    thrown = error
  }
  expect(isFailure(thrown) ? thrown.key : thrown).toBe(key)
})

test('well-known and mail ports are withheld, ordinary ones are not', () => {
  for (const port of [22, 25, 80, 443, 465, 587, 993, 1023, 2525]) expect(isPortDenied(port)).toBe(true)
  for (const port of [5432, 8080, 20_000, 65_535]) expect(isPortDenied(port)).toBe(false)
})
