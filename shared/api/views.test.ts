/**
 * An operator who views an account reads what is marked as viewable, for half an hour, and changes nothing. The walk
 * goes over every route that the API describes, and looks at the whole database before and after.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { makeTestApi, type TestApi } from '../../standalone/testing/api.ts'
import { newId } from '../base/ids.ts'
import { accounts, users } from '../control/documents.ts'
import { addMember } from '../control/members.ts'
import { runAct } from '../control/operator/acts.ts'
import { operators, views } from '../control/operator/operator-documents.ts'
import { viewMs } from '../control/operator/views.ts'
import { Principals } from '../control/principals.ts'
import { freshMs } from '../control/sign-ins/fresh.ts'
import { signIns } from '../control/sign-ins/sign-in-documents.ts'

/** All that a view opens. A new route is closed; whoever opens one adds it here, and says in the review why. */
const open = [
  'GET /v1/account',
  'GET /v1/accounts',
  'GET /v1/address-change',
  'GET /v1/agents',
  'GET /v1/alert-rules',
  'GET /v1/alerts',
  'GET /v1/alerts/count',
  'GET /v1/alerts/{alert}',
  'GET /v1/audit',
  'GET /v1/domains',
  'GET /v1/domains/{domain}',
  'GET /v1/factors',
  'GET /v1/history',
  'GET /v1/invitations',
  'GET /v1/maintenance',
  'GET /v1/me',
  'GET /v1/members',
  'GET /v1/names',
  'GET /v1/names/{host}',
  'GET /v1/ports',
  'GET /v1/ports/{port}',
  'GET /v1/sign-ins',
  'GET /v1/tunnels',
  'GET /v1/tunnels/{tunnel}',
  'GET /v1/usage',
]
/** They belong to a person, so a view of the account alone does not show them. */
const ofPersons = ['GET /v1/accounts', 'GET /v1/address-change', 'GET /v1/factors', 'GET /v1/sign-ins']
/** They are the same for everybody. */
const public_ = [
  'GET /v1/health',
  'GET /v1/config',
  'GET /v1/plans',
  'GET /v1/jwks',
  'GET /.well-known/jwks.json',
  'GET /v1/mails/off/{token}',
  'GET /v1/report',
]

const password = 'correct horse battery'
const reason = 'they asked why a tunnel is offline'
let t: TestApi
let grace: { token: string; id: string }
let eve: string
beforeEach(async () => {
  t = await makeTestApi({ rates: { perCaller: 1e5, perAddress: 1e5 } })
  grace = await makeOperator('grace@example.com')
  eve = (await t.principals.authenticate(t.eve, '')).member
  await addMember(t.of(t.owner), { user: eve, role: 'viewer', actor: t.owner.actor })
  t.clock.advance(31_000)
})
afterEach(() => t.close())

async function makeOperator(email: string) {
  const { accessToken: token } = (await t.identity.register({ email, password }, { from: '' })).tokens
  const { member: id } = await t.principals.authenticate(token, '')
  await t.control.store.update(users.ref(id), { emailVerified: true })
  await act('operators.add', { who: id })
  t.clock.advance(31_000)
  return { token, id }
}

const act = (name: string, input: object) =>
  runAct({ control: t.control, enrolment: t.relayIdentity }, { act: name, input, operator: 'test' })

const codeSchema = z.object({ code: z.string() })
const viewSchema = z.object({ id: z.string(), endsAt: z.number() })

/** @returns the code of a refusal, or the status */
async function codeOf(answer: Response): Promise<string | number> {
  return answer.status < 300 ? answer.status : codeSchema.parse(await answer.json()).code
}

async function begin(asked: object = {}, token = grace.token) {
  const json = { account: t.owner.account, reason, ...asked }
  return t.call('POST', '/v1/operator/view', { token, json })
}

async function beginId(asked: object = {}): Promise<string> {
  return viewSchema.parse(await (await begin(asked)).json()).id
}

