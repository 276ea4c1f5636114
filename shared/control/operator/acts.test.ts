import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../../standalone/testing/control.ts'
import { audit } from '../audit-documents.ts'
import { chooseCell } from '../cell-choice.ts'
import { tcpEndpointId } from '../cells.ts'
import { endpoints, jobs, members, users } from '../documents.ts'
import type { Doc } from '../platform.ts'
import type { ActName } from './acts.ts'
import { runAct } from './acts.ts'

let t: TestControl
beforeEach(async () => {
  t = makeTestControl()
  await t.openCell()
})
afterEach(() => t.close())

const act = (name: ActName, input: object = {}) =>
  runAct({ control: t.control, enrolment: t.relayIdentity }, { act: name, input, operator: 'grace' })

const second = {
  id: 'second',
  host: 'two.example.com',
  domain: 'two.example.com',
  portFrom: 30_000,
  portTo: 30_004,
  httpScheme: 'https',
  httpPort: 443,
  tlsPort: 443,
}

/** Ids of audit entries, caught as they are written: entries without an account are in no account's list. */
const written: string[] = []
/** The audit's entries of an action. */
async function told(action: string): Promise<readonly Doc[]> {
  const found = await t.control.store.getAll(written.map((id) => audit.ref(id)))
  return found.flatMap((each) => (each?.data.action === action ? [JSON.parse(each.data.body ?? '{}')] : []))
}

beforeEach(() => {
  written.length = 0
  const { store } = t.control
  const transact = store.transact.bind(store)
  store.transact = (fn, options) =>
    transact(
      (tx) =>
        fn({
          ...tx,
          get: tx.get.bind(tx),
          query: tx.query.bind(tx),
          set: tx.set.bind(tx),
          update: tx.update.bind(tx),
          delete: tx.delete.bind(tx),
          create: (ref, data) => {
            if (ref.collection === 'audit') written.push(ref.id)
            tx.create(ref, data)
          },
        }),
      options,
    )
})

describe('cells', () => {
  test('a cell is made with a place for each port, takes a relay by its key, and is closed and opened', async () => {
    expect(await act('cells.create', second)).toMatchObject({ id: 'second', ports: '30000-30004' })
    const port = await t.control.store.get(endpoints.ref(tcpEndpointId('second', 30_004)))
    expect(port?.data.state).toBe('free')
    const { key } = (await act('enrolment.create', { cell: 'second' })) as { key: string }
    expect(await t.relayIdentity.enrol(key, 'r9')).toMatchObject({ cell: 'second' })
    expect(await act('cells.close', { id: 'home' })).toMatchObject({ state: 'closed' })
    await expect(chooseCell(t.control, { preferred: 'home' })).rejects.toMatchObject({ key: 'cell.none' })
    // A starting server applies its settings again, and does not open what was closed.
    await t.openCell()
    expect(await act('cells.list')).toMatchObject([{ id: 'second' }, { id: 'home', state: 'closed' }])
    await act('cells.open', { id: 'home' })
    expect(await chooseCell(t.control, { preferred: 'home' })).toMatchObject({ id: 'home' })
    expect(await told('cell.closed')).toMatchObject([
      { actor: 'operator:grace', target: 'home', account: '' },
    ])
  })

  test('the address of a balancer is shown, taken away again, and is one that visitors can reach', async () => {
    expect(await act('cells.create', { ...second, addresses: ['9.9.9.9'] })).toMatchObject({
      addresses: ['9.9.9.9'],
    })
    expect(await act('cells.change', { id: 'second', portTo: 30_003 })).toMatchObject({
      addresses: ['9.9.9.9'],
    })
    expect(await act('cells.change', { id: 'second', addresses: [] })).toMatchObject({ addresses: [] })
    for (const address of ['10.0.0.1', '192.0.2.1', 'eu.example.com', '::1'])
      await expect(act('cells.change', { id: 'second', addresses: [address] })).rejects.toMatchObject({
        key: 'operator.input',
      })
  })

  test('a smaller range withholds its ports; a second cell of one id and ports from high to low are refused', async () => {
    await act('cells.change', { id: 'home', portTo: 20_010 })
    const port = await t.control.store.get(endpoints.ref(tcpEndpointId('home', 20_011)))
    expect(port?.data.state).toBe('denied')
    await expect(act('cells.create', { ...second, id: 'home' })).rejects.toMatchObject({
      key: 'operator.exists',
    })
    // The names of its tunnels would be longer than ids may be.
    const domain = `${'a'.repeat(60)}.${'b'.repeat(20)}.example.com`
    const noDomains = [
      `${'a'.repeat(64)}.example`,
      '192.0.2.1',
      'a..example',
      '*.example.com',
      'm\u00fcnchen.de',
    ]
    const changes = [{ portFrom: 40_000 }, ...[domain, ...noDomains].map((one) => ({ domain: one }))]
    for (const change of changes)
      await expect(act('cells.create', { ...second, ...change })).rejects.toMatchObject({
        key: 'operator.input',
      })
    await expect(act('cells.close', { id: 'none' })).rejects.toMatchObject({ key: 'operator.missing' })
  })
})

