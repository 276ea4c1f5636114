import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { cloudEvent } from '@google-cloud/functions-framework'
import { getTestServer } from '@google-cloud/functions-framework/testing'
import { fail } from '@porttunneler/shared/base/errors'
import { newId } from '@porttunneler/shared/base/ids'
import { type Log, silentLog } from '@porttunneler/shared/base/log'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../standalone/testing/control.ts'
import { relayEventFunction } from './on-relay-event.ts'

let t: TestControl
let lines: Readonly<Record<string, unknown>>[]
let relay: string

beforeEach(async () => {
  lines = []
  t = makeTestControl({ log: collect({}) })
  await t.openCell()
  relay = (await t.sync()).relay
})
afterEach(() => t.close())

/** A log that the test can read. */
function collect(fields: object): Log {
  const add = (line: object, message: string) => void lines.push({ ...fields, ...line, message })
  return { ...silentLog, info: add, warn: add, error: add, child: (more) => collect({ ...fields, ...more }) }
}

const seen = (changes: object = {}) => ({
  relay,
  instance: 'r1',
  event: { id: 'e1', at: t.clock.now(), kind: 'carrier.proof', fields: { session: 's1' } },
  ...changes,
})
const published = (data: string) => ({ data: { message: { data: Buffer.from(data).toString('base64') } } })
const take = (message: unknown) => relayEventFunction(t.control)(published(JSON.stringify(message)))

describe('onRelayEvent', () => {
  test('an event is noted as sync notes it, under the same id, with relay and cell', async () => {
    await take(seen())
    await t.sync({ events: [seen().event] })
    const noted = lines.filter(({ event }) => event === 'e1')
    expect(noted).toHaveLength(2)
    expect(noted[0]).toMatchObject({
      relay,
      instance: 'r1',
      cell: 'home',
      kind: 'carrier.proof',
      session: 's1',
    })
    expect(noted[1]).toMatchObject({ relay, instance: 'r1', kind: 'carrier.proof', session: 's1' })
  })

  test.each([
    ['no JSON', '{"relay":'],
    ['no event', '{"relay":"x"}'],
    ['nothing', ''],
  ])('%s is logged with its code and not sent again', async (_title, data) => {
    await relayEventFunction(t.control)(published(data))
    expect(lines).toMatchObject([{ code: 'PT-5225' }])
  })

  test('a CloudEvent of another form is logged and not sent again', async () => {
    await relayEventFunction(t.control)({})
    await relayEventFunction(t.control)({ data: { message: { data: '%%' } } })
    expect(lines).toMatchObject([{ code: 'PT-5225' }, { code: 'PT-5225' }])
  })

  test('an unknown relay is not believed', async () => {
    await take(seen({ relay: newId('rel', 1) }))
    expect(lines).toMatchObject([{ message: 'an event of a relay that is not here' }])
  })

  test('while the store is away it is sent again; after ten minutes it is dropped', async () => {
    const get = () => Promise.reject(fail('store.unavailable'))
    const ill = { ...t.control, store: { ...t.control.store, get } }
    const old = published(JSON.stringify(seen()))
    await expect(relayEventFunction(ill)(old)).rejects.toMatchObject({ key: 'store.unavailable' })
    t.clock.advance(11 * 60_000)
    await relayEventFunction(ill)(old)
    expect(lines).toEqual([])
  })

  test('the framework hands it what Pub/Sub sends', async () => {
    cloudEvent('onRelayEventTest', relayEventFunction(t.control))
    const server: Server = getTestServer('onRelayEventTest')
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'ce-specversion': '1.0',
        'ce-id': '1',
        'ce-type': 'google.cloud.pubsub.topic.v1.messagePublished',
        'ce-source': '//pubsub.googleapis.com/projects/p/topics/ptun.events',
      },
      body: JSON.stringify({ ...published(JSON.stringify(seen())).data, subscription: 's' }),
    })
    await new Promise((resolve) => server.close(resolve))
    expect(answer.status).toBe(204)
    expect(lines).toMatchObject([{ event: 'e1', relay }])
  })
})
