/** Ids of another account seem not to exist on every route, and nothing of that account changes. */

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { makeTestApi, type TestApi } from '../../standalone/testing/api.ts'
import { quietSync } from '../../standalone/testing/control.ts'
import { newId } from '../base/ids.ts'
import { webhooks } from '../control/alerts/webhook-documents.ts'
import { certificates, noCertificate } from '../control/certificate-documents.ts'
import { claimLeases } from '../control/claims.ts'
import { addDomain } from '../control/domains/domains.ts'
import { passkeys } from '../control/factors/factor-documents.ts'
import { queries } from '../control/query-table.ts'
import { reserveName, reservePort } from '../control/reserving.ts'
import { invite } from '../control/team/invitations.ts'

let t: TestApi
beforeEach(async () => {
  t = await makeTestApi({}, { plan: 'unlimited' })
})
afterEach(() => t.close())

const agent = newId('agt', 1)
const certificate = `crt_${'0'.repeat(40)}`
const passkey = '0'.repeat(64)

/** Ada's: a tunnel that is online, and a key. */
async function adasThings() {
  const { results } = await claimLeases(t.control, t.owner, {
    agent,
    tunnels: [{ name: 'db', kind: 'tcp' }],
    takeover: false,
  })
  const [first] = results
  if (!first || !('lease' in first)) throw new Error('no lease')
  await reserveName(t.control, t.owner, { name: 'db' })
  await reservePort(t.control, t.owner, { port: 20_010 })
  await addDomain(t.control, t.owner, { host: 'app.example.com' })
  const order = { ...noCertificate(t.owner.account, ['app.example.com']), csr: 'MAA=' }
  await t.control.store.create(certificates.ref(certificate), order)
  const adas = { user: t.owner.member, credential: 'AA', publicKey: 'AA', counter: 0, transports: [] }
  const named = { name: 'Laptop', isBackedUp: false, createdAt: 1, usedAt: 0 }
  await t.control.store.create(passkeys.ref(passkey), { ...adas, ...named })
  const keys = await t.call('GET', '/v1/keys', { token: t.ada })
  const page = z.object({ items: z.array(z.object({ id: z.string() })) }).parse(await keys.json())
  const log = await t.control.store.query(queries.auditByTarget, {
    where: { account: t.owner.account, target: first.lease.tunnel },
    limit: 1,
  })
  const entry = log.items[0]?.ref.id ?? ''
  const { id: invitation } = await invite(t.control, t.owner, { email: 'bob@example.com', role: 'viewer' })
  const { signIn = '' } = await t.identity.verify(t.ada)
  const from = t.clock.now()
  const window = await madeBy('/v1/maintenance', { from, until: from + 3_600_000 })
  const webhook = newId('whk', 1)
  await t.control.store.create(webhooks.ref(webhook), {
    ...{ account: t.owner.account, url: 'https://hooks.example.com', format: 'standard', state: 'active' },
    ...{ secrets: [], by: 'ada', createdAt: 1, failingSince: 0, lastStatus: 0, lastAt: 0 },
  })
  const ids = {
    tunnel: first.lease.tunnel,
    key: page.items[0]?.id ?? '',
    entry,
    invitation,
    signIn,
    window,
    webhook,
  }
  return { lease: first.lease, ...ids }
}

/** What a change of these asks for. */
const wishes = [
  ['{member}', { role: 'viewer' }],
  ['{webhook}', { on: false }],
] as const

/** @returns its id */
async function madeBy(path: string, json: object): Promise<string> {
  const answer = await t.call('POST', path, { token: t.ada, json })
  return z.object({ id: z.string() }).parse(await answer.json()).id
}

/** Everything that Ada sees, as text. */
async function adasView(): Promise<string> {
  const paths = [
    '/v1/account',
    '/v1/tunnels',
    '/v1/keys',
    '/v1/members',
    '/v1/invitations',
    '/v1/sign-ins',
    '/v1/factors',
    '/v1/names',
    '/v1/ports',
    '/v1/domains',
    '/v1/maintenance',
    '/v1/webhooks',
    `/v1/certificates/${certificate}`,
  ]
  const answers = paths.map(async (path) => (await t.call('GET', path, { token: t.ada })).text())
  return (await Promise.all(answers)).join('\n')
}

const documentSchema = z.object({
  paths: z.record(z.string(), z.record(z.string(), z.unknown())),
})