const through = (view: string, path: string, { method = 'GET', token = grace.token, ...more } = {}) =>
  t.call(method, path, { token, headers: { 'porttunneler-view': view }, ...more })

async function routes(): Promise<readonly string[]> {
  const { paths } = z
    .object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) })
    .parse(await (await t.call('GET', '/v1/openapi.json')).json())
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  )
}

/** Every document, but those that note that the operator is here. */
function database(): readonly string[] {
  const ours = new Set(['operatorViews', 'signIns'])
  return t
    .documents()
    .flatMap(({ collection, id, body }) => (ours.has(collection) ? [] : [`${collection} ${id} ${body}`]))
    .toSorted()
}

async function auditOf(action: string) {
  const found = await t.call('GET', `/v1/audit?action=${action}`, { token: t.readKey })
  return z
    .object({
      items: z.array(
        z.object({ actor: z.string(), target: z.string(), details: z.record(z.string(), z.unknown()) }),
      ),
    })
    .parse(await found.json()).items
}

test('through a view every route is closed but the reads of the list, and nothing in the database changes', async () => {
  const made = await t.call('POST', '/v1/tunnels', {
    token: t.ada,
    json: {
      name: 'db',
      kind: 'http',
      edits: { requestHeaders: { set: { authorization: 'Basic c2VjcmV0' } } },
    },
  })
  expect(made.status).toBe(201)
  const { id: tunnel } = z.object({ id: z.string() }).parse(await made.json())
  const key = await t.call('POST', '/v1/keys', { token: t.ada, json: { name: 'ci', scopes: ['read'] } })
  const { secret, hint } = z.object({ secret: z.string(), hint: z.string() }).parse(await key.json())
  const view = await beginId({ person: t.owner.member })
  const before = database()
  const seen = new Map<string, string | number>()
  let text = ''
  for (const route of await routes()) {
    const [method = '', path = ''] = route.split(' ')
    const json = method === 'GET' ? undefined : {}
    const filled = path.replace('{tunnel}', tunnel).replace(/\{(\w+)\}/, `$1_${'0'.repeat(26)}`)
    const answer = await through(view, filled, { method, json } as object)
    text += await answer.clone().text()
    seen.set(route, await codeOf(answer).catch(() => answer.status))
  }
  expect(database()).toEqual(before)
  const closed = [...seen].filter(([, code]) => code === 'PT-1140').map(([route]) => route)
  const shown = [...seen.keys()].filter((route) => !closed.includes(route))
  expect(shown.toSorted()).toEqual([...open, ...public_].toSorted())
  for (const route of open.filter((one) => !/\{(?!tunnel)/.test(one)))
    expect([route, seen.get(route)]).toEqual([route, 200])
  for (const word of [secret, `"hint":"${hint}"`, 'c2VjcmV0']) expect(text).not.toContain(word)
  expect(text).toContain('"name":"db"')
})

test('a view of the account shows it as an owner sees it, and nothing that belongs to a person', async () => {
  const view = await beginId()
  const me = await (await through(view, '/v1/me')).json()
  expect(me).toMatchObject({
    account: t.owner.account,
    role: 'owner',
    view: { endsAt: t.clock.now() + viewMs },
  })
  expect(me).not.toHaveProperty('email')
  expect(me).not.toHaveProperty('operator')
  for (const route of ofPersons)
    expect([route, await codeOf(await through(view, route.slice(4)))]).toEqual([route, 'PT-1140'])
})

test('a view of a member has the rights of that member, and the name of no other account', async () => {
  const view = await beginId({ person: eve })
  expect(await (await through(view, '/v1/me')).json()).toMatchObject({
    role: 'viewer',
    email: 'eve@example.com',
  })
  expect(await codeOf(await through(view, '/v1/audit'))).toBe('PT-1101')
  const { items } = z
    .object({ items: z.array(z.object({ id: z.string() })) })
    .parse(await (await through(view, '/v1/accounts')).json())
  expect(items).toEqual([{ id: t.owner.account }])
  const other = (await t.principals.authenticate(t.eve, '', { account: '' }).catch(() => undefined))?.account
  const named = await t.call('GET', '/v1/me', {
    token: grace.token,
    headers: { 'porttunneler-view': view, 'porttunneler-account': other ?? newId('acc', 1) },
  })
  expect(await named.json()).toMatchObject({ account: t.owner.account })
})

test('the audit log of the account has beginning, end and each route that was read, once and counted', async () => {
  const view = await beginId()
  for (const path of ['/v1/me', '/v1/tunnels', '/v1/tunnels?limit=1']) await through(view, path)
  // Refused, so nothing was read.
  for (const path of ['/v1/keys', '/v1/factors', '/v1/operator/view']) await through(view, path)
  t.clock.advance(60_000)
  expect((await t.call('DELETE', '/v1/operator/view', { token: grace.token })).status).toBe(204)
  const actor = `operator:${grace.id}`
  expect(await auditOf('view.began')).toEqual([{ actor, target: t.owner.account, details: { view, reason } }])
  expect(await auditOf('view.ended')).toEqual([
    {
      actor,
      target: t.owner.account,
      details: { view, why: 'by hand', seconds: 60, reads: { readMe: 1, listTunnels: 2 } },
    },
  ])
  for (let round = 0; round < 2; round++) {
    await t.runJobs()
    t.clock.advance(1_000)
  }
  expect(t.mails.map(({ to, subject }) => `${to}: ${subject}`)).toContain(
    'ada@example.com: An operator looked at "ada"',
  )
  expect((await t.call('DELETE', '/v1/operator/view', { token: grace.token })).status, 'again').toBe(204)
  expect(await auditOf('view.ended')).toHaveLength(1)
})

test('a member who was viewed hears of it beside the owners', async () => {
  await beginId({ person: eve })
  await t.call('DELETE', '/v1/operator/view', { token: grace.token })
  for (let round = 0; round < 6; round++) {
    await t.runJobs()
    t.clock.advance(1_000)
  }
  const told = t.mails.filter(({ subject }) => subject.startsWith('An operator looked'))
  expect(told.map(({ to }) => to).toSorted()).toEqual(['ada@example.com', 'eve@example.com'])
  // Both say so; a line of a mail ends anywhere.
  for (const { text } of told) expect(text.replace(/\s+/g, ' ')).toContain('as eve@example.com sees it')
})

test('a view ends after half an hour, whether or not anybody looks; and when another begins', async () => {
  const first = await beginId()
  const second = await beginId({ person: eve })
  expect(await codeOf(await through(first, '/v1/me'))).toBe('PT-1141')
  expect(await codeOf(await through(second, '/v1/me'))).toBe(200)
  t.clock.advance(viewMs - 60_000)
  await t.runJobs()
  expect(await t.control.store.get(views.ref(grace.id))).toBeDefined()
  t.clock.advance(60_000)
  await t.runJobs()
  expect(await t.control.store.get(views.ref(grace.id))).toBeUndefined()
  const ends = (await auditOf('view.ended')).map(({ details }) => details.why)
  expect(ends).toEqual(['half an hour is over', 'another began'])
})

test('time ends a view also while its job waits', async () => {
  const view = await beginId()
  const doc = await t.control.store.get(views.ref(grace.id))
  await t.control.store.update(views.ref(grace.id), { endsAt: t.clock.now() })
  expect(await codeOf(await through(view, '/v1/me'))).toBe('PT-1141')
  // A clock that was ahead made it last for ever.
  await t.control.store.update(views.ref(grace.id), { endsAt: (doc?.data.endsAt ?? 0) * 2 })
  expect(await codeOf(await through(view, '/v1/me'))).toBe('PT-1141')
})

test('it ends at once with the role, also in a process that knows the operator', async () => {
  const view = await beginId()
  const elsewhere = t.over(t.control, new Principals(t.control))
  const ask = () =>
    elsewhere.call('GET', '/v1/me', { token: grace.token, headers: { 'porttunneler-view': view } })
  expect(await codeOf(await ask())).toBe(200)
  await act('operators.remove', { who: grace.id })
  expect(await codeOf(await ask())).toBe('PT-1141')
  expect((await auditOf('view.ended')).map(({ details }) => details.why)).toEqual([
    'the operator lost the role',
  ])
  await act('operators.add', { who: grace.id })
  expect(await codeOf(await ask()), 'a role that comes back').toBe('PT-1141')
})

/** Who else tries, and what they are told. */
const attacks: readonly (readonly [string, () => Promise<Response>, string | number])[] = [
  ['an owner begins one', () => begin({}, t.ada), 'PT-1101'],
  ['a key begins one', () => begin({}, t.adminKey), 'PT-1107'],
  ['without a reason', () => begin({ reason: ' ' }), 'PT-0001'],
  ['of an account that does not exist', () => begin({ account: newId('acc', 1) }), 'PT-5303'],
  ['of a stranger to the account', () => begin({ person: newId('usr', 1) }), 'PT-5303'],
  [
    'through a view from within it',
    async () =>
      through(await beginId(), '/v1/operator/view', {
        method: 'POST',
        json: { account: t.owner.account, reason },
      } as object),
    'PT-1140',
  ],
  [
    "through an operator's view by somebody else",
    async () => through(await beginId(), '/v1/me', { token: t.eve }),
    'PT-1141',
  ],
  ['with a key', async () => through(await beginId(), '/v1/me', { token: t.adminKey }), 'PT-1107'],
  ['with an id that was made up', () => through(newId('viw', 1), '/v1/me'), 'PT-1141'],
  ['with an empty id', () => through('', '/v1/me'), 'PT-1141'],
  [
    'from another sign-in of the operator',
    async () => {
      const view = await beginId()
      const again = await t.identity.login({ email: 'grace@example.com', password }, { from: '' })
      return through(view, '/v1/me', { token: again.tokens.accessToken })
    },
    'PT-1141',
  ],
  [
    'with a sign-in that is no longer fresh',
    async () => {
      const { signIn: id = '' } = await t.identity.verify(grace.token)
      await t.control.store.update(signIns.ref(id), { freshAt: t.clock.now() - freshMs })
      t.clock.advance(31_000)
      return begin()
    },
    'PT-1016',
  ],
  [
    'of an operator',
    async () => {
      const { id } = await makeOperator('joan@example.com')
      await addMember(t.of(t.owner), { user: id, role: 'viewer', actor: 'test' })
      return begin({ person: id })
    },
    'PT-1142',
  ],
  [
    'of an account that an operator owns',
    async () => {
      const { id } = await makeOperator('joan@example.com')
      await addMember(t.of(t.owner), { user: id, role: 'owner', actor: 'test' })
      return begin()
    },
    'PT-1142',
  ],
  [
    'of a member who becomes an operator meanwhile',
    async () => {
      const view = await beginId({ person: eve })
      await t.control.store.create(operators.ref(eve), { state: 'active', since: 1, by: 'test' })
      return through(view, '/v1/me')
    },
    'PT-1142',
  ],
  [
    'of an account that is closed meanwhile',
    async () => {
      const view = await beginId()
      await t.control.store.update(accounts.ref(t.owner.account), { status: 'closed' })
      return through(view, '/v1/me')
    },
    'PT-1103',
  ],
]
test.each(attacks)('%s: refused', async (_, attempt, expected) => {
  expect(await codeOf(await attempt())).toBe(expected)
})

test('a suspended account can be viewed: its people ask why most of all', async () => {
  await act('accounts.suspend', { id: t.owner.account, reason: 'abuse of it' })
  expect(await codeOf(await through(await beginId(), '/v1/me'))).toBe(200)
})

test('ending the sign-in ends the view, because it has nothing to be used with', async () => {
  const view = await beginId()
  await t.call('POST', '/v1/auth/logout', { token: grace.token, json: { everywhere: true } })
  expect(await codeOf(await through(view, '/v1/me'))).toBe('PT-1001')
})