test('a relay is listed, and drains by a command of its cell', async () => {
  const [relay] = (await act('relays.list')) as { relay: string }[]
  await act('relays.drain', { relay: relay?.relay })
  expect((await t.sync()).commands).toMatchObject([{ kind: 'drain', relay: relay?.relay }])
  await expect(act('relays.drain', { relay: 'rel_x' })).rejects.toMatchObject({ key: 'operator.missing' })
})

describe('accounts', () => {
  test('are found by id, person and address; suspended with a reason, resumed, and closed for good', async () => {
    const ada = await t.caller('ada@example.com')
    const id = ada.account
    for (const who of [id, ada.member, ' ADA@example.com '])
      expect(await act('accounts.find', { who })).toMatchObject([{ id, status: 'active' }])
    await expect(act('accounts.suspend', { id })).rejects.toMatchObject({ key: 'operator.input' })
    await act('accounts.suspend', { id, reason: 'phishing' })
    expect((await t.sync()).commands).toMatchObject([{ kind: 'suspend', account: id, suspended: true }])
    expect(await act('accounts.resume', { id })).toMatchObject({ status: 'active' })
    await act('accounts.close', { id, reason: 'asked by mail' })
    await expect(act('accounts.resume', { id })).rejects.toMatchObject({ key: 'account.closed' })
    expect(await told('account.suspended')).toMatchObject([
      { account: id, actor: 'operator:grace', details: { reason: 'phishing' } },
    ])
  })

  test('a plan and a single limit are changed, and an unknown plan or limit is refused', async () => {
    const { account: id } = await t.caller()
    expect(await act('accounts.plan', { id, plan: 'team' })).toMatchObject({ plan: 'team' })
    // A job ends what is above the new limits.
    expect(await t.control.store.get(jobs.ref(`limits:${id}`))).toBeDefined()
    const limit = 'tunnelsOnline'
    expect(await act('accounts.override', { id, limit, value: 7 })).toMatchObject({ limits: { [limit]: 7 } })
    expect(await act('accounts.override', { id, limit })).toMatchObject({
      limits: { [limit]: 50 },
      overrides: {},
    })
    await expect(act('accounts.override', { id, limit: 'x', value: 1 })).rejects.toMatchObject({
      key: 'operator.input',
    })
    await expect(act('accounts.plan', { id, plan: 'gold' })).rejects.toMatchObject({ key: 'plan.unknown' })
    expect(await told('account.plan')).toMatchObject([{ details: { from: 'pro', to: 'team' } }])
  })
})

test('people: a disabled person has no valid session, key or membership until enabled again', async () => {
  const ada = await t.caller('ada@example.com')
  const { ref, data: before } = (await t.control.store.get(users.ref(ada.member))) ?? {}
  const membership = members.ref(`${ada.account}:${ada.member}`)
  await act('people.disable', { who: 'ada@example.com', reason: 'stolen laptop' })
  const disabled = ref && (await t.control.store.get(ref))
  expect(disabled?.data.status).toBe('disabled')
  expect(disabled?.data.validSince).toBeGreaterThan(Math.max(before?.validSince ?? 0, t.clock.now()))
  expect((await t.control.store.get(membership))?.data.status).toBe('disabled')
  // A job ends what their keys serve.
  const unserve = jobs.ref(`unserve:${ada.account}:${ada.member}`)
  expect(await t.control.store.get(unserve)).toBeDefined()
  await act('people.enable', { who: ada.member })
  expect((await t.control.store.get(membership))?.data.status).toBe('active')
  // Earlier sessions stay over.
  expect((await t.control.store.get(users.ref(ada.member)))?.data.validSince).toBe(disabled?.data.validSince)
  await expect(act('people.disable', { who: 'nobody@example.com', reason: 'a test' })).rejects.toMatchObject({
    key: 'operator.missing',
  })
})

