/**
 * Deletions can be undone for two weeks and then leave nothing: a walk over the whole database looks for what is left.
 * They go on after a crash at any write. The attacks are a table.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type Call, makeTestApi, type TestApi } from '../../../standalone/testing/api.ts'
import { dyingAt } from '../../testing/dying-store.ts'
import { setAccountStatus } from '../accounts.ts'
import { identities, members, users } from '../documents.ts'
import { sendFeedback } from '../feedback.ts'
import { makeWorker } from '../jobs/kinds.ts'
import { addMember } from '../members.ts'
import { runAct } from '../operator/acts.ts'

const day = 24 * 3_600_000
const password = 'correct horse battery'

let t: TestApi
beforeEach(async () => {
  t = await makeTestApi()
})
afterEach(() => t.close())

const problemSchema = z.object({ code: z.string() })
/** The code of a refusal, or the status. */
async function ask(method: string, path: string, call: Call): Promise<string | number> {
  const answer = await t.call(method, path, call)
  return answer.status < 300 ? answer.status : problemSchema.parse(await answer.json()).code
}

async function signIn(email: string): Promise<string> {
  return (await t.identity.login({ email, password }, { from: '' })).tokens.accessToken
}

/** Signed in for 15 min at a time. @returns what the mails that came meanwhile were about */
async function pass(ms: number): Promise<readonly string[]> {
  const before = t.mails.length
  // In few steps: a round of all jobs takes long. A job may miss the round in which another asks for it, so there are
  // more rounds than a mail has steps.
  for (let left = ms; left > 0; left -= 5 * day) {
    t.clock.advance(Math.min(left, 5 * day))
    for (let round = 0; round < 6; round++) {
      await t.runJobs()
      t.clock.advance(1_000)
    }
  }
  const news = t.mails.slice(before).map(({ to, subject }) => `${to}: ${subject}`)
  return news.filter((line) => !line.includes('New API key'))
}

/** Eve is a developer in Ada's account, and has her own. */
async function makeTeam() {
  const eve = (await t.principals.authenticate(t.eve, '')).member
  const own = (await t.principals.authenticate(t.eve, '')).account
  await addMember(t.of(t.owner), { user: eve, role: 'developer', actor: t.owner.actor })
  t.clock.advance(31_000)
  return { eve, own, account: t.owner.account }
}

const inAccount = (account: string) => ({ 'porttunneler-account': account })

async function makeKey(token: string, account: string): Promise<string> {
  const json = { name: 'k', scopes: ['read'] }
  const answer = await t.call('POST', '/v1/keys', { token, json, headers: inAccount(account) })
  return z.object({ secret: z.string() }).parse(await answer.json()).secret
}

/** Every document that mentions one of the texts, as `collection: text`. */
function mentions(...texts: readonly string[]): readonly string[] {
  // What has expired is deleted by the next purge.
  const rows = t.documents().filter(({ ttl }) => ttl === null || ttl > t.clock.now())
  const found = rows.flatMap(({ collection, id, body }) =>
    texts.flatMap((text) => (`${id} ${body}`.includes(text) ? [`${collection}: ${text}`] : [])),
  )
  return [...new Set(found)].toSorted()
}

/**
 * These still have the id of an erased person, which leads to nobody: logs of teams and of the service, until their
 * retention ends; and what refuses old tokens, until they have all expired.
 */
const keptAWhile = ['audit', 'identities', 'knownDevices', 'refreshTokens']

