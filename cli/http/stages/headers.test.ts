import { describe, expect, test } from 'vitest'
import { headOf, requestThrough } from '../../testing/stage-rig.ts'
import { requestHeaderStage } from './headers.ts'

describe('request headers', () => {
  test('first removed, then set, then added; all others stay byte for byte', () => {
    const stage = requestHeaderStage({
      remove: ['Cookie', 'x-absent'],
      set: { 'X-Env': 'staging', 'X-New': '' },
      add: { 'X-Env': ['more', 'and more'], Via: 'tunnel' },
    })
    const head = headOf(
      'GET /a%20b HTTP/1.1',
      'Host:a.test',
      'cookie: a=b',
      'X_ENV: forged',
      'COOKIE: c',
      'Via: x',
    )
    expect(requestThrough([stage], head)).toEqual([
      'GET /a%20b HTTP/1.1',
      'Host:a.test',
      'Via: x',
      'X-Env: staging',
      'X-New: ',
      'X-Env: more',
      'X-Env: and more',
      'Via: tunnel',
    ])
  })

  test('of two spellings of one name the later one counts', () => {
    const stage = requestHeaderStage({ set: { 'X-A': '1', 'x-a': '2' } })
    expect(requestThrough([stage], headOf('GET / HTTP/1.1', 'Host: a')).slice(2)).toEqual(['x-a: 2'])
  })
})
