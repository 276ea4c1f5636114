/** Hostile names, and good ones in every spelling. Each gives its code or its one form, and nothing throws. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hostMax, liesUnder, readHost, readOwnDomain } from './host-names.ts'

/** The outcome as text: the host, or the key of the code. */
function outcome(text: string): string {
  const read = readHost(text)
  return 'error' in read ? read.error.key : read.host
}

const good: readonly (readonly [text: string, host: string])[] = [
  ['shop.example.com', 'shop.example.com'],
  ['SHOP.Example.COM', 'shop.example.com'],
  ['shop.example.com.', 'shop.example.com'],
  ['example.com', 'example.com'],
  ['a.b.example.co.uk', 'a.b.example.co.uk'],
  ['me.github.io', 'me.github.io'],
  ['münchen.de', 'xn--mnchen-3ya.de'],
  ['MÜNCHEN.de', 'xn--mnchen-3ya.de'],
  ['xn--mnchen-3ya.de', 'xn--mnchen-3ya.de'],
  ['XN--MNCHEN-3YA.DE', 'xn--mnchen-3ya.de'],
  // The same letter as one code point and as two.
  ['mu\u0308nchen.de', 'xn--mnchen-3ya.de'],
  ['straße.de', 'xn--strae-oqa.de'],
  ['例え.jp', 'xn--r8jz45g.jp'],
  ['東京tower.jp', 'xn--tower-w91hq39l.jp'],
  ['пример.рф', 'xn--e1afmkfd.xn--p1ai'],
  // Every letter looks Latin, but the whole name is Cyrillic.
  ['сор.рф', 'xn--n1aeb.xn--p1ai'],
  ['1a2b.example.com', '1a2b.example.com'],
  [`${'a'.repeat(63)}.example.com`, `${'a'.repeat(63)}.example.com`],
]

const hostile: readonly (readonly [text: string, key: string])[] = [
  ['', 'name.length'],
  ['.', 'name.length'],
  ['..', 'name.length'],
  ['.example.com', 'name.length'],
  ['shop..example.com', 'name.length'],
  ['shop.example.com..', 'name.length'],
  [`${'a'.repeat(64)}.example.com`, 'name.length'],
  [`${'ü'.repeat(60)}.example.com`, 'name.length'],
  [`${'a.'.repeat(60)}example.com`, 'name.length'],
  ['x'.repeat(1_000_000), 'name.length'],
  ['my_shop.example.com', 'name.characters'],
  ['_dmarc.example.com', 'name.characters'],
  ['shop example.com', 'name.characters'],
  [' shop.example.com', 'name.characters'],
  ['shop.example.com\n', 'name.characters'],
  ['shop.example.com\0', 'name.characters'],
  ['https://shop.example.com', 'name.characters'],
  ['shop.example.com:443', 'name.characters'],
  ['shop.example.com/path', 'name.characters'],
  ['user@shop.example.com', 'name.characters'],
  ['%41.com', 'name.characters'],
  ['shop%2eexample.com', 'name.characters'],
  ['shop。example.com', 'name.characters'],
  ['ｓｈｏｐ.example.com', 'name.characters'],
  ['shop１.example.com', 'name.characters'],
  ['𝓼𝓱𝓸𝓹.example.com', 'name.characters'],
  ['ⓢhop.example.com', 'name.characters'],
  // The signs of Kelvin and Angstrom, which every lower-casing turns into letters.
  ['\u212a8s.example.com', 'name.characters'],
  ['\u212bngstrom.example.com', 'name.characters'],
  // Soft hyphen, zero-width joiner, right-to-left override, half of a surrogate pair.
  ['sh\u00adop.example.com', 'name.characters'],
  ['sh\u200dop.example.com', 'name.characters'],
  ['\u202emoc.elpmaxe', 'name.characters'],
  ['\ud800.example.com', 'name.characters'],
  ['💩.example.com', 'name.characters'],
  ['-shop.example.com', 'name.hyphen'],
  ['shop-.example.com', 'name.hyphen'],
  ['ab--cd.example.com', 'name.hyphen'],
  ['-.example.com', 'name.hyphen'],
  ['127.0.0.1', 'name.address'],
  ['127.1', 'name.address'],
  ['2130706433', 'name.address'],
  ['0x7f000001', 'name.address'],
  ['0x7f.1', 'name.address'],
  ['0177.0.0.1', 'name.address'],
  ['1.2.3.4.', 'name.address'],
  ['999.999.999.999', 'name.address'],
  ['shop.example.0x', 'name.address'],
  ['shop.1', 'name.address'],
  ['::1', 'name.address'],
  ['[::1]', 'name.address'],
  ['::ffff:127.0.0.1', 'name.address'],
  ['fe80::1%eth0', 'name.characters'],
  ['*.example.com', 'name.wildcard'],
  ['shop.*.com', 'name.wildcard'],
  ['sh*p.example.com', 'name.wildcard'],
  ['*', 'name.wildcard'],
  // Cyrillic а in a Latin word, and one word all in Cyrillic.
  ['pаypal.com', 'name.look_alike'],
  ['аррӏе.com', 'name.look_alike'],
  ['xn--80ak6aa92e.com', 'name.look_alike'],
  ['xn--pypal-4ve.com', 'name.look_alike'],
  ['ԍооԍⅼе.com', 'name.characters'],
  ['göögle.com', 'name.look_alike'],
  ['раураӏ.рф', 'name.look_alike'],
  ['shopπ.com', 'name.look_alike'],
  ['xn--.com', 'name.look_alike'],
  ['xn--a.com', 'name.look_alike'],
  ['xn--garbage-.com', 'name.look_alike'],
  ['xn--99999999999.com', 'name.look_alike'],
  // Punycode of letters that need none.
  ['xn--shop-.com', 'name.look_alike'],
  ['com', 'name.suffix'],
  ['co.uk', 'name.suffix'],
  ['github.io', 'name.suffix'],
  ['рф', 'name.suffix'],
  ['localhost', 'name.suffix'],
  ['printer.local', 'name.suffix'],
  ['foo.internal', 'name.suffix'],
  ['shop.test', 'name.suffix'],
]