describe('an account', () => {
  test('does nothing while it is being deleted, and is as before when that is undone', async () => {
    const token = t.ada
    expect(await ask('DELETE', '/v1/account', { token })).toBe(204)
    expect(await ask('DELETE', '/v1/account', { token }), 'again').toBe(204)
    for (const bearer of [t.ada, t.adminKey, t.tunnelsKey])
      expect(await ask('GET', '/v1/me', { token: bearer })).toBe('PT-1130')
    const choices = await (await t.call('GET', '/v1/accounts', { token })).json()
    expect(choices).toMatchObject({ items: [{ leavingAt: t.clock.now() + 14 * day }] })
    expect(await ask('POST', '/v1/account/export', { token })).toBe(200)
    expect(await pass(10_000)).toEqual(['ada@example.com: "ada" will be deleted'])
    expect(await ask('POST', '/v1/account/keep', { token: t.ada })).toBe(204)
    for (const bearer of [t.ada, t.adminKey]) expect(await ask('GET', '/v1/me', { token: bearer })).toBe(200)
    expect(await ask('POST', '/v1/account/keep', { token: t.ada })).toBe('PT-1134')
    expect(await pass(40 * day)).toEqual(['ada@example.com: "ada" will not be deleted'])
    expect(await ask('GET', '/v1/me', { token: t.adminKey })).toBe(200)
  })

  test('is erased after two weeks, and nothing but what bookkeeping needs is left', async () => {
    await t.call('POST', '/v1/tunnels', { token: t.ada, json: { name: 'db', kind: 'tcp' } })
    await t.call('POST', '/v1/domains', { token: t.ada, json: { host: 'app.example.com' } })
    await t.call('DELETE', '/v1/account', { token: t.ada })
    const told = [...(await pass(12 * day)), ...(await pass(3 * day))]
    expect(told).toEqual([
      'ada@example.com: "ada" will be deleted',
      'ada@example.com: "ada" is deleted in three days',
      'ada@example.com: "ada" is deleted',
    ])
    // Erasing waits for the last mail, and for the seal of the last entries.
    for (let n = 0; n < 3; n++) await pass(day)
    // Whose usage was billed, under which plan: an id and no name. The seals and the service's own log have ids.
    expect(mentions('ada@example.com', '"db"', 'app.example.com')).toEqual([])
    expect(mentions(t.owner.member)).toEqual(keptAWhile.map((name) => `${name}: ${t.owner.member}`))
    const left = ['accounts', 'audit', 'deletedTunnels'].map((name) => `${name}: ${t.owner.account}`)
    expect(mentions(t.owner.account)).toEqual(left)
    await expect(signIn('ada@example.com')).rejects.toMatchObject({ key: 'auth.credentials' })
  })

  test('that an operator suspends meanwhile stays suspended when its owner comes back', async () => {
    await t.call('DELETE', '/v1/account', { token: t.ada })
    const office = { control: t.control, enrolment: t.relayIdentity }
    const input = { id: t.owner.account, reason: 'abuse of it' }
    await runAct(office, { act: 'accounts.suspend', input, operator: 'grace' })
    expect(await ask('POST', '/v1/account/keep', { token: t.ada })).toBe(204)
    expect(await ask('GET', '/v1/me', { token: t.ada })).toBe('PT-1102')
    // Their data are theirs all the same.
    expect(await ask('POST', '/v1/account/export', { token: t.ada })).toBe(200)
    expect(await ask('DELETE', '/v1/account', { token: t.ada })).toBe(204)
    await runAct(office, { act: 'accounts.resume', input: { id: t.owner.account }, operator: 'grace' })
    expect(await ask('GET', '/v1/me', { token: t.ada })).toBe('PT-1130')
    expect(await ask('POST', '/v1/account/keep', { token: t.ada })).toBe(204)
    expect(await ask('GET', '/v1/me', { token: t.ada })).toBe(200)
  })
})

