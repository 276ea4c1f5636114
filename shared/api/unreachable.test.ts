import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { codes } from '../base/errors.ts'
import { sayNetworkError } from '../base/network-errors.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { makeClient } from './client.ts'

/** What the system says, and the word of its cure that no other cause has any use for. */
const table = [
  ['ECONNREFUSED', /nothing listens/],
  ['ECONNRESET', /cut/],
  ['ENOTFOUND', /spelling/],
  ['EAI_AGAIN', /DNS/],
  ['ETIMEDOUT', /firewall may be in the way/],
  ['EHOSTUNREACH', /no way leads there/],
  ['ENETUNREACH', /no way leads there/],
  ['EMFILE', /ulimit -n/],
  ['ENFILE', /fs\.file-max/],
  ['EADDRNOTAVAIL', /local port/],
  ['EACCES', /own firewall/],
] as const

describe('a server that is not reached', () => {
  test.each(table)('%s: the detail names the cause and what cures it', async (code, cure) => {
    const reason = Object.assign(new Error(`connect ${code}`), { code })
    const failing = async () => {
      throw new TypeError('fetch failed', { cause: new AggregateError([reason]) })
    }
    const client = makeClient({ baseUrl: 'https://t.example', fetch: failing })
    const failure = await client.config().catch((error: unknown) => error)
    expect(failure).toMatchObject({ key: 'server.unreachable', detail: expect.stringMatching(cure) })
    expect(String(failure)).toContain(code)
    for (const [other, words] of table)
      if (words.source !== cure.source) expect(String(failure), other).not.toMatch(words)
  })

  test.each(['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED'])('%s: the clock is the cure', async (code) => {
    const failing = async () => {
      throw new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) })
    }
    const client = makeClient({ baseUrl: 'https://t.example', fetch: failing, clock: new FakeClock() })
    await expect(client.config()).rejects.toMatchObject({ key: 'server.validity' })
    expect(codes['server.validity'].cure).toContain('clock')
  })

  test('what the system really says for a port where nobody listens', async () => {
    const socket = connect({ port: 1, host: '127.0.0.1' })
    const error = await new Promise((resolve) => socket.once('error', resolve))
    expect(sayNetworkError(error)).toMatch(/ECONNREFUSED.*nothing listens/)
    expect(sayNetworkError(new Error('something else'))).toBe('')
  })
})