describe('host names', () => {
  test.each(good)('%s has one form', (text, host) => {
    expect(outcome(text)).toBe(host)
    expect(outcome(host)).toBe(host)
  })

  test.each(hostile.map(([text, key]) => [text.slice(0, 80), key, text] as const))(
    '%j is %s',
    (_, key, text) => {
      expect(outcome(text)).toBe(key)
    },
  )

  test('any text is read without a throw, and an accepted name is accepted again unchanged', () => {
    const alphabet = [
      'a',
      'Z',
      '0',
      '-',
      '.',
      '*',
      '_',
      '%',
      'xn--',
      'ü',
      'а',
      '例',
      'ｘ',
      '\u0301',
      '\ud800',
      'com',
      ':',
    ]
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(fc.constantFrom(...alphabet)).map((parts) => parts.join('')),
    )
    const check = (given: string) => {
      for (const name of [given, `${given}.com`, `xn--${given}.com`]) {
        const read = readHost(name)
        if ('error' in read) expect(read.error.detail.length).toBeLessThan(400)
        else {
          expect(outcome(read.host)).toBe(read.host)
          expect(read.host).toMatch(/^[a-z0-9.-]+$/)
          expect(read.host.length).toBeLessThanOrEqual(hostMax)
          expect(liesUnder(read.host, read.domain)).toBe(true)
        }
      }
    }
    void fc.assert(fc.property(text, check), { seed: 41, numRuns: 3_000 })
  })

  test('a parent, a child and a name that only ends alike are told apart', () => {
    expect(liesUnder('a.shop.example.com', 'shop.example.com')).toBe(true)
    expect(liesUnder('shop.example.com', 'shop.example.com')).toBe(true)
    expect(liesUnder('example.com', 'shop.example.com')).toBe(false)
    expect(liesUnder('myshop.example.com', 'shop.example.com')).toBe(false)
  })
})

test.each([
  ['*.app.example.com', '*.app.example.com'],
  ['*.APP.Example.com.', '*.app.example.com'],
  ['*.example.com', '*.example.com'],
  ['*.münchen.de', '*.xn--mnchen-3ya.de'],
  ['app.example.com', 'app.example.com'],
  ['*', 'name.wildcard'],
  ['*.', 'name.length'],
  ['*.com', 'name.suffix'],
  ['*.co.uk', 'name.suffix'],
  ['*.github.io', 'name.suffix'],
  ['*.localhost', 'name.suffix'],
  ['a.*.com', 'name.wildcard'],
  ['**.x.com', 'name.wildcard'],
  ['*a.x.com', 'name.wildcard'],
  ['a*.x.com', 'name.wildcard'],
  ['*.*.x.com', 'name.wildcard'],
  ['x.com.*', 'name.wildcard'],
  ['*..x.com', 'name.length'],
  [' *.x.com', 'name.wildcard'],
  ['%2a.x.com', 'name.characters'],
  ['＊.x.com', 'name.characters'],
  ['_.x.com', 'name.characters'],
  ['*._.x.com', 'name.characters'],
  ['*.192.0.2.1', 'name.address'],
  ['*.xn--a.com', 'name.look_alike'],
  [`*.${'a.'.repeat(61)}x.com`, 'name.length'],
])('an own domain or a wildcard of one: %s', (text, told) => {
  const read = readOwnDomain(text)
  expect('error' in read ? read.error.key : read.host).toBe(told)
})
