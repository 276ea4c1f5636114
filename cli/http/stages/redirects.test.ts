import { redirectSchema, redirectsSchema } from '@porttunneler/shared/protocol/http-edits'
import { describe, expect, test } from 'vitest'
import { headOf, replyOf } from '../../testing/stage-rig.ts'
import { redirectStage } from './redirects.ts'

const redirected = (
  rules: readonly (readonly [from: string, to: string])[],
  target: string,
  host = 'a.test',
) => {
  const redirects = redirectsSchema.parse(rules.map(([from, to]) => ({ from, to })))
  const reply = replyOf([redirectStage(redirects)], headOf(`GET ${target} HTTP/1.1`, `Host: ${host}`))
  return reply?.kind === 'redirect' ? reply.location : undefined
}

describe('redirects', () => {
  test.each([
    ['/old', '/new', '/old', '/new'],
    ['/old', '/new', '/old?a=b', '/new?a=b'],
    ['/old', '/new#part', '/old?a=b', '/new?a=b#part'],
    ['/old', '/new?c', '/old?a=b', '/new?c'],
    ['/old', '/new', '/older', undefined],
    ['/old', '/new', '/old/', undefined],
    ['/old/*', '/new/*', '/old/', '/new/'],
    ['/old/*', '/new/*', '/old', undefined],
    ['/old/*', '/new/*/end', '/old/a/b?c', '/new/a/b/end?c'],
    ['/old/*', '/new', '/old/a', '/new'],
    ['a.test', 'https://b.test/*', '/x/y?z', 'https://b.test/x/y?z'],
    ['A.test/x/*', 'https://b.test', '/x/y', 'https://b.test'],
    ['b.test', 'https://c.test/*', '/x', undefined],
    ['/*', 'https://b.test/*', 'http://a.test/x?y', 'https://b.test/x?y'],
    ['/*', 'https://b.test/*', 'http://a.test?y', 'https://b.test/?y'],
    ['/old/*', '/new/$&*', '/old/x', '/new/$&x'],
  ])('from %s to %s: a request for %s is sent to %s', (from, to, target, location) => {
    expect(redirected([[from, to]], target)).toBe(location)
  })

  test('a name below the host matches *., the host itself does not, nor does another that ends like it', () => {
    const rules = [['*.a.test', 'https://a.test/*']] as const
    expect(redirected(rules, '/x', 'www.a.test')).toBe('https://a.test/x')
    expect(redirected(rules, '/x', 'a.b.a.test:8080')).toBe('https://a.test/x')
    for (const host of ['a.test', 'xa.test', 'a.test.evil'])
      expect(redirected(rules, '/x', host)).toBeUndefined()
  })

  test('the first that matches counts', () => {
    const rules = [
      ['/a/b', '/1'],
      ['/a/*', '/2'],
      ['/*', 'https://b.test'],
    ] as const
    expect(redirected(rules, '/a/b')).toBe('/1')
    expect(redirected(rules, '/a/c')).toBe('/2')
    expect(redirected(rules, '/')).toBe('https://b.test')
  })

  test.each(['//evil.test', '/\\evil.test', '///evil.test', '/\\/evil.test'])(
    'no visitor can make it lead to another host: /go/%s',
    (rest) => {
      const location = redirected([['/go/*', '/*']], `/go${rest}`)
      expect(new URL(location ?? '', 'https://a.test').host).toBe('a.test')
      const elsewhere = redirected([['/go/*', 'https://b.test/*']], `/go${rest}`)
      expect(new URL(elsewhere ?? '').host).toBe('b.test')
    },
  )

  test('what a URL may not have as it is is escaped, UTF-8 too', () => {
    const target = Buffer.from('/old/ä"<x>?ö=%20', 'utf8').toString('latin1')
    expect(redirected([['/old/*', '/new/*']], target)).toBe('/new/%C3%A4%22%3Cx%3E?%C3%B6=%20')
  })

  test('OPTIONS * is about no path', () => {
    const stage = redirectStage([{ from: '/*', to: 'https://b.test' }])
    expect(replyOf([stage], headOf('OPTIONS * HTTP/1.1', 'Host: a'))).toBeUndefined()
  })

  test.each([
    ['old', '/new/*/*'],
    ['', '/new'],
    ['https://a.test/', '/new'],
    ['/o*d', '/new'],
    ['/old?x', '/new'],
    ['/old', '/new/*'],
    ['/old', 'new'],
    ['/old', '//evil.test'],
    ['/old', '/\\evil.test'],
    ['/old/*', 'https://b.test*'],
    ['/old/*', 'https://*/'],
    ['/old', 'https://user@b.test/'],
    ['/old', 'https://b.test\\@c.test/'],
    ['/old', 'javascript:alert(1)'],
    ['/old', '/new\r\nSet-Cookie: a=b'],
    ['/old', '/new \0'],
    ['/old', '/old'],
    ['/old/*', '/old/more/*'],
    ['a.test', '/x'],
    ['a.test', 'https://a.test/*'],
    ['*.a.test/*', 'https://www.a.test/*'],
    ['/*', '/x'],
  ])('refused: from %j to %j', (from, to) => {
    expect(redirectSchema.safeParse({ from, to }).success).toBe(false)
  })

  test('a target or pattern of any kind is read in linear time', () => {
    const long = 'a.'.repeat(500)
    for (const text of [long, `/${'*'.repeat(1_000)}`, `${'-'.repeat(1_020)}!`, '/'.repeat(1_024)]) {
      redirectSchema.safeParse({ from: text, to: '/x' })
      redirectSchema.safeParse({ from: '/x', to: `https://${text}` })
    }
    expect(redirectSchema.safeParse({ from: `/${'x'.repeat(1_024)}`, to: '/x' }).success).toBe(false)
  })
})
