/** A tunnel that an operator takes down is served by nobody, at no address that people know, until it is put back. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../../standalone/testing/control.ts'
import { keyOfCode } from '../../base/errors.ts'
import { newId } from '../../base/ids.ts'
import { readAddress } from '../../base/reported-address.ts'
import { limits } from '../../protocol/limits.ts'
import type { Caller } from '../caller.ts'
import { claimLeases, renewLeases } from '../claims.ts'
import { controlOf } from '../control.ts'
import { endpoints } from '../documents.ts'
import { runAct } from '../operator/acts.ts'
import { quotas } from '../quota-documents.ts'
import { sweep } from '../sweeper.ts'
import { deleteTunnel, describeTunnels, findTunnelByName, updateTunnel } from '../tunnels.ts'
import { findTunnelAt } from './find-tunnel.ts'
import { takedownMs } from './takedown.ts'

const laptop = newId('agt', 1)
const desktop = newId('agt', 2)
const reason = 'It showed a false sign-in page.'
const dayMs = 24 * 3_600_000
const shop = 'http://shop.tunnel.example.com:8080/login?a=b'

let t: TestControl
let ada: Caller
let bob: Caller
beforeEach(async () => {
  t = makeTestControl()
  await t.openCell()
  ada = await t.caller('ada@example.com')
  bob = await t.caller('bob@example.com')
})
afterEach(() => t.close())

type Wanted = { readonly name: string; readonly kind: 'tcp' | 'http'; readonly port?: number }

/** @returns the url, or the key of the refusal */
async function claim(caller: Caller, wanted: Wanted, agent = laptop): Promise<string> {
  const asked = { agent, tunnels: [wanted], takeover: false }
  const [result] = (await claimLeases(t.control, caller, asked)).results
  if (!result) throw new Error('no result')
  return 'problem' in result ? `${keyOfCode(result.problem.code)}` : result.lease.endpoint.url
}

const act = (name: string, input: object) =>
  runAct({ control: t.control, enrolment: t.relayIdentity }, { act: name, input, operator: 'grace' })
const keyOf = (failing: Promise<unknown>) =>
  failing.then(
    () => 'done',
    (error: { key: string }) => error.key,
  )
const named = async (name: string) => {
  const found = await findTunnelByName(t.of(ada), ada.account, name)
  if (!found) throw new Error(`no tunnel ${name}`)
  return found
}
const commands = async (kind: 'revoke' | 'takedown') =>
  (await t.sync()).commands.filter((command) => command.kind === kind)

