import { describe, expect, test } from 'vitest'
import { formatAgo, formatBytes, formatCounted, formatDay, formatRate, localeOf } from './format.ts'
import { nextAfterSignIn, signInAddress } from './next.ts'
import { describeEdits, describePolicy, policyToTexts, refusedIn, textsToPolicy } from './policy-text.ts'

describe('numbers for people', () => {
  test.each([
    [0, '0 B'],
    [999, '999 B'],
    [999.6, '1 kB'],
    [1_500, '1.5 kB'],
    [99_949, '99.9 kB'],
    [99_960, '100 kB'],
    [999_700, '1 MB'],
    [5_000_000_000, '5 GB'],
    [3e18, '3000 PB'],
    [-1, '0 B'],
  ])('%d bytes are %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text)
  })

  test.each([
    [0, '0 agents'],
    [1, '1 agent'],
    [2, '2 agents'],
    [1_204, '1,204 agents'],
  ])('%d of something is counted as %s', (count, text) => expect(formatCounted(count, 'agent')).toBe(text))

  test('a word may have a plural of its own', () => {
    expect([1, 2].map((count) => formatCounted(count, 'entry', 'entries'))).toEqual(['1 entry', '2 entries'])
  })

  test('a rate is bytes a second', () => {
    expect(formatRate(1_250_000)).toBe('1.3 MB/s')
  })

  test.each([
    [59_000, 'just now'],
    [60_000, '1 minute ago'],
    [26 * 3_600_000, 'yesterday'],
    [-5_000, 'just now'],
    [-59_000, 'in a moment'],
    [-3 * 3_600_000, 'in 3 hours'],
    [-26 * 3_600_000, 'tomorrow'],
  ])('%d ms later it was %s', (elapsed, text) => {
    expect(formatAgo(1_000_000, 1_000_000 + elapsed)).toBe(text)
  })

  test.each([
    [['de-AT', 'en-GB'], 'en-GB'],
    [['en'], 'en'],
    [['de-at', 'fr'], 'en-AT'],
    [['fr'], 'en'],
    [['zh-Hant-TW'], 'en-TW'],
    [[], 'en'],
  ])('a reader of %j gets figures and dates of %s', (wanted, locale) => {
    expect(localeOf(wanted)).toBe(locale)
  })

  test('a day of UTC stays that day in every time zone, and nonsense is shown as it is', () => {
    expect(formatDay('2026-11-23')).toBe('Nov 23, 2026')
    expect(formatDay('soon')).toBe('soon')
  })
})

describe('after signing in', () => {
  test('the reader arrives where they wanted to go', () => {
    const address = signInAddress('/device', 'user_code=BDFH-KMPR')
    expect(nextAfterSignIn(address.slice(address.indexOf('?')))).toBe('/device?user_code=BDFH-KMPR')
    expect(signInAddress('/', '')).toBe('/sign-in')
  })

  test.each([
    'https://evil.example',
    '//evil.example',
    '/\\evil.example',
    '/\t/evil.example',
    '/\n\\evil.example',
    'javascript:alert(1)',
    '',
  ])('never on another site: %s', (next) => {
    expect(nextAfterSignIn(`next=${encodeURIComponent(next)}`)).toBe('/')
  })
})

describe('policy form', () => {
  test('gives back what it was filled with', () => {
    const policy = { allow: ['203.0.113.0/24', '2001:db8::1'], deny: ['203.0.113.7'], connectionsMax: 20 }
    const all = {
      ...policy,
      requestsPerMinute: 60,
      bodyBytesMax: 1_000_000,
      httpsOnly: true,
      acme: 'upstream' as const,
    }
    expect(textsToPolicy(policyToTexts(policy))).toEqual(policy)
    expect(textsToPolicy(policyToTexts(all))).toEqual(all)
  })

  test('takes addresses by line, comma or space, and empty numbers as the limits of the plan', () => {
    const texts = {
      ...policyToTexts({}),
      allow: ' 10.0.0.1,10.0.0.2\n\n10.0.0.3 ',
      deny: '',
      connectionsMax: ' ',
      connectionsPerMinute: '5',
    }
    expect(textsToPolicy(texts)).toEqual({
      allow: ['10.0.0.1', '10.0.0.2', '10.0.0.3'],
      deny: [],
      connectionsPerMinute: 5,
    })
  })

  test('names the addresses that the API refused, under their own list', () => {
    const texts = { ...policyToTexts({}), allow: '10.0.0.1\nhome', deny: 'work' }
    const issues = [{ path: 'policy.allow.1' }, { path: 'policy.allow.1' }, { path: 'policy.connectionsMax' }]
    expect(refusedIn('allow', texts, issues)).toBe('No address and no range: home')
    expect(refusedIn('deny', texts, issues)).toBeUndefined()
  })

  test('an empty policy says that everybody may connect', () => {
    expect(describePolicy({})[0]).toBe('From every address')
    expect(describePolicy({ allow: [], deny: ['10.0.0.0/8'] })).toContain('Never from 10.0.0.0/8')
  })

  test('what the API has agents change is listed, headers by their names alone', () => {
    const edits = {
      redirects: [{ from: '/old', to: '/new' }],
      requestHeaders: { remove: ['Cookie'], set: { Authorization: 'secret' }, add: { Cookie: ['a', 'b'] } },
      hsts: { maxAgeSeconds: 60, includeSubDomains: false },
    }
    expect(describeEdits(edits)).toEqual([
      'The agent redirects /old to /new',
      'The agent changes headers of requests: Cookie, Authorization',
      'Browsers are told to use HTTPS only, for 60 seconds',
    ])
    expect(describeEdits({})).toEqual([])
  })
})
