/** A session costs its owner, and nobody else. */
import { fail } from '@porttunneler/shared/base/errors'
import { newId } from '@porttunneler/shared/base/ids'
import { limits } from '@porttunneler/shared/protocol/limits'
import { freePort } from '@porttunneler/shared/testing/ports'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { account, makeTestControl, type TestControl } from './testing/test-control.ts'
import { TestBench } from './testing/test-relay.ts'

let control: TestControl
let bench: TestBench

beforeEach(async () => {
  control = await makeTestControl()
  bench = await TestBench.make(control)
})
afterEach(() => bench.close())

const plenty = { perMinute: 600_000, burst: 10_000 }

async function start(limits: object = {}) {
  const handshakes = { source: plenty }
  const { relay, ports } = await bench.startRelay({ limits: { handshakes, ...limits } })
  const sessions = async () => {
    const { sessions } = (await (await fetch(`http://127.0.0.1:${ports.adminPort}/load`)).json()) as {
      sessions: number
    }
    return sessions
  }
  return { relay, ports, sessions }
}

/** Resolves when `isTrue` holds. */
async function until(isTrue: () => Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await new Promise((resolve) => setImmediate(resolve))
}

describe('sessions', () => {
  test('connect, HELLO, disconnect, again and again: nothing is left of it, and others come in', async () => {
    const { ports, sessions } = await start({ sessionsMax: 20 })
    const ticket = await control.ticket({ endpoint: 'host:demo.tunnels.test' })
    for (let n = 0; n < 60; n++) {
      const { session } = await bench.dial(ports, { ticket })
      for (const carrier of session.carriers) carrier.lose(fail('carrier.lost'))
      session.close('session.closed')
    }
    await until(async () => (await sessions()) === 0)
    const endpoint = `tcp:c1:${await freePort()}`
    const other = newId('agt', 2)
    const theirs = await control.ticket({ endpoint, account: newId('acc', 2), agent: other })
    const guest = await bench.dial(ports, { ticket: theirs, agentId: other })
    expect(await guest.bind(1, theirs)).toBe(endpoint)
  })

  test('one with a binding is kept for its agent when the connection is cut', async () => {
    const { ports, sessions } = await start()
    const endpoint = `tcp:c1:${await freePort()}`
    const ticket = await control.ticket({ endpoint })
    const { session } = await bench.dial(ports, { ticket })
    const idle = await bench.dial(ports, { ticket })
    session.bind(1, ticket)
    await until(async () => session.rttMs !== undefined)
    const bound = await bench.dial(ports, { ticket })
    await bound.bind(1, ticket)
    for (const { carriers } of [idle.session, bound.session])
      for (const carrier of carriers) carrier.lose(fail('carrier.lost'))
    await until(async () => (await sessions()) < 3)
    expect(limits.resumeGraceMs).toBeGreaterThan(60_000)
    expect(await sessions()).toBe(2)
  })

  test('an agent holds two sessions that serve nothing, and as many as serve something', async () => {
    const { ports, sessions } = await start()
    for (let n = 0; n < 4; n++) {
      const endpoint = `tcp:c1:${await freePort()}`
      const ticket = await control.ticket({ endpoint })
      const serving = await bench.dial(ports, { ticket })
      await serving.bind(1, ticket)
    }
    const ticket = await control.ticket({ endpoint: 'host:demo.tunnels.test' })
    for (let n = 0; n < 2; n++) await bench.dial(ports, { ticket })
    await expect(bench.dial(ports, { ticket })).rejects.toThrow('PT-3015')
    expect(await sessions()).toBe(6)
  })

  test('the account with most sessions yields to the others, and is told why', async () => {
    const { ports, sessions } = await start({ sessionsMax: 4 })
    const dialAs = async (owner: string, n: number) => {
      const id = newId('agt', n)
      const ticket = await control.ticket({
        endpoint: `host:demo${n}.tunnels.test`,
        account: owner,
        agent: id,
      })
      return await bench.dial(ports, { ticket, agentId: id })
    }
    const hogs = []
    for (let n = 1; n <= 4; n++) hogs.push(await dialAs(account, n))
    await expect(dialAs(account, 5)).rejects.toThrow('PT-3015')
    const guest = newId('acc', 9)
    for (let n = 6; n <= 7; n++) await dialAs(guest, n)
    expect(await sessions()).toBe(4)
    const last = hogs[3]
    expect((await last?.heard('closed'))?.key).toBe('session.limit')
    await expect(dialAs(guest, 8), 'they are equal now').rejects.toThrow('PT-3015')
  })
})
