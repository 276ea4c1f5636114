import { isFailure } from '@porttunneler/shared/base/errors'
import { describe, expect, test } from 'vitest'
import { formatProxy, parseProxy, proxyChooser } from './settings.ts'

const none = () => undefined
const relay = { host: 'relay.example.com', port: 443, isEncrypted: true }

function chosen(env: Record<string, string>, target = relay, configured: () => string | undefined = none) {
  const proxy = proxyChooser(env, configured)(target)
  return proxy && `${formatProxy(proxy)} ${proxy.from}`
}

describe('proxy settings: the address', () => {
  test.each([
    ['http://proxy.corp:3128', 'http://proxy.corp:3128'],
    ['http://proxy.corp:80/', 'http://proxy.corp:80'],
    ['proxy.corp:8080', 'http://proxy.corp:8080'],
    ['HTTPS://proxy.corp', 'https://proxy.corp:443'],
    ['http://proxy.corp', 'http://proxy.corp:1080'],
    ['socks5://10.0.0.1:9050', 'socks5://10.0.0.1:9050'],
    ['socks5h://[::1]', 'socks5h://[::1]:1080'],
    ['socks://localhost:1080/', 'socks5h://localhost:1080'],
    ['http://user:p%40ss@proxy.corp:3128', 'http://proxy.corp:3128'],
  ])('%s', (text, shown) => {
    expect(formatProxy(parseProxy(text, 'HTTPS_PROXY'))).toBe(shown)
  })

  test('user and password are decoded, and shown to nobody', () => {
    const proxy = parseProxy('http://corp%5Cann:p%40ss%3Aword@proxy.corp:3128', 'HTTPS_PROXY')
    expect([proxy.user?.name, proxy.user?.password.reveal()]).toEqual(['corp\\ann', 'p@ss:word'])
    expect(JSON.stringify(proxy)).not.toContain('p@ss')
  })

  test.each([
    'ftp://u:topsecret@proxy.corp',
    'socks4://u:topsecret@proxy.corp',
    'http://u:topsecret@',
    'http://u:topsecret@proxy.corp/path',
    'http://u:topsecret%zz@proxy.corp',
    'http://u:topsecret@proxy.corp:99999',
    'http://',
  ])('%s is refused without being repeated', (text) => {
    try {
      parseProxy(text, 'HTTPS_PROXY')
      expect.unreachable()
    } catch (error) {
      expect(isFailure(error, 'proxy.setting')).toBe(true)
      expect(String(error)).toContain('HTTPS_PROXY')
      expect(String(error)).not.toContain('topsecret')
    }
  })
})

describe('proxy settings: which variable counts', () => {
  test.each<[what: string, env: Record<string, string>, shown: string | undefined]>([
    ['none is set', {}, undefined],
    ['small letters come first', { https_proxy: 'a:1', HTTPS_PROXY: 'b:1' }, 'http://a:1 https_proxy'],
    ['capitals too', { HTTPS_PROXY: 'b:1' }, 'http://b:1 HTTPS_PROXY'],
    ['an empty one is not set', { https_proxy: '', ALL_PROXY: 'socks5h://c:1' }, 'socks5h://c:1 ALL_PROXY'],
    ['the one for plain HTTP does not count for TLS', { http_proxy: 'a:1' }, undefined],
    [
      'the special one before that for all',
      { all_proxy: 'a:1', HTTPS_PROXY: 'b:1' },
      'http://b:1 HTTPS_PROXY',
    ],
  ])('%s', (_what, env, shown) => {
    expect(chosen(env)).toBe(shown)
  })

  test('plain HTTP has its own', () => {
    const plain = { ...relay, isEncrypted: false }
    expect(chosen({ HTTP_PROXY: 'a:1', HTTPS_PROXY: 'b:1' }, plain)).toBe('http://a:1 HTTP_PROXY')
  })

  test('the proxy of ptun.yaml comes first, but only for encrypted connections', () => {
    const env = { HTTPS_PROXY: 'b:1', HTTP_PROXY: 'b:1' }
    expect(chosen(env, relay, () => 'socks5h://own:1')).toBe('socks5h://own:1 proxy in ptun.yaml')
    expect(chosen(env, { ...relay, isEncrypted: false }, () => 'own:1')).toBe('http://b:1 HTTP_PROXY')
    expect(chosen({ NO_PROXY: 'example.com' }, relay, () => 'own:1')).toBeUndefined()
  })

  test.each(['localhost', 'db.localhost', '127.0.0.1', '127.9.9.9', '::1'])('%s needs no proxy', (host) => {
    expect(chosen({ HTTPS_PROXY: 'a:1' }, { ...relay, host })).toBeUndefined()
  })
})

describe('proxy settings: NO_PROXY', () => {
  test.each<[list: string, host: string, isExempt: boolean]>([
    ['*', 'relay.example.com', true],
    ['example.com', 'relay.example.com', true],
    ['example.com', 'example.com', true],
    ['example.com', 'badexample.com', false],
    ['.example.com', 'relay.example.com', true],
    ['*.example.com', 'relay.example.com', true],
    ['EXAMPLE.com', 'relay.example.com', true],
    ['example.com.', 'relay.example.com.', true],
    ['a.test, example.com', 'relay.example.com', true],
    ['a.test example.com', 'relay.example.com', true],
    ['example.com:443', 'relay.example.com', true],
    ['example.com:444', 'relay.example.com', false],
    ['10.0.0.0/8', '10.1.2.3', true],
    ['10.0.0.0/8', '11.1.2.3', false],
    ['10.1.2.3', '10.1.2.3', true],
    ['10.1.2.3', '10.1.2.33', false],
    ['10.1.2.0/24:443', '10.1.2.3', true],
    ['10.0.0.0/99', '10.1.2.3', false],
    ['10.', '10.1.2.3', false],
    ['fd00::/8', 'fd12::1', true],
    ['[fd12::1]:443', 'fd12::1', true],
    ['fd00::/8', '10.1.2.3', false],
    [',, ', 'relay.example.com', false],
    ['', 'relay.example.com', false],
  ])('"%s" and %s: %s', (list, host, isExempt) => {
    const target = { ...relay, host }
    for (const name of ['no_proxy', 'NO_PROXY'])
      expect(chosen({ HTTPS_PROXY: 'a:1', [name]: list }, target) === undefined).toBe(isExempt)
  })
})
