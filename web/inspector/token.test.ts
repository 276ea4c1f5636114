import { expect, test } from 'vitest'
import { takeToken } from './token.ts'

const token = 'abcdefghijklmnop_-1234'

function browser(hash: string, kept: string | null, isClosed = false) {
  const said: string[] = []
  const closed = () => {
    throw new Error('SecurityError')
  }
  const localStorage = {
    getItem: () => (isClosed ? closed() : kept),
    setItem: (_key: string, value: string) => (isClosed ? closed() : said.push(`kept ${value}`)),
  }
  const history = {
    replaceState: (_a: unknown, _b: string, address?: string | URL | null) => said.push(`${address}`),
  }
  return { said, location: { hash, pathname: '/requests/1', search: '?tunnel=web' }, history, localStorage }
}

test('the token leaves the address, and later pages have it', () => {
  const { said, ...first } = browser(`#${token}`, null)
  expect(takeToken(first)).toBe(token)
  expect(said).toEqual([`kept ${token}`, '/requests/1?tunnel=web'])
  expect(takeToken(browser('', token))).toBe(token)
})

test('a newer link counts, another anchor does not, and without both there is none', () => {
  expect(takeToken(browser(`#${token}x`, token))).toBe(`${token}x`)
  expect(takeToken(browser('#top', token))).toBe(token)
  expect(takeToken(browser('', null))).toBe('')
})

test('a browser that keeps nothing uses the link alone', () => {
  const { said, ...closed } = browser(`#${token}`, null, true)
  expect(takeToken(closed)).toBe(token)
  expect(said).toEqual(['/requests/1?tunnel=web'])
  expect(takeToken(browser('', null, true))).toBe('')
})
