/** The id of a request of the API is in the relay's lines about what came of it. */
import type { Command } from '@porttunneler/shared/api/schemas/relays'
import { codes } from '@porttunneler/shared/base/errors'
import { type Log, silentLog } from '@porttunneler/shared/base/log'
import { freePort } from '@porttunneler/shared/testing/ports'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { account, claimsOf, makeTestControl, openPolicy, type TestControl } from './testing/test-control.ts'
import { TestBench } from './testing/test-relay.ts'

let control: TestControl
let bench: TestBench
let lines: object[]
const log: Log = {
  ...silentLog,
  info: (fields, message) => void lines.push({ ...fields, message }),
  child: () => log,
}
beforeEach(async () => {
  lines = []
  control = await makeTestControl()
  bench = await TestBench.make(control)
})
afterEach(() => bench.close())

test('of the claim that got a ticket, and of a command, once however often it comes', async () => {
  let send: ((command: Command) => void) | undefined
  const commands = {
    start: (listener: (command: Command) => void) => {
      send = listener
    },
    close: () => {},
  }
  const { ports } = await bench.startRelay({}, { log, commands })
  const endpoint = `tcp:c1:${await freePort()}`
  const ticket = await control.ticket({ endpoint, request: 'request-1' })
  const agent = await bench.dial(ports, { ticket })
  await agent.bind(1, ticket)
  const bound = { message: 'A tunnel was bound', account, endpoint, requestId: 'request-1' }
  expect(lines).toContainEqual(expect.objectContaining(bound))
  const { sub: tunnel } = claimsOf(endpoint)
  const about = { tunnel, policy: openPolicy, policyVersion: 7 } as const
  const command = { id: 'cmd_1', kind: 'policy', at: Date.now(), request: 'request-2', ...about } as Command
  for (let times = 0; times < 3; times++) send?.(command)
  const carriedOut = lines.filter((line) => 'message' in line && line.message === 'A command was carried out')
  expect(carriedOut).toEqual([
    expect.objectContaining({ requestId: 'request-2', command: 'cmd_1', kind: 'policy' }),
  ])
  agent.session.bind(2, 'no ticket')
  await agent.heard('unbound', 2)
  expect(lines).toContainEqual(
    expect.objectContaining({ message: 'A BIND was refused', account, code: codes['ticket.invalid'].code }),
  )
})
