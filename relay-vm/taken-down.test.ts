import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import type { Command } from '@porttunneler/shared/api/schemas/relays'
import { newId } from '@porttunneler/shared/base/ids'
import { expect, test } from 'vitest'
import { decreeMs } from './decrees.ts'
import { TakenDown } from './taken-down.ts'
import { makeTestControl } from './testing/test-control.ts'
import { TestBench } from './testing/test-relay.ts'

type Takedown = Extract<Command, { kind: 'takedown' }>

const tunnel = newId('tun', 1)
const endpoint = 'host:shop.tunnels.test'
const takedown = (change: Partial<Takedown> = {}): Takedown => ({
  id: 'c',
  kind: 'takedown',
  at: 1_000,
  tunnel,
  endpoint,
  until: 1e12,
  version: 1,
  ...change,
})

test('the highest version counts, whatever the order, and over a restart', () => {
  const takenDown = new TakenDown()
  expect(takenDown.hear(takedown({ version: 3 }))).toBe(true)
  expect(takenDown.hear(takedown({ version: 2, until: 0 })), 'late').toBe(false)
  expect(takenDown.has('shop.tunnels.test', undefined)).toBe(true)
  expect(takenDown.has('own.example.org', tunnel), 'a further name').toBe(true)
  expect(takenDown.has('other.tunnels.test', newId('tun', 2))).toBe(false)
  const again = new TakenDown(takenDown.toJSON())
  expect(again.has('shop.tunnels.test', undefined)).toBe(true)
  expect(again.hear(takedown({ version: 4, until: 0 }))).toBe(true)
  expect(again.has('shop.tunnels.test', tunnel)).toBe(false)
  expect(again.hear(takedown({ version: 3 }))).toBe(false)
})

test('it is forgotten when it is over, and its end when no earlier command can come any more', () => {
  const takenDown = new TakenDown()
  takenDown.hear(takedown({ until: 5_000 }))
  takenDown.hear(takedown({ tunnel: newId('tun', 2), endpoint: 'host:b.tunnels.test', until: 0 }))
  takenDown.prune(4_000)
  expect(takenDown.toJSON()).toHaveLength(2)
  takenDown.prune(6_000)
  expect(takenDown.toJSON()).toMatchObject([{ until: 0 }])
  takenDown.prune(1_001 + decreeMs)
  expect(takenDown.toJSON()).toEqual([])
})

test('the oldest yield, so that its memory is bounded', () => {
  const takenDown = new TakenDown()
  for (let n = 0; n < 5_100; n++)
    takenDown.hear(takedown({ tunnel: newId('tun', n), endpoint: `host:${n}.tunnels.test` }))
  expect(takenDown.toJSON()).toHaveLength(5_000)
  expect([takenDown.has('0.tunnels.test', undefined), takenDown.has('5099.tunnels.test', undefined)]).toEqual(
    [false, true],
  )
})

test('open connections are cut, and the next visitor reads that the tunnel was taken down, over a restart', async () => {
  const control = await makeTestControl()
  const bench = await TestBench.make(control)
  let command: ((command: Command) => void) | undefined
  const commands = {
    start: (onCommand: (command: Command) => void) => {
      command = onCommand
    },
    close: async () => {},
  }
  const first = await bench.startRelay({}, { commands })
  const upstreamPort = await bench.startUpstream((socket) => {
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegun'))
  })
  const ticket = await control.ticket({ endpoint, sub: tunnel })
  const agent = await bench.dial(first.ports, { ticket, upstreamPort })
  await agent.bind(1, ticket)
  const visitor = connect(first.ports.httpPort, '127.0.0.1')
  visitor.on('error', () => undefined)
  visitor.write('GET / HTTP/1.1\r\nHost: shop.tunnels.test\r\n\r\n')
  await once(visitor, 'data')
  const cut = new Promise((resolve) => visitor.once('close', resolve))
  const at = Math.round(control.nowMs())
  command?.({ id: 'a', kind: 'revoke', at, endpoint, epoch: at, reason: 'taken_down' })
  command?.(takedown({ at, until: at + 1e9, version: at }))
  await cut
  const unbound = await agent.heard('unbound')
  expect(unbound).toMatchObject({ code: 'PT-2860' })
  expect(await heard(first.ports.httpPort)).toEqual([451, 'PT-2860'])
  await first.relay.close()
  const second = await bench.startRelay({}, { commands })
  expect(await heard(second.ports.httpPort), 'after a restart').toEqual([451, 'PT-2860'])
  command?.(takedown({ at, until: 0, version: at + 1 }))
  expect(await heard(second.ports.httpPort), 'put back').toEqual([503, 'PT-4107'])
  await bench.close()
})

async function heard(port: number): Promise<readonly unknown[]> {
  const headers = { host: 'shop.tunnels.test' }
  const asked = request({ port, host: '127.0.0.1', headers, agent: false }).end()
  const [response] = await once(asked, 'response')
  response.resume()
  return [response.statusCode, response.headers['x-porttunneler-error']]
}
