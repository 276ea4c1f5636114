import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { codes } from '../base/errors.ts'
import { sayNetworkError } from '../base/system-errors.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { expectCure, systemCodes, systemError } from '../testing/system-errors.ts'
import { makeClient } from './client.ts'

describe('a server that is not reached', () => {
  test.each(systemCodes('network'))('%s: the detail names the cause and what cures it', async (code) => {
    const failing = async () => {
      throw new TypeError('fetch failed', { cause: new AggregateError([systemError(code)]) })
    }
    const client = makeClient({ baseUrl: 'https://t.example', fetch: failing })
    const failure = await client.config().catch((error: unknown) => error)
    expect(failure).toMatchObject({ key: 'server.unreachable' })
    expectCure(failure, { kind: 'network', code })
  })

  test.each(['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED'])('%s: the clock is the cure', async (code) => {
    const failing = async () => {
      throw new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) })
    }
    const client = makeClient({ baseUrl: 'https://t.example', fetch: failing, clock: new FakeClock() })
    await expect(client.config()).rejects.toMatchObject({ key: 'server.validity' })
    expect(codes['server.validity'].cure).toContain('clock')
  })

  test('the system’s real error for a port where nobody listens', async () => {
    const socket = connect({ port: 1, host: '127.0.0.1' })
    const error = await new Promise((resolve) => socket.once('error', resolve))
    expect(sayNetworkError(error)).toMatch(/ECONNREFUSED.*nothing listens/)
    expect(sayNetworkError(new Error('something else'))).toBe('')
  })
})
