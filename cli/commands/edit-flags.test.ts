import { describe, expect, test } from 'vitest'
import { parseConfig } from '../config.ts'
import { type EditFlags, editsOfFlags } from './edit-flags.ts'

const fromFile = (options: string) =>
  parseConfig(`version: 1\ntunnels:\n  web: {kind: http, upstream: 1, ${options}}\n`, 'ptun.yaml').tunnels[0]
    ?.requests

describe('options and ptun.yaml mean the same', () => {
  test.each<[string, EditFlags, string]>([
    [
      'request headers',
      {
        requestHeaderSet: ['X-A: b:c ', 'X-B:'],
        requestHeaderAdd: ['Via: 1', 'Via:2'],
        requestHeaderRemove: ['Cookie'],
      },
      'requestHeaders: {set: {X-A: "b:c", X-B: ""}, add: {Via: [1, 2]}, remove: [Cookie]}',
    ],
    ['response headers', { responseHeaderSet: ['X-A: true'] }, 'responseHeaders: {set: {X-A: true}}'],
    [
      'redirects',
      { redirect: ['/a/* -> /b/*', '301 a.test->https://b.test/'] },
      'redirects: [{from: /a/*, to: /b/*}, {from: a.test, to: "https://b.test/", status: 301}]',
    ],
    ['HSTS', { hsts: true }, 'hsts: true'],
    ['HSTS as it is by default', { hsts: true }, 'hsts: {maxAgeSeconds: 86400, includeSubDomains: false}'],
    [
      'HSTS for longer',
      { hsts: true, hstsMaxAge: '600', hstsSubdomains: true },
      'hsts: {maxAgeSeconds: 600, includeSubDomains: true}',
    ],
  ])('%s', (_, flags, options) => {
    expect({ logins: [], ...editsOfFlags(flags) }).toEqual(fromFile(options))
  })

  test('nothing set is no gate at all', () => {
    expect(editsOfFlags({})).toEqual({})
    expect(fromFile('hsts: false')).toBeUndefined()
  })
})