describe('takedown', () => {
  test('its lease ends at once, relays are told why, and nobody gets it or its address', async () => {
    await claim(ada, { name: 'shop', kind: 'http' })
    await claim(ada, { name: 'other', kind: 'http' }, desktop)
    const { ref, data } = await named('shop')
    await act('tunnels.take-down', { address: shop, reason })
    expect(await commands('revoke')).toMatchObject([{ endpoint: data.endpoint, reason: 'taken_down' }])
    const [told] = await commands('takedown')
    expect(told).toMatchObject({ tunnel: ref.id, endpoint: data.endpoint })
    expect(await claim(ada, { name: 'shop', kind: 'http' })).toBe('tunnel.taken_down')
    expect(await claim(ada, { name: 'shop', kind: 'http' }, desktop), 'another agent').toBe(
      'tunnel.taken_down',
    )
    expect(await claim(bob, { name: 'shop', kind: 'http' }), 'somebody else').toBe('endpoint.name_taken')
    const held = { tunnel: ref.id, epoch: 1 }
    const renewed = await renewLeases(t.control, ada, { agent: laptop, leases: [held] })
    expect(renewed.results).toMatchObject([{ problem: { code: 'PT-2860', retryAfter: 600 } }])
    expect((await t.control.store.get(quotas.ref(ada.account)))?.data.online).toBe(1)
    expect(await claim(ada, { name: 'other', kind: 'http' }, desktop), 'others go on').toMatch(/^http/)
  })

  test('its owner sees the reason at the tunnel and in a mail, and in the audit log', async () => {
    await claim(ada, { name: 'shop', kind: 'http' })
    await act('tunnels.take-down', { address: shop, reason })
    await claim(ada, { name: 'shop', kind: 'http' })
    t.clock.advance(10 * dayMs)
    const [tunnel] = await describeTunnels(controlOf(t.control, ada.account), [await named('shop')])
    expect(tunnel).toMatchObject({ state: 'refused', why: { code: 'PT-2860' } })
    expect(tunnel?.why.cause).toContain(reason)
    await t.runJobs()
    const mails = t.mails.filter(({ subject }) => subject.includes('taken down'))
    expect(mails).toMatchObject([{ to: 'ada@example.com', subject: 'Your tunnel "shop" was taken down' }])
    expect(mails[0]?.text).toContain(reason)
    const log = t.documents().filter(({ collection }) => collection === 'audit')
    expect(log.filter(({ body }) => body.includes('tunnel.taken_down'))).toHaveLength(1)
  })

  test('it cannot be renamed or deleted, nor come back as a tunnel of the same port', async () => {
    const url = await claim(ada, { name: 'db', kind: 'tcp', port: 20_005 })
    await act('tunnels.take-down', { address: url, reason })
    const { ref } = await named('db')
    const own = t.of(ada)
    expect(await keyOf(updateTunnel(own, ada, { id: ref.id, change: { name: 'new' } }))).toBe(
      'tunnel.taken_down',
    )
    expect(await keyOf(deleteTunnel(own, ada, { id: ref.id }))).toBe('tunnel.taken_down')
    t.clock.advance(30 * dayMs)
    await t.settle()
    await sweep(t.control)
    expect(await claim(ada, { name: 'db2', kind: 'tcp', port: 20_005 })).toBe('endpoint.port_taken')
    expect(await claim(bob, { name: 'db', kind: 'tcp', port: 20_005 })).toBe('endpoint.port_taken')
    t.clock.advance(takedownMs)
    await t.settle()
    await sweep(t.control)
    expect(await claim(bob, { name: 'db', kind: 'tcp', port: 20_005 }), 'in the end').toBe(url)
  })

  test('put back, it gets its address again, and its owner hears of that too', async () => {
    const url = await claim(ada, { name: 'shop', kind: 'http' })
    await act('tunnels.take-down', { address: shop, reason })
    expect(await keyOf(act('tunnels.take-down', { address: shop, reason }))).toBe('operator.exists')
    expect(await act('tunnels.taken-down', {})).toMatchObject([
      { name: 'shop', reason, by: 'operator:grace' },
    ])
    const [down] = await commands('takedown')
    t.clock.advance(1)
    await act('tunnels.restore', { address: shop })
    expect(await act('tunnels.taken-down', {})).toEqual([])
    expect(await keyOf(act('tunnels.restore', { address: shop }))).toBe('operator.missing')
    const after = (await commands('takedown')).at(-1)
    expect(after).toMatchObject({ until: 0 })
    expect(after?.kind === 'takedown' && down?.kind === 'takedown' && after.version > down.version).toBe(true)
    const { data } = await named('shop')
    expect(data).not.toHaveProperty('refusedAt')
    expect((await t.control.store.get(endpoints.ref(data.endpoint)))?.data).not.toHaveProperty('isTakenDown')
    expect(await claim(ada, { name: 'shop', kind: 'http' })).toBe(url)
    await t.runJobs()
    expect(t.mails.map(({ subject }) => subject)).toContain('Your tunnel "shop" may be served again')
  })

  test('a relay that is new, or was away for days, hears of it after the commands have gone', async () => {
    await claim(ada, { name: 'shop', kind: 'http' })
    const { cursor } = await t.sync()
    await act('tunnels.take-down', { address: shop, reason })
    t.clock.advance(3 * dayMs)
    const endpoint = 'host:shop.tunnel.example.com'
    expect(await commands('takedown'), 'a new one').toMatchObject([{ endpoint }])
    const late = (await t.sync({ cursor })).commands.filter(({ kind }) => kind === 'takedown')
    expect(late, 'one that was away').toMatchObject([{ endpoint }])
    const steady = await t.sync({ cursor: `${t.clock.now() - limits.syncMs}` })
    expect(steady.commands, 'one that was there').toEqual([])
  })
})

describe('addresses', () => {
  test.each([
    ['https://Shop.example.com/login?x=1#y', 'shop.example.com', 443],
    ['shop.example.com.', 'shop.example.com', undefined],
    ['SHOP.example.com:8080/a', 'shop.example.com', 8080],
    ['tcp://tcp.example.com:20001', 'tcp.example.com', 20_001],
    ['bücher.example.com', 'xn--bcher-kva.example.com', undefined],
    ['http://a.localhost:8480', 'a.localhost', 8480],
  ])('%s', (text, host, port) => {
    expect(readAddress(text)).toEqual({ host, ...(port !== undefined && { port }) })
  })

  test.each([
    '',
    'somebody stole my account',
    'a@example.com',
    'https://',
    '/login',
    'x:99999',
    `${'a'.repeat(3_000)}.com`,
  ])('no address: %s', (text) => {
    expect(readAddress(text)).toBeUndefined()
  })

  test('one that nobody has leads nowhere', async () => {
    await claim(ada, { name: 'shop', kind: 'http' })
    expect(await findTunnelAt(t.control, 'http://nobody.tunnel.example.com')).toBeUndefined()
    expect((await findTunnelAt(t.control, shop))?.data.name).toBe('shop')
  })
})