describe('api: one account and the ids of another', () => {
  test('every route that takes an id answers 404 to a stranger, and the owner loses nothing', async () => {
    const { tunnel, key, entry, invitation, signIn, window, webhook } = await adasThings()
    const before = await adasView()
    const move = { account: (await t.principals.authenticate(t.eve, '')).account }
    const { paths } = documentSchema.parse(await (await t.call('GET', '/v1/openapi.json')).json())
    const named = Object.entries(paths).flatMap(([path, operations]) =>
      // A token of a mail is its own proof, mails and the desk are for operators; services and kinds of mail belong
      // to nobody.
      path.includes('{') && !/\{(token|mail|provider|purpose)\}|\/operator\//.test(path)
        ? Object.keys(operations).map((method) => [method.toUpperCase(), path] as const)
        : [],
    )
    expect(named.length).toBeGreaterThanOrEqual(5)
    for (const [method, path] of named) {
      const filled = path
        .replace('{tunnel}', tunnel)
        .replace('{key}', key)
        .replace('{agent}', agent)
        .replace('{audit}', entry)
        .replace('{part}', '1')
        .replace('{host}', 'db.tunnel.example.com')
        .replace('{port}', 'home:20010')
        .replace('{domain}', 'app.example.com')
        .replace('{certificate}', certificate)
        .replace('{member}', t.owner.member)
        .replace('{invitation}', invitation)
        .replace('{signIn}', signIn)
        .replace('{passkey}', passkey)
        .replace('{alert}', `alr_${'0'.repeat(26)}`)
        .replace('{window}', window)
        .replace('{webhook}', webhook)
        .replace('{delivery}', `dlv_${'0'.repeat(26)}`)
        .replace('{userCode}', 'BCDF-GHJK')
        .replace('{link}', `oidc.work:${'0'.repeat(64)}`)
      const change = wishes.find(([part]) => path.includes(part))?.[1] ?? { name: 'mine' }
      const kept = /\{(host|port|domain)\}/.test(path)
      const update = kept ? { tunnel: null } : change
      const posted = path.includes('{alert}') ? { act: 'acknowledge' } : move
      const json = method === 'PATCH' ? { json: update } : method === 'POST' ? { json: posted } : {}
      const answer = await t.call(method, filled, { token: t.eve, ...json })
      expect([method, path, answer.status]).toEqual([method, path, 404])
    }
    expect(await adasView()).toBe(before)
  })

  test('ids in bodies and queries open nothing', async () => {
    const { tunnel, lease } = await adasThings()
    const counts = { boot: quietSync.boot.boot, hour: 0, in: 1, out: 1, opened: 7, refused: 0 }
    const hour = t.clock.now() - (t.clock.now() % 3_600_000)
    await t.sync({ usage: [{ ...counts, tunnel, account: t.owner.account, hour }] })
    const before = await adasView()
    const eve = (method: string, path: string, json?: unknown) =>
      t.call(method, path, { token: t.eve, ...(json === undefined ? {} : { json }) })
    expect((await eve('POST', '/v1/watch', { tunnels: [tunnel] })).status).toBe(404)
    // 200 with nothing, as for a deleted tunnel: its owner can still ask for what it carried.
    const usage = `/v1/usage?tunnel=${tunnel}`
    expect(await (await eve('GET', usage)).json()).toMatchObject({ total: { opened: 0 }, tunnels: [] })
    expect(await (await t.call('GET', usage, { token: t.ada })).json()).toMatchObject({
      total: { opened: 7 },
    })
    const renewal = { agent, leases: [{ tunnel, epoch: lease.epoch }] }
    expect(await (await eve('POST', '/v1/leases/renew', renewal)).json()).toMatchObject({
      results: [{ problem: { code: 'PT-3014' } }],
    })
    expect((await eve('POST', '/v1/leases/release', { agent, tunnels: [tunnel] })).status).toBe(204)
    const port = lease.endpoint.port
    const claim = { agent, tunnels: [{ name: 'db', kind: 'tcp', port }], takeover: true }
    expect(await (await eve('POST', '/v1/leases', claim)).json()).toMatchObject({
      results: [{ problem: { code: 'PT-2302' } }],
    })
    expect(await adasView()).toBe(before)
  })

  test('a cursor of one order is refused in another', async () => {
    for (const name of ['a', 'b'])
      await t.call('POST', '/v1/tunnels', { token: t.ada, json: { name, kind: 'tcp' } })
    const read = (query: string) => t.call('GET', `/v1/tunnels?limit=1&${query}`, { token: t.ada })
    const orders = ['newest', 'name', 'trouble']
    for (const sort of orders) {
      const page = await (await read(`sort=${sort}`)).json()
      const { next } = z.object({ next: z.string() }).parse(page)
      for (const other of orders) {
        const answer = await read(`sort=${other}&cursor=${next}`)
        expect([sort, other, answer.status]).toEqual([sort, other, sort === other ? 200 : 400])
      }
    }
  })

  test('a cursor of one account is refused to another', async () => {
    await t.call('POST', '/v1/tunnels', { token: t.ada, json: { name: 'a', kind: 'tcp' } })
    await t.call('POST', '/v1/tunnels', { token: t.ada, json: { name: 'b', kind: 'tcp' } })
    const page = await (await t.call('GET', '/v1/tunnels?limit=1', { token: t.ada })).json()
    const { next } = z.object({ next: z.string() }).parse(page)
    const path = `/v1/tunnels?limit=1&cursor=${encodeURIComponent(next)}`
    expect((await t.call('GET', path, { token: t.ada })).status).toBe(200)
    expect(await (await t.call('GET', path, { token: t.eve })).json()).toMatchObject({ code: 'PT-0030' })
  })
})