test('members: added by address, given another role, removed; the last owner stays', async () => {
  const ada = await t.caller('ada@example.com')
  const bob = await t.caller('bob@example.com')
  const { account } = ada
  const who = 'bob@example.com'
  t.clock.advance(1)
  await act('members.add', { account, who, role: 'viewer' })
  expect(await act('members.role', { account, who: bob.member, role: 'admin' })).toMatchObject([
    { role: 'owner' },
    { role: 'admin', email: who },
  ])
  expect(await act('members.remove', { account, who })).toHaveLength(1)
  await expect(act('members.remove', { account, who: ada.member })).rejects.toMatchObject({
    key: 'member.last_owner',
  })
  expect(await told('member.removed')).toMatchObject([
    { actor: 'operator:grace', account, target: bob.member },
  ])
})

test('jobs: a dead one is listed, tried again, and forgotten; a living one is left to its workers', async () => {
  const ada = await t.caller()
  const id = `account.close:${ada.account}`
  const dead = { state: 'dead', dueAt: 1, wanted: 1, attempts: 12, claim: '', error: 'PT-5203' } as const
  const doc = { account: ada.account, shard: 3, ...dead, body: {}, progress: {}, ttl: new Date(9e12) }
  await t.control.store.create(jobs.ref(id), doc)
  expect(await act('jobs.dead')).toMatchObject([{ id, attempts: 12, error: 'PT-5203' }])
  await act('jobs.retry', { id })
  const { ttl: _, ...live } = doc
  expect((await t.control.store.get(jobs.ref(id)))?.data).toEqual({
    ...live,
    state: 'live',
    attempts: 0,
    dueAt: t.clock.now(),
  })
  await expect(act('jobs.drop', { id })).rejects.toMatchObject({ key: 'operator.missing' })
  await t.runJobs()
  expect(await t.control.store.get(jobs.ref(id))).toBeUndefined()
  await t.control.store.create(jobs.ref(id), doc)
  await act('jobs.drop', { id })
  expect(await act('jobs.dead')).toEqual([])
})

describe('keys', () => {
  type Key = { readonly kid: string; readonly state: string }
  const list = async () => (await act('keys.list')) as Key[]
  const of = (keys: readonly Key[], state: string) => keys.find((key) => key.state === state)?.kid

  test('rotate: the next key signs at once, and the old one stays known', async () => {
    await t.control.signer.publicKeys()
    const before = await list()
    await act('keys.rotate')
    const after = await list()
    expect(of(after, 'active')).toBe(of(before, 'next'))
    expect(of(after, 'old')).toBe(of(before, 'active'))
    expect((await t.sync()).commands).toMatchObject([{ kind: 'keys' }])
  })

  test.each(['active', 'next'])(
    'leaked: the %s key is gone, relays hear which, and two are left',
    async (state) => {
      await t.control.signer.publicKeys()
      const before = await list()
      const kid = of(before, state)
      await act('keys.leaked', { kid, reason: 'it was in a backup' })
      const after = await list()
      expect(after.map((key) => key.kid)).not.toContain(kid)
      expect(after.map((key) => key.state)).toEqual(['active', 'next'])
      const { commands, keys } = await t.sync()
      expect(commands).toHaveLength(2)
      expect(commands).toContainEqual(expect.objectContaining({ kind: 'leaked', kid }))
      expect(commands).toContainEqual(expect.objectContaining({ kind: 'keys', version: keys.version }))
      expect(keys.jwks.keys.map((key) => key.kid)).not.toContain(kid)
      await expect(act('keys.leaked', { kid, reason: 'again' })).rejects.toMatchObject({
        key: 'operator.missing',
      })
    },
  )
})

test('operators: added by address, listed, removed', async () => {
  const ada = await t.caller('ada@example.com')
  await act('operators.add', { who: 'ada@example.com' })
  expect(await act('operators.list')).toEqual([
    { user: ada.member, email: 'ada@example.com', since: t.clock.now(), by: 'operator:grace' },
  ])
  await expect(act('operators.add', { who: ada.member })).rejects.toMatchObject({ key: 'operator.exists' })
  await act('operators.remove', { who: ada.member })
  expect(await act('operators.list')).toEqual([])
})

