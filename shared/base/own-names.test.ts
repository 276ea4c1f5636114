import { expect, test } from 'vitest'
import { hostOf, ownNames } from './own-names.ts'

test.each([
  ['localhost:8400', 'localhost'],
  ['LocalHost.', 'localhost'],
  ['[::1]:8400', '::1'],
  ['127.0.0.1', '127.0.0.1'],
  ['console.example.com:443', 'console.example.com'],
  ['', undefined],
  ['a b', undefined],
  ['user@localhost', undefined],
  ['localhost:8400:1', undefined],
  ['localhost/evil', undefined],
])('the Host %j names %j', (header, host) => {
  expect(hostOf(header)).toBe(host)
})

test('addresses, loopback names and configured names are own names, and no others', () => {
  const isOwn = ownNames(['Console.Example.com'])
  const own = ['localhost', 'hello.localhost', '127.0.0.1', '::1', '203.0.113.7', 'console.example.com']
  expect(own.filter((host) => !isOwn(host))).toEqual([])
  const foreign = [
    'evil.example',
    'localhost.evil.example',
    'notlocalhost',
    'a.console.example.com',
    '1.2.3',
    '',
  ]
  expect(foreign.filter(isOwn)).toEqual([])
})
