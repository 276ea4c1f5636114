import { isFailure } from '@porttunneler/shared/base/errors'
import { describe, expect, test } from 'vitest'
import { formatUpstream, parseUpstream } from './upstream.ts'

describe('upstream', () => {
  test.each([
    ['3000', 'localhost', 3000],
    ['localhost:3000', 'localhost', 3000],
    ['LocalHost:3000', 'localhost', 3000],
    ['127.0.0.1:80', '127.0.0.1', 80],
    ['[::1]:443', '::1', 443],
    ['db.internal:5432', 'db.internal', 5432],
    ['my_service:65535', 'my_service', 65535],
  ])('%s is understood', (text, host, port) => {
    expect(parseUpstream(text)).toEqual({ host, port })
    expect(parseUpstream(formatUpstream(parseUpstream(text)))).toEqual({ host, port })
  })

  test.each([
    ['https://localhost:8443', { host: 'localhost', port: 8443, isTls: true }, 'https://localhost:8443'],
    [
      'HTTPS://Vault.internal/',
      { host: 'vault.internal', port: 443, isTls: true },
      'https://vault.internal:443',
    ],
    ['https://[::1]', { host: '::1', port: 443, isTls: true }, 'https://[::1]:443'],
    ['https://[::1]:8443', { host: '::1', port: 8443, isTls: true }, 'https://[::1]:8443'],
    ['unix:/run/app.sock', { path: '/run/app.sock' }, 'unix:/run/app.sock'],
    ['unix:/tmp/with space:80', { path: '/tmp/with space:80' }, 'unix:/tmp/with space:80'],
  ])('%s is understood', (text, upstream, shown) => {
    expect(parseUpstream(text)).toEqual(upstream)
    expect(formatUpstream(parseUpstream(text))).toBe(shown)
    expect(parseUpstream(shown)).toEqual(upstream)
  })

  test.each([
    ['', 'a port is missing'],
    ['0', '0 is not a port'],
    ['65536', '65536 is not a port'],
    ['localhost', 'a port is missing'],
    ['localhost:', 'nothing is not a port'],
    ['localhost:http', 'http is not a port'],
    ['localhost:3000/path', '3000/path is not a port'],
    [':3000', 'write 3000 or localhost:3000'],
    ['http://localhost:3000/', 'leave out the scheme and the path: localhost:3000'],
    ['https://example.com/path', 'leave out the path: https://example.com'],
    ['https://user@example.com', 'leave out the path: https://example.com'],
    ['https://localhost:0', '0 is not a port'],
    ['https://', 'leave out the scheme'],
    ['unix:app.sock', 'the whole path of a socket'],
    ['unix:', 'the whole path of a socket'],
    ['unix:/run/', 'the whole path of a socket'],
    [`unix:/${'x'.repeat(120)}`, 'at most 10'],
    ['::1', 'write an IPv6 address in brackets, as in [::1]:3000'],
    ['[example]:80', 'not an IPv6 address'],
    ['1.2.3.4.5:80', '1.2.3.4.5 is not a host name'],
    ['999.1.1.1:80', '999.1.1.1 is not a host name'],
    ['bad host:80', 'bad host is not a host name'],
    ['-x:80', '-x is not a host name'],
  ])('%j is refused with what is wrong', (text, why) => {
    try {
      parseUpstream(text)
      expect.unreachable()
    } catch (error) {
      expect(isFailure(error, 'cli.upstream') && error.detail).toContain(why)
    }
  })
})