test('flags: a share, single accounts, a kill and its end, each in the audit', async () => {
  const flag = 'visitor-http2'
  const { account } = await t.caller('ada@example.com')
  const isOn = async () => (await t.control.flags.of(account)).includes(flag)
  expect(await act('flags.list')).toMatchObject([{ flag, state: 'on', in: [], out: [] }])
  expect(await act('flags.set', { flag, value: 'off' })).toMatchObject({ state: 'off' })
  expect(await isOn()).toBe(false)
  expect(await act('flags.set', { flag, value: 'on', account })).toMatchObject({ in: [account] })
  expect(await isOn()).toBe(true)
  await act('flags.set', { flag, value: 'off', account })
  expect(await act('flags.set', { flag, value: 12.5 })).toMatchObject({
    state: '12.5 %',
    in: [],
    out: [account],
  })
  await act('flags.set', { flag, value: 'share', account })
  await act('flags.set', { flag, value: 'on' })
  expect(await act('flags.kill', { flag, reason: 'it leaks' })).toMatchObject({ state: 'killed (on before)' })
  expect(await isOn()).toBe(false)
  expect((await t.sync()).flags).toMatchObject({ [flag]: { killed: true, percent: 100 } })
  expect(await act('flags.revive', { flag })).toMatchObject({ state: 'on' })
  expect(await told('flag.killed')).toMatchObject([{ target: flag, details: { reason: 'it leaks' } }])
  expect(await told('flag.changed')).toHaveLength(6)
  const refused: readonly [object, string][] = [
    [{ flag: 'toString', value: 'on' }, 'operator.missing'],
    [{ flag, value: 'on', account: 'acc_none' }, 'operator.missing'],
    [{ flag, value: 101 }, 'operator.input'],
    [{ flag, value: 'share' }, 'operator.input'],
    [{ flag, value: 50, account }, 'operator.input'],
  ]
  for (const [input, key] of refused) await expect(act('flags.set', input)).rejects.toMatchObject({ key })
  await expect(act('flags.kill', { flag })).rejects.toMatchObject({ key: 'operator.input' })
})

test('an unknown act or an invalid operator is refused', async () => {
  const office = { control: t.control, enrolment: t.relayIdentity }
  await expect(runAct(office, { act: 'toString', input: {}, operator: 'grace' })).rejects.toMatchObject({
    key: 'operator.input',
  })
  await expect(runAct(office, { act: 'cells.list', input: {}, operator: 'a b' })).rejects.toMatchObject({
    key: 'operator.input',
  })
})

test('people are found by the beginning of their address, and notes are kept about them and their accounts', async () => {
  const ada = await t.caller('ada@example.com')
  await t.caller('adam@example.com')
  await t.caller('bob@example.com')
  const emails = async (input: object) =>
    ((await act('people.find', input)) as { email: string }[]).map(({ email }) => email)
  expect(await emails({ who: 'ADA' })).toEqual(['ada@example.com', 'adam@example.com'])
  expect(await emails({ who: 'ada', limit: 1 })).toEqual(['ada@example.com'])
  expect(await act('people.find', { who: ada.member })).toMatchObject([{ accounts: [ada.account] }])
  expect(await emails({ who: 'zoe' })).toEqual([])
  const text = 'Wants an invoice by post.'
  const notes = await act('notes.add', { about: 'ada@example.com', text })
  expect(notes).toMatchObject([{ text, by: 'operator:grace' }])
  expect(await act('notes.list', { about: ada.member })).toEqual(notes)
  await act('notes.add', { about: ada.account, text: 'Pays late.' })
  expect(await act('notes.list', { about: ada.account })).toMatchObject([{ text: 'Pays late.' }])
  const [{ id }] = notes as [{ id: string }]
  expect(await act('notes.remove', { id })).toEqual({ id, state: 'removed' })
  expect(await act('notes.list', { about: ada.member })).toEqual([])
  expect(await told('note.added')).toHaveLength(2)
  for (const input of [
    { about: 'nobody@example.com', text },
    { about: 'acc_x', text },
  ])
    await expect(act('notes.add', input)).rejects.toMatchObject({ key: 'operator.missing' })
})
