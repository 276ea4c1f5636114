/** When a sign-in is news for its person. */
import { expect, test } from 'vitest'
import { deviceWords } from './device-words.ts'
import { visitPlace } from './places.ts'
import type { SignInPlacesDoc } from './sign-in-documents.ts'

const day = 86_400_000
const start = Date.UTC(2026, 0, 1)
const home = { user: 'ada', from: '192.0.2.1', device: 'Firefox on Linux' }

function visits(...list: readonly (readonly [atDay: number, visit: Partial<typeof home>])[]) {
  let doc: SignInPlacesDoc | undefined
  return list.map(([at, visit]) => {
    const next = visitPlace(doc, { ...home, ...visit }, start + at * day)
    doc = next.doc
    return next.isNew
  })
}

test.each([
  ['the first is never news', [[0, {}]], [false]],
  [
    'the same place is not',
    [
      [0, {}],
      [1, {}],
    ],
    [false, false],
  ],
  [
    'another device is',
    [
      [0, {}],
      [1, { device: 'Chrome on Windows' }],
    ],
    [false, true],
  ],
  [
    'another network is',
    [
      [0, {}],
      [1, { from: '203.0.113.9' }],
    ],
    [false, true],
  ],
  [
    'another address of the network is not',
    [
      [0, {}],
      [1, { from: '192.0.99.7' }],
    ],
    [false, false],
  ],
  [
    'an unknown network is not',
    [
      [0, {}],
      [1, { from: '' }],
    ],
    [false, false],
  ],
  [
    'after 90 days of silence it is again',
    [
      [0, {}],
      [91, {}],
    ],
    [false, true],
  ],
  [
    'use keeps it known',
    [
      [0, {}],
      [60, {}],
      [120, {}],
    ],
    [false, false, false],
  ],
  [
    'IPv6 networks are a provider’s',
    [
      [0, { from: '2001:db8:1::1' }],
      [1, { from: '2001:db8:2::1' }],
      [2, { from: '2001:db9::1' }],
    ],
    [false, false, true],
  ],
] as const)('%s', (_, list, news) => {
  expect(visits(...list)).toEqual(news)
})

test('whoever signs in from everywhere is remembered in bounds, and in digests', () => {
  let doc: SignInPlacesDoc | undefined
  for (let n = 0; n < 300; n++)
    doc = visitPlace(doc, { ...home, from: `10.${n % 256}.0.1`, device: `d${n}` }, start).doc
  expect(doc?.seen.length).toBe(60)
  expect(JSON.stringify(doc)).not.toMatch(/10\.\d|d299/)
  const other = visitPlace(undefined, { ...home, user: 'bob' }, start).doc
  expect(other.seen).not.toEqual(visitPlace(undefined, home, start).doc.seen)
})

test.each([
  ['Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0', 'Firefox on Linux'],
  [
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
    'Chrome on Windows',
  ],
  [
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36 Edg/142.0',
    'Edge on Windows',
  ],
  [
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1',
    'Safari on iPhone',
  ],
  [
    'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36',
    'Chrome on Android',
  ],
  ['curl/8.5.0', 'curl'],
  ['something (Windows)', 'A browser on Windows'],
  ['', 'An unknown device'],
  [`${'x'.repeat(400)}Firefox/1`, 'An unknown device'],
  ['<script>alert(1)</script>', 'An unknown device'],
])('%s is %s', (userAgent, words) => {
  expect(deviceWords(userAgent)).toBe(words)
})