describe('a person', () => {
  test('is let in to undo or export alone, and then has back what was theirs', async () => {
    const { account, own } = await makeTeam()
    const key = await makeKey(t.eve, account)
    expect(await ask('DELETE', '/v1/person', { token: t.eve })).toBe(204)
    await pass(10_000)
    for (const [method, path] of [
      ['GET', '/v1/me'],
      ['GET', '/v1/tunnels'],
      ['DELETE', '/v1/person'],
      ['POST', '/v1/device/decision'],
    ] as const)
      expect(await ask(method, path, { token: t.eve, headers: inAccount(own) })).toBe('PT-1131')
    expect(await ask('GET', '/v1/me', { token: key })).toBe('PT-1001')
    expect(await ask('POST', '/v1/account/keep', { token: t.eve, headers: inAccount(own) })).toBe('PT-1134')
    expect(await ask('POST', '/v1/person/export', { token: t.eve })).toBe(200)
    const choices = await (await t.call('GET', '/v1/accounts', { token: t.eve })).json()
    expect(choices).toMatchObject({ leavingAt: expect.any(Number) })
    expect(await ask('POST', '/v1/person/keep', { token: t.eve })).toBe(204)
    expect(await pass(10_000)).toContain('eve@example.com: Your PortTunneler sign-in stays')
    for (const each of [account, own])
      expect(await ask('GET', '/v1/me', { token: t.eve, headers: inAccount(each) })).toBe(200)
    expect(await ask('GET', '/v1/me', { token: key })).toBe(200)
    await pass(20 * day)
    expect(
      await ask('GET', '/v1/me', { token: await signIn('eve@example.com'), headers: inAccount(own) }),
    ).toBe(200)
  })

  test('is erased after two weeks, with the account that was theirs alone; the team goes on', async () => {
    const { eve, own, account } = await makeTeam()
    await makeKey(t.eve, account)
    await sendFeedback(t.control, { account, actor: eve }, { text: 'Good.', attached: {} })
    const removed = identities.ref(`oidc.work:${'0'.repeat(64)}`)
    await t.control.store.set(removed, { user: '', removedFrom: eve })
    await t.call('DELETE', '/v1/person', { token: t.eve })
    const told = [...(await pass(10_000)), ...(await pass(10_000)), ...(await pass(16 * day))].filter(
      (line) => line.startsWith('eve@'),
    )
    expect(told).toEqual(
      expect.arrayContaining([
        'eve@example.com: Your PortTunneler sign-in will be deleted',
        'eve@example.com: Your PortTunneler sign-in is deleted in three days',
        'eve@example.com: "eve" will be deleted',
        'eve@example.com: Your PortTunneler sign-in is deleted',
      ]),
    )
    expect(told.filter((line) => line.endsWith('sign-in is deleted'))).toHaveLength(1)
    for (let n = 0; n < 3; n++) await pass(day)
    expect(mentions('eve@example.com')).toEqual([])
    expect(mentions(eve)).toEqual(keptAWhile.map((name) => `${name}: ${eve}`))
    expect(await t.control.store.get(removed), 'a service that they removed').toBeUndefined()
    expect(mentions(own)).toEqual([`accounts: ${own}`, `audit: ${own}`])
    expect(await ask('GET', '/v1/me', { token: t.adminKey })).toBe(200)
    await expect(signIn('eve@example.com')).rejects.toMatchObject({ key: 'auth.credentials' })
  })

  test.each(['before', 'after'] as const)(
    'is erased over a crash %s every write of the job',
    async (when) => {
      const { eve, own, account } = await makeTeam()
      await makeKey(t.eve, account)
      await t.call('DELETE', '/v1/person', { token: t.eve })
      const id = `person.leave:${eve}`
      const die = async () => {
        for (let n = 1; n <= 12; n++) {
          const dying = makeWorker({ ...t.control, store: dyingAt(t.control.store, n, when) }, 1)
          await dying.take([id]).catch(() => undefined)
          t.clock.advance(3_700_000)
        }
      }
      await die()
      await pass(11 * day)
      await die()
      await pass(3 * day)
      await die()
      for (let n = 0; n < 3; n++) await pass(day)
      expect(mentions('eve@example.com')).toEqual([])
      expect(mentions(own)).toEqual([`accounts: ${own}`, `audit: ${own}`])
      const team = await t.control.store.get(members.ref(`${account}:${eve}`))
      expect(team).toBeUndefined()
    },
  )

  test('an undoing is complete over a crash at every write', async () => {
    const { eve, own, account } = await makeTeam()
    await t.call('DELETE', '/v1/person', { token: t.eve })
    await pass(day)
    await t.call('POST', '/v1/person/keep', { token: await signIn('eve@example.com') })
    for (let n = 1; n <= 8; n++) {
      const dying = makeWorker({ ...t.control, store: dyingAt(t.control.store, n, 'after') }, 1)
      await dying.take([`person.leave:${eve}`]).catch(() => undefined)
      t.clock.advance(3_700_000)
    }
    await pass(20 * day)
    const token = await signIn('eve@example.com')
    for (const each of [account, own])
      expect(await ask('GET', '/v1/me', { token, headers: inAccount(each) })).toBe(200)
  })
})

describe('a person who belongs to no account any more', () => {
  /** Eve has left Ada's team and, as a guest would, has no account of her own. */
  async function leaveLast() {
    const { eve, own, account } = await makeTeam()
    await t.control.store.delete(members.ref(`${own}:${eve}`))
    Object.assign(t.control.settings, { registration: 'closed' })
    t.clock.advance(31_000)
    const headers = inAccount(account)
    expect(await ask('DELETE', `/v1/members/${eve}`, { token: t.eve, headers })).toBe(204)
    return eve
  }
  const leavingOf = async (id: string) => (await t.control.store.get(users.ref(id)))?.data.leaving

  test('is told, signs in meanwhile, and is erased after two weeks', async () => {
    const eve = await leaveLast()
    expect(await pass(10_000)).toContain('eve@example.com: Your PortTunneler sign-in will be deleted')
    expect(t.mails.findLast(({ to }) => to === 'eve@example.com')?.text).toContain('You belong to no')
    expect(await leavingOf(eve)).toMatchObject({ isAlone: true })
    expect(await ask('GET', '/v1/accounts', { token: await signIn('eve@example.com') })).toBe(200)
    await pass(16 * day)
    for (let n = 0; n < 3; n++) await pass(day)
    expect(mentions('eve@example.com')).toEqual([])
    await expect(signIn('eve@example.com')).rejects.toMatchObject({ key: 'auth.credentials' })
  })

  test('stays with an account of their own, or with an invitation, for good', async () => {
    const eve = await leaveLast()
    await pass(10_000)
    Object.assign(t.control.settings, { registration: 'open' })
    expect(await ask('GET', '/v1/me', { token: await signIn('eve@example.com') })).toBe(200)
    expect(await leavingOf(eve)).toBeUndefined()
    await pass(16 * day)
    expect(await ask('GET', '/v1/me', { token: await signIn('eve@example.com') })).toBe(200)
  })

  test('stays when an operator, and when they still belong to another account', async () => {
    const { eve, account } = await makeTeam()
    const headers = inAccount(account)
    expect(await ask('DELETE', `/v1/members/${eve}`, { token: t.eve, headers })).toBe(204)
    await pass(10_000)
    expect(await leavingOf(eve)).toBeUndefined()
  })
})

const attacks: readonly (readonly [string, () => Promise<unknown>, unknown])[] = [
  [
    'the last owner of a team leaves it without one',
    async () => {
      await makeTeam()
      return ask('DELETE', '/v1/person', { token: t.ada })
    },
    'PT-1132',
  ],
  [
    'the other owner leaves at the same time',
    async () => {
      const { eve, account } = await makeTeam()
      const store = t.control.store
      await store.update(members.ref(`${account}:${eve}`), { role: 'owner' })
      await Promise.all([t.ada, t.eve].map((token) => t.call('DELETE', '/v1/person', { token })))
      await pass(day)
      const left = await Promise.all([eve, t.owner.member].map((id) => store.get(users.ref(id))))
      return left.filter((one) => one?.data.leaving === undefined).length
    },
    1,
  ],
  [
    'an operator deletes their sign-in, and with it the trace of what they may do',
    async () => {
      const office = { control: t.control, enrolment: t.relayIdentity }
      await runAct(office, { act: 'operators.add', input: { who: 'eve@example.com' }, operator: 'grace' })
      return ask('DELETE', '/v1/person', { token: t.eve })
    },
    'PT-1133',
  ],
  [
    'a key deletes the person who made it',
    () => ask('DELETE', '/v1/person', { token: t.adminKey }),
    'PT-1107',
  ],
  ['a key deletes the account', () => ask('DELETE', '/v1/account', { token: t.adminKey }), 'PT-1107'],
  [
    'an admin deletes the account, or undoes it',
    async () => {
      const { eve, account } = await makeTeam()
      await t.control.store.update(members.ref(`${account}:${eve}`), { role: 'admin' })
      t.clock.advance(31_000)
      const asked = { token: t.eve, headers: inAccount(account) }
      const first = await ask('DELETE', '/v1/account', asked)
      await t.call('DELETE', '/v1/account', { token: t.ada })
      return [first, await ask('POST', '/v1/account/keep', asked)]
    },
    ['PT-1101', 'PT-1101'],
  ],
  [
    'a stranger exports, deletes or keeps it',
    async () => {
      const asked = { token: t.eve, headers: inAccount(t.owner.account) }
      const said = []
      for (const [method, path] of [
        ['DELETE', '/v1/account'],
        ['POST', '/v1/account/keep'],
        ['POST', '/v1/account/export'],
      ] as const)
        said.push(await ask(method, path, asked))
      return said
    },
    ['PT-0002', 'PT-0002', 'PT-0002'],
  ],
  [
    'what an operator has closed is kept by its owner',
    async () => {
      await t.call('DELETE', '/v1/account', { token: t.ada })
      await setAccountStatus(t.control, t.owner.account, 'closed')
      return ask('POST', '/v1/account/keep', { token: t.ada })
    },
    'PT-1103',
  ],
  [
    'a person whom an operator disabled in a team comes back by undoing',
    async () => {
      const { eve, account } = await makeTeam()
      await t.control.store.update(members.ref(`${account}:${eve}`), { status: 'disabled' })
      await t.call('DELETE', '/v1/person', { token: t.eve })
      await pass(10_000)
      await t.call('POST', '/v1/person/keep', { token: t.eve })
      await pass(10_000)
      return (await t.control.store.get(members.ref(`${account}:${eve}`)))?.data.status
    },
    'disabled',
  ],
  [
    'a person who is leaving gets a new account by signing in, or joins a team',
    async () => {
      await t.call('DELETE', '/v1/person', { token: t.eve })
      const token = await signIn('eve@example.com')
      return [
        await ask('POST', '/v1/invitations/accept', { token, json: { token: 'x' } }),
        await ask('POST', '/v1/accounts', { token, json: { code: 'x' } }),
      ]
    },
    ['PT-1131', 'PT-1131'],
  ],
]

test.each(attacks)('attack: %s', async (_, act, said) => {
  expect(await act()).toEqual(said)
})
