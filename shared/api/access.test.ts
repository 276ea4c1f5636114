/**
 * The matrix: every route x every role and kind of key x own, foreign and no account x missing, expired and revoked
 * credentials. The expected results are written here a second time, on purpose; a route without a row fails.
 */
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { makeTestApi } from '../../standalone/testing/api.ts'
import { newId } from '../base/ids.ts'
import { controlOf } from '../control/control.ts'
import { authorizeDevice } from '../control/devices.ts'
import { members } from '../control/documents.ts'
import { addDomain } from '../control/domains/domains.ts'
import { createKey } from '../control/keys.ts'
import { addMember, createService } from '../control/members.ts'
import { queries } from '../control/query-table.ts'
import { reserveName, reservePort } from '../control/reserving.ts'
import { freshMs } from '../control/sign-ins/fresh.ts'
import { signIns } from '../control/sign-ins/sign-in-documents.ts'
import { invite } from '../control/team/invitations.ts'
import { alertIds, changingAlerts, ofAlerts } from '../testing/alert-access.ts'
import { freshOfOperators, ofOperators } from '../testing/operator-access.ts'
import type { Role, Scope } from './schemas/access.ts'

const agent = newId('agt', 1)
const nobody = newId('tun', 1)
const nobodysPasskey = {
  id: 'AA',
  rawId: 'AA',
  type: 'public-key',
  response: { clientDataJSON: 'AA', attestationObject: 'AA' },
}
const db = { name: 'db', kind: 'tcp' }

/**
 * o owner, a admin, d developer, b billing, v viewer; keys: R read, T tunnels, A admin, S a service member's, B bound
 * to the tunnel db.
 */
type Row = readonly [route: string, allowed: string, json?: object | undefined, status?: number]

const everybody = 'oadbv'
const rows: readonly Row[] = [
  ['GET /v1/me', `${everybody}RTASB`],
  ['GET /v1/account', `${everybody}RTASB`],
  ['PATCH /v1/account', 'oaA', { name: 'Lab' }],
  ['DELETE /v1/account', 'o'],
  // It asks nobody for a factor already.
  ['POST /v1/account/factor-policy', 'oa', { required: false }],
  ['POST /v1/account/export', 'o'],
  // Nobody has asked to delete it; owners are told so.
  ['POST /v1/account/keep', 'o', undefined, 409],
  ['POST /v1/feedback', `${everybody}RTASB`, { text: 'Good.' }],
  ['GET /v1/usage', `${everybody}RTASB`],
  ['GET /v1/history', `${everybody}RTASB`],
  ['GET /v1/billing', 'oabRA'],
  // Nothing is sold here; callers with the right are told so.
  ['GET /v1/billing/period', 'oabRA', undefined, 409],
  ['GET /v1/billing/invoices', 'oabRA'],
  ['POST /v1/billing/checkout', 'ob', { plan: 'pro', interval: 'month' }, 409],
  ['POST /v1/billing/portal', 'ob', undefined, 409],
  ['POST /v1/billing/change', 'ob', { plan: 'pro', interval: 'month' }, 409],
  ['POST /v1/billing/cap', 'ob', { cap: '1.00' }, 409],
  ['GET /v1/audit', 'oaRA'],
  // Nothing is sealed yet; callers with the right are told so.
  ['GET /v1/audit/{audit}/proof', 'oaRA', undefined, 409],
  // No export was requested.
  ['GET /v1/audit/export', 'oaRA', undefined, 404],
  ['GET /v1/audit/export/{part}', 'oaRA', undefined, 404],
  ['POST /v1/audit/export', 'oaRA', {}],
  ['GET /v1/members', `${everybody}RTASB`],
  ['POST /v1/members', 'oa', { name: 'ci', role: 'developer' }],
  ['PATCH /v1/members/{member}', 'oa', { role: 'viewer' }],
  ['DELETE /v1/members/{member}', 'oa'],
  // A service owns no account; callers with the right are told so.
  ['POST /v1/members/{member}/ownership', 'o', undefined, 403],
  // The member waits for nothing; callers with the right are told so.
  ['POST /v1/members/{member}/recovery', 'oa', undefined, 404],
  ['GET /v1/invitations', 'oaA'],
  ['POST /v1/invitations', 'oa', { email: 'new@example.com', role: 'viewer' }],
  ['DELETE /v1/invitations/{invitation}', 'oa'],
  ['GET /v1/keys', 'oadA'],
  ['POST /v1/keys', 'oad', { name: 'ci', scopes: ['read'] }],
  ['DELETE /v1/keys/{key}', 'oaA'],
  ['GET /v1/tunnels', `${everybody}RTASB`],
  ['POST /v1/tunnels', 'oadTAS', { name: 'new', kind: 'tcp' }],
  ['GET /v1/tunnels/{tunnel}', `${everybody}RTASB`],
  ['PATCH /v1/tunnels/{tunnel}', 'oadTASB', { agents: 'many' }],
  ['GET /v1/tunnels/{tunnel}/connections', 'oadRTASB'],
  ['DELETE /v1/tunnels/{tunnel}/connections', 'oadTASB'],
  ['DELETE /v1/tunnels/{tunnel}', 'oadTASB'],
  ['GET /v1/names', `${everybody}RTASB`],
  ['POST /v1/names', 'oadTAS', { name: 'shop' }],
  ['GET /v1/names/{host}', `${everybody}RTASB`],
  ['PATCH /v1/names/{host}', 'oadTAS', { tunnel: null }],
  // The same person has no other account there.
  ['POST /v1/names/{host}/move', 'oadTAS', { account: newId('acc', 1) }, 404],
  ['DELETE /v1/names/{host}', 'oadTAS'],
  ['GET /v1/ports', `${everybody}RTASB`],
  ['POST /v1/ports', 'oadTAS', { port: 20_011 }],
  ['GET /v1/ports/{port}', `${everybody}RTAS`],
  ['PATCH /v1/ports/{port}', 'oadTAS', { tunnel: null }],
  ['POST /v1/ports/{port}/move', 'oadTAS', { account: newId('acc', 1) }, 404],
  ['DELETE /v1/ports/{port}', 'oadTAS'],
  ['GET /v1/domains', `${everybody}RTASB`],
  ['POST /v1/domains', 'oadTAS', { host: 'www.example.com' }],
  ['GET /v1/domains/{domain}', `${everybody}RTASB`],
  ['PATCH /v1/domains/{domain}', 'oadTAS', { tunnel: null }],
  ['POST /v1/domains/{domain}/check', 'oadTAS'],
  ['DELETE /v1/domains/{domain}', 'oadTAS'],
  ...ofAlerts,
  // There is no authority here; callers with the right are told so.
  ['POST /v1/certificates', 'oadTASB', { host: 'app.example.com', csr: 'none' }, 409],
  ['GET /v1/certificates/{certificate}', 'oadTASB', undefined, 404],
  ['GET /v1/agents', `${everybody}RTASB`],
  // It serves nothing; callers with the right are told so.
  ['POST /v1/agents/{agent}/stop', 'oadTASB', undefined, 404],
  ['POST /v1/watch', 'oadRTASB', {}],
  ['POST /v1/leases', 'oadTASB', { agent, tunnels: [db] }],
  ['GET /v1/cells', 'oadTASB'],
  ['POST /v1/leases/renew', 'oadTASB', { agent, leases: [{ tunnel: nobody, epoch: 1 }] }],
  ['POST /v1/leases/release', 'oadTASB', { agent, tunnels: [nobody] }],
  ['POST /v1/leases/upstreams', 'oadTASB', { agent, upstreams: [{ tunnel: nobody, epoch: 1 }] }],
  // Nothing waits for this code; callers with the right are told so.
  ['GET /v1/device/{userCode}', 'oad', undefined, 404],
  ['POST /v1/device/decision', 'oad', { userCode: 'BCDF-GHJK', approve: true }, 404],
]
/** A person may always call these, whatever their roles. */
const ofPeople = [
  ['GET /v1/accounts', 200],
  ['POST /v1/person/export', 200],
  ['GET /v1/sign-ins', 200],
  ['DELETE /v1/sign-ins', 200],
  ['GET /v1/address-change', 200],
  ['GET /v1/person/terms', 200],
  ['GET /v1/person/mails', 200],
  ['DELETE /v1/address-change', 204],
] as const
/** The same, with a body. */
const withBody = [
  'POST /v1/address-change',
  'POST /v1/address-change/confirm',
  'POST /v1/person/terms',
  'PATCH /v1/person/mails/{purpose}',
]
/** The same; nothing has this id. */
const ofOne = ['DELETE /v1/sign-ins/{signIn}']
/** Second factors, of people who have none: a person gets this status, a key never gets so far. */
const ofFactors: readonly Row[] = [
  ['GET /v1/factors', '', undefined, 200],
  ['POST /v1/factors/show/options', '', undefined, 409],
  ['POST /v1/factors/show', '', { code: '000000' }, 403],
  ['POST /v1/factors/passkeys/options', '', undefined, 200],
  ['POST /v1/factors/passkeys', '', { name: 'x', attestation: nobodysPasskey }, 400],
  ['PATCH /v1/factors/passkeys/{passkey}', '', { name: 'x' }, 404],
  ['DELETE /v1/factors/passkeys/{passkey}', '', undefined, 404],
  ['POST /v1/factors/app/confirm', '', { code: '000000' }, 400],
  ['DELETE /v1/factors/app', '', undefined, 404],
  ['POST /v1/factors/app', '', undefined, 200],
  ['POST /v1/factors/codes', '', undefined, 409],
  ['POST /v1/factors/recovery', '', undefined, 409],
  ['POST /v1/factors/recovery/follow', '', { token: 'none' }, 404],
  ['DELETE /v1/factors/recovery', '', undefined, 204],
  ['POST /v1/factors/recovery/complete', '', undefined, 404],
]
/** The same; these are about their own sign-in, which nobody has asked to delete, or which owns a team. */
const ofOneself = [
  ['DELETE /v1/person', 'PT-1132'],
  ['POST /v1/person/keep', 'PT-1134'],
] as const
/** The same; these need an invitation, and say that there is none. */
const withInvitation = ['POST /v1/invitations/read', 'POST /v1/invitations/accept']
const withoutCaller = [
  'GET /v1/health',
  'GET /v1/config',
  'GET /v1/plans',
  'GET /v1/jwks',
  'GET /.well-known/jwks.json',
  'POST /v1/accounts',
  'POST /v1/address-change/stop',
  'GET /v1/report',
  'POST /v1/report',
  'POST /v1/wait-list',
  'POST /v1/wait-list/confirm',
  'GET /v1/mails/off/{token}',
  'POST /v1/mails/off/{token}',
  'POST /v1/device/authorize',
  'POST /v1/device/token',
  'POST /v1/relays/enrol',
  'POST /v1/relays/sync',
  'POST /v1/relays/me/certificates',
]

/**
 * Acts that outlast the right to them: each reads the membership again (control/still.ts), because a person's rights
 * may be 30 s old. A new route that changes something belongs here or in the next list.
 */
const lasting = [
  'POST /v1/billing/checkout',
  'POST /v1/billing/portal',
  'POST /v1/billing/change',
  'POST /v1/billing/cap',
  'DELETE /v1/account',
  'POST /v1/account/keep',
  'POST /v1/members',
  'PATCH /v1/members/{member}',
  'DELETE /v1/members/{member}',
  'POST /v1/members/{member}/ownership',
  'POST /v1/members/{member}/recovery',
  'POST /v1/account/factor-policy',
  'POST /v1/invitations',
  'DELETE /v1/invitations/{invitation}',
  'POST /v1/keys',
  'DELETE /v1/keys/{key}',
  'POST /v1/names/{host}/move',
  'POST /v1/ports/{port}/move',
  'POST /v1/device/decision',
  // No authority signs here, which is said first; agent-certificates.contract.ts has the test.
  'POST /v1/certificates',
]
/** What these make stays in the account, where those who have the right can undo it; or it soon ends by itself. */
const undoable = [
  'PATCH /v1/account',
  'POST /v1/feedback',
  'POST /v1/audit/export',
  'POST /v1/account/export',
  'POST /v1/tunnels',
  'PATCH /v1/tunnels/{tunnel}',
  'DELETE /v1/tunnels/{tunnel}',
  // As deleting the tunnel does.
  'DELETE /v1/tunnels/{tunnel}/connections',
  // Somebody starts it again.
  'POST /v1/agents/{agent}/stop',
  'POST /v1/names',
  'PATCH /v1/names/{host}',
  'DELETE /v1/names/{host}',
  'POST /v1/ports',
  'PATCH /v1/ports/{port}',
  'DELETE /v1/ports/{port}',
  ...changingAlerts,
  'POST /v1/domains',
  'PATCH /v1/domains/{domain}',
  'POST /v1/domains/{domain}/check',
  'DELETE /v1/domains/{domain}',
  'POST /v1/watch',
  'POST /v1/leases',
  'POST /v1/leases/renew',
  'POST /v1/leases/release',
  'POST /v1/leases/upstreams',
]

/**
 * What a stolen session is not enough for: these want a person who showed a moment ago who they are
 * (control/sign-ins/fresh.ts). A new route that changes something belongs here or is done by any session.
 */
const fresh: Readonly<Record<string, string>> = {
  'DELETE /v1/account': 'always',
  'POST /v1/billing/portal': 'always',
  'POST /v1/billing/change': 'unless it is a dry run',
  'POST /v1/billing/cap': 'always',
  'POST /v1/person/export': 'always',
  'POST /v1/account/export': 'always',
  'DELETE /v1/person': 'always',
  'POST /v1/account/factor-policy': 'always',
  'POST /v1/members/{member}/recovery': 'always',
  'POST /v1/factors/passkeys/options': 'always',
  'POST /v1/factors/passkeys': 'always',
  'DELETE /v1/factors/passkeys/{passkey}': 'always',
  'POST /v1/factors/app': 'always',
  'POST /v1/factors/app/confirm': 'always',
  'DELETE /v1/factors/app': 'always',
  'POST /v1/factors/codes': 'always',
  ...Object.fromEntries(freshOfOperators.map((route) => [route, 'always'])),
  'PATCH /v1/members/{member}': 'to make an owner',
  'POST /v1/members/{member}/ownership': 'always',
  'POST /v1/keys': 'for a key with the scope admin',
  'POST /v1/device/decision': 'to grant the scope admin',
  'DELETE /v1/sign-ins': 'always',
  'POST /v1/address-change': 'always',
  'GET /v1/mails/{mail}': 'always',
}
/** Read or change what any session may: it can be undone, or belongs to the daily work. */
const ofAnySession = [
  'POST /v1/operator/alerts/{alert}',
  'POST /v1/billing/checkout',
  ...undoable.filter((route) => !(route in fresh)),
  'POST /v1/members',
  'DELETE /v1/members/{member}',
  'POST /v1/invitations',
  'DELETE /v1/invitations/{invitation}',
  'POST /v1/invitations/read',
  'POST /v1/invitations/accept',
  'DELETE /v1/keys/{key}',
  'POST /v1/names/{host}/move',
  'POST /v1/ports/{port}/move',
  'POST /v1/certificates',
  'DELETE /v1/sign-ins/{signIn}',
  'DELETE /v1/address-change',
  'POST /v1/address-change/confirm',
  'POST /v1/person/terms',
  'PATCH /v1/person/mails/{purpose}',
  'POST /v1/account/keep',
  'POST /v1/person/keep',
  'PATCH /v1/factors/passkeys/{passkey}',
  'POST /v1/factors/show/options',
  'POST /v1/factors/show',
  'POST /v1/factors/recovery',
  'POST /v1/factors/recovery/follow',
  'POST /v1/factors/recovery/complete',
  'DELETE /v1/factors/recovery',
  'DELETE /v1/operator/view',
]

type World = Awaited<ReturnType<typeof makeWorld>>

/** An account with a member of every role, keys of every kind, a tunnel, and things to change and end. */
async function makeWorld() {
  const t = await makeTestApi({ rates: { perCaller: 100_000, perAddress: 100_000 } }, { plan: 'unlimited' })
  const { owner, control } = t
  const own = controlOf(control, owner.account)
  const join = async (role: Role) => {
    const given = { email: `${role}@example.com`, password: 'correct horse battery' }
    const { tokens } = await t.identity.register(given, { from: '' })
    const { account, member } = await t.principals.authenticate(tokens.accessToken, '')
    // People belong only to this account, so a request need not name it.
    await control.store.delete(members.ref(`${account}:${member}`))
    await addMember(own, { user: member, role, actor: owner.actor })
    return { token: tokens.accessToken, member }
  }
  const admin = await join('admin')
  const developer = await join('developer')
  const billing = await join('billing')
  const viewer = await join('viewer')
  const ci = await createService(own, owner, { name: 'ci', role: 'developer' })
  const other = await createService(own, owner, { name: 'other', role: 'viewer' })
  const keyOf = async (scopes: readonly Scope[], more: object = {}) =>
    createKey(own, owner, { name: 'k', scopes, ...more })
  const bound = await keyOf(['tunnels'], { tunnels: ['db'] })
  const service = await keyOf(['tunnels'], { member: ci.id })
  const victim = await keyOf(['read'])
  const made = await t.call('POST', '/v1/tunnels', { token: t.ada, json: db })
  const { id: tunnel } = z.object({ id: z.string() }).parse(await made.json())
  const log = await control.store.query(queries.auditOfAccount, {
    where: { account: owner.account },
    limit: 1,
  })
  const entry = log.items[0]?.ref.id ?? ''
  await reserveName(control, owner, { name: 'db' })
  await reservePort(control, owner, { port: 20_010 })
  await addDomain(control, owner, { host: 'app.example.com' })
  const invitation = await invite(control, owner, { email: 'guest@example.com', role: 'viewer' })
  // What people's memberships were before is forgotten.
  t.clock.advance(31_000)
  return {
    ...t,
    ids: {
      '{audit}': entry,
      '{account}': newId('acc', 1),
      '{person}': newId('usr', 1),
      '{note}': newId('not', 1),
      '{held}': newId('acc', 1),
      '{cell}': 'home',
      '{relay}': newId('rel', 1),
      '{invite}': newId('inv', 1),
      '{report}': newId('rep', 1),
      '{host}': 'db.tunnel.example.com',
      '{domain}': 'app.example.com',
      '{certificate}': `crt_${'0'.repeat(40)}`,
      '{port}': 'home:20010',
      '{part}': '1',
      '{tunnel}': tunnel,
      '{agent}': newId('agt', 9),
      ...alertIds,
      '{key}': victim.key.id,
      '{member}': other.id,
      '{invitation}': invitation.id,
      '{passkey}': '0'.repeat(64),
      '{mail}': '2026-01-01T00-00-00.000Z-01234567',
      '{userCode}': 'BCDF-GHJK',
      '{signIn}': '0'.repeat(64),
      '{purpose}': 'team',
    },
    viewer,
    tokens: {
      o: t.ada,
      a: admin.token,
      d: developer.token,
      b: billing.token,
      v: viewer.token,
      R: t.readKey,
      T: t.tunnelsKey,
      A: t.adminKey,
      S: service.secret,
      B: bound.secret,
    },
  }
}

const codeSchema = z.object({ code: z.string() })

async function ask(
  w: World,
  [route, , json]: Row,
  { token, account }: { readonly token?: string; readonly account?: string },
) {
  const [method = '', path = ''] = route.split(' ')
  const filled = Object.entries(w.ids).reduce((text, [name, id]) => text.replace(name, id), path)
  const headers = account === undefined ? {} : { 'porttunneler-account': account }
  const answer = await w.call(method, filled, { headers, ...(token && { token }), ...(json && { json }) })
  const problem = answer.headers.get('content-type')?.includes('problem')
    ? codeSchema.parse(await answer.json())
    : undefined
  return { status: answer.status, code: problem?.code }
}

async function inWorld(run: (w: World) => Promise<void>): Promise<void> {
  const w = await makeWorld()
  try {
    await run(w)
  } finally {
    await w.close()
  }
}

const refusals = new Set(['PT-1101', 'PT-1107'])

/** What deletes something goes last, and the account after all its parts. */
function endOf([route]: Row): number {
  return route === 'DELETE /v1/account' ? 2 : route.startsWith('DELETE ') ? 1 : 0
}

describe('access: every route by everybody', () => {
  test('every route of the description has its row here', () =>
    inWorld(async (w) => {
      const { paths } = z
        .object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) })
        .parse(await (await w.call('GET', '/v1/openapi.json')).json())
      const described = Object.entries(paths).flatMap(([path, operations]) =>
        Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
      )
      const known = [
        ...rows.map(([route]) => route),
        ...ofPeople.map(([route]) => route),
        ...ofOne,
        ...ofFactors.map(([route]) => route),
        ...ofOneself.map(([route]) => route),
        ...withBody,
        ...withInvitation,
        ...ofOperators.map(([route]) => route.replace(/\?.*/, '')),
        ...withoutCaller,
      ]
      // Those of signing in: access-sign-in.test.ts.
      expect(described.filter((route) => !route.includes('/v1/auth/')).toSorted()).toEqual(known.toSorted())
    }))

  test('every route: nobody but those of its row', () =>
    inWorld(async (w) => {
      const account = w.owner.account
      const foreign = (await w.principals.authenticate(w.eve, '')).account
      // Refused requests change nothing, so one world is enough for all of them.
      for (const row of rows) {
        const [route, allowed] = row
        for (const [who, token] of Object.entries(w.tokens)) {
          if (allowed.includes(who)) continue
          const { status, code = '' } = await ask(w, row, { token })
          expect([route, who, status, refusals.has(code)]).toEqual([route, who, 403, true])
        }
        const asked = async (by: Parameters<typeof ask>[2]) => [route, await ask(w, row, by)]
        expect(await asked({})).toEqual([route, { status: 401, code: 'PT-1001' }])
        expect(await asked({ token: 'pts_unknown' })).toEqual([route, { status: 401, code: 'PT-1001' }])
        // Another account seems not to exist, for its own people and keys alike.
        expect(await asked({ token: w.eve, account })).toEqual([route, { status: 404, code: 'PT-0002' }])
        for (const token of Object.values(w.tokens))
          expect(await asked({ token, account: foreign })).toEqual([route, { status: 404, code: 'PT-0002' }])
      }
    }))

  test('every route: who is in two accounts says which one; nothing works with what has ended', () =>
    inWorld(async (w) => {
      const account = w.owner.account
      const foreign = (await w.principals.authenticate(w.eve, '')).account
      const each = async (
        run: (row: Row, asked: (by: Parameters<typeof ask>[2]) => Promise<unknown>) => unknown,
      ) => {
        for (const row of rows) await run(row, async (by) => [row[0], await ask(w, row, by)])
      }
      await addMember(controlOf(w.control, foreign), { user: w.viewer.member, role: 'viewer', actor: 'test' })
      w.clock.advance(31_000)
      await each(async (row, asked) => {
        const [route, allowed] = row
        expect(await asked({ token: w.viewer.token })).toEqual([route, { status: 400, code: 'PT-1108' }])
        const named = await ask(w, row, { token: w.viewer.token, account })
        expect([route, refusals.has(named.code ?? '')]).toEqual([route, !allowed.includes('v')])
      })
      w.clock.advance(24 * 3_600_000)
      await each(async ([route], asked) =>
        expect(await asked({ token: w.ada })).toEqual([route, { status: 401, code: 'PT-1001' }]),
      )
      await w.control.store.delete(members.ref(`${account}:${w.owner.member}`))
      await each(async ([route], asked) => {
        for (const token of [w.readKey, w.tunnelsKey, w.adminKey, w.tokens.B])
          expect(await asked({ token })).toEqual([route, { status: 401, code: 'PT-1001' }])
      })
    }))

  const inOrder = [...rows].sort((one, other) => endOf(one) - endOf(other))
  test.each([...'oadbvRTASB'] as (keyof World['tokens'])[])('%s: may do what its rows say', (who) =>
    inWorld(async (w) => {
      const token = w.tokens[who]
      for (const row of inOrder) {
        const [route, allowed, , status] = row
        if (!allowed.includes(who)) continue
        const answer = await ask(w, row, { token })
        if (status !== undefined) expect([route, answer.status]).toEqual([route, status])
        else expect([route, answer, answer.status < 300]).toEqual([route, answer, true])
      }
    }),
  )

  test('every route that changes something says whether that outlasts the right', () => {
    const changing = rows.map(([route]) => route).filter((route) => !route.startsWith('GET '))
    expect([...lasting, ...undoable].toSorted()).toEqual(changing.toSorted())
  })

  test('a right that was taken away elsewhere a moment ago does nothing that lasts', () =>
    inWorld(async (w) => {
      const token = w.tokens.o
      const made = await w.call('POST', '/v1/keys', {
        token: w.tokens.d,
        json: { name: 'd', scopes: ['read'] },
      })
      const { id } = z.object({ id: z.string() }).parse(await made.json())
      const world = { ...w, ids: { ...w.ids, '{key}': id } }
      const { userCode } = await authorizeDevice(w.control, { device: 'x', scope: undefined, from: '' })
      const asked = (route: string): Row => {
        const json = rows.find(([known]) => known === route)?.[2]
        return [route, '', route.includes('decision') ? { ...json, userCode } : json]
      }
      expect((await ask(w, ['GET /v1/me', ''], { token })).status).toBe(200)
      // As another process does it: this one still knows an owner.
      const ref = members.ref(`${w.owner.account}:${w.owner.member}`)
      await w.control.store.update(ref, { role: 'viewer' })
      for (const route of lasting) {
        if (route === 'POST /v1/certificates') continue
        expect([route, await ask(world, asked(route), { token })]).toEqual([
          route,
          { status: 403, code: 'PT-1101' },
        ])
      }
    }))

  /** What a person's request to a route gets, with this code; a key gets PT-1107 and no credential 401. */
  type OfPerson = { readonly status: number; readonly code?: string }
  const isForPeople = async (w: World, row: Row, expected: OfPerson) => {
    const ofKey = { status: 403, code: 'PT-1107' }
    for (const [who, token] of Object.entries(w.tokens))
      expect([row[0], who, await ask(w, row, { token })]).toMatchObject([
        row[0],
        who,
        everybody.includes(who) ? expected : ofKey,
      ])
    expect([row[0], await ask(w, row, {})]).toMatchObject([row[0], { status: 401 }])
  }

  test('every route that changes something says whether it wants a fresh sign-in', () =>
    inWorld(async (w) => {
      const { paths } = z
        .object({ paths: z.record(z.string(), z.record(z.string(), z.record(z.string(), z.unknown()))) })
        .parse(await (await w.call('GET', '/v1/openapi.json')).json())
      const described = Object.entries(paths).flatMap(([path, operations]) =>
        Object.entries(operations).map(([method, more]) => ({
          route: `${method.toUpperCase()} ${path}`,
          ...more,
        })),
      )
      const asking = described.filter((one) => 'x-fresh' in one)
      const table = Object.fromEntries(asking.map((one) => [one.route, one['x-fresh' as keyof typeof one]]))
      expect(table).toEqual(fresh)
      const others = described.flatMap(({ route, ...one }) => {
        const access = 'x-access' in one ? one['x-access'] : ''
        const isOpen = access === 'public' || access === 'relay' || route.startsWith('GET ')
        return isOpen || route in fresh ? [] : [route]
      })
      expect(others.toSorted()).toEqual(ofAnySession.toSorted())
    }))

  test('what wants a fresh sign-in gets none that is older', () =>
    inWorld(async (w) => {
      const { signIn: id = '' } = await w.identity.verify(w.tokens.o)
      await w.control.store.update(signIns.ref(id), { freshAt: w.clock.now() - freshMs })
      w.clock.advance(31_000)
      const bodies: Readonly<Record<string, object>> = {
        'PATCH /v1/members/{member}': { role: 'owner' },
        'POST /v1/billing/change': { plan: 'pro', interval: 'month' },
        'POST /v1/billing/cap': { cap: '1.00' },
        'POST /v1/keys': { name: 'all', scopes: ['admin'] },
        'POST /v1/device/decision': { userCode: 'BCDF-GHJK', approve: true, scopes: ['admin'] },
        'POST /v1/address-change': { email: 'new@example.com' },
      }
      for (const [route, when] of Object.entries(fresh)) {
        const asked = await ask(w, [route, '', bodies[route]], { token: w.tokens.o })
        expect([route, when, asked]).toEqual([route, when, { status: 403, code: 'PT-1016' }])
      }
    }))

  test('what is about oneself: every person, and no key', () =>
    inWorld(async (w) => {
      for (const route of withInvitation)
        await isForPeople(w, [route, '', { token: 'none' }], { status: 404, code: 'PT-1116' })
      for (const route of withBody)
        await isForPeople(w, [route, '', { none: 1 }], { status: 400, code: 'PT-0001' })
      for (const [route, status] of ofPeople) await isForPeople(w, [route, ''], { status })
      for (const route of ofOne) await isForPeople(w, [route, ''], { status: 404, code: 'PT-0002' })
    }))

  test('second factors: every person, and no key', () =>
    inWorld(async (w) => {
      for (const row of ofFactors) await isForPeople(w, row, { status: row[3] ?? 0 })
    }))

  test.each(ofOneself)('%s: every person, and no key', (route, ofOwner) =>
    inWorld(async (w) => {
      for (const [who, token] of Object.entries(w.tokens)) {
        const { status, code } = await ask(w, [route, ''], { token })
        const isPerson = everybody.includes(who)
        if (who === 'o' || route.includes('keep'))
          expect([who, code]).toEqual([who, isPerson ? ofOwner : 'PT-1107'])
        else expect([who, status, code]).toEqual(isPerson ? [who, 204, undefined] : [who, 403, 'PT-1107'])
      }
      expect(await ask(w, [route, ''], {})).toMatchObject({ status: 401 })
    }),
  )

  test('what operators do: nobody else, however high their role', () =>
    inWorld(async (w) => {
      for (const [route, json] of ofOperators)
        await isForPeople(w, [route, '', json], { status: 403, code: 'PT-1101' })
    }))

  test('a developer sees and revokes only their own keys', () =>
    inWorld(async (w) => {
      const token = w.tokens.d
      const made = await w.call('POST', '/v1/keys', { token, json: { name: 'mine', scopes: ['read'] } })
      const { id } = z.object({ id: z.string() }).parse(await made.json())
      const { items } = z
        .object({ items: z.array(z.object({ id: z.string() })) })
        .parse(await (await w.call('GET', '/v1/keys', { token })).json())
      expect(items).toEqual([{ id }])
      expect((await w.call('DELETE', `/v1/keys/${w.ids['{key}']}`, { token })).status).toBe(403)
      expect((await w.call('DELETE', `/v1/keys/${id}`, { token })).status).toBe(204)
    }))

  test('owners are made and unmade by owners, a service owns nothing, and the last owner stays', () =>
    inWorld(async (w) => {
      const { a: admin, o: owner } = w.tokens
      const change = async (token: string, member: string, role: Role) => {
        const answer = await w.call('PATCH', `/v1/members/${member}`, { token, json: { role } })
        return answer.status === 204 ? 'done' : codeSchema.parse(await answer.json()).code
      }
      expect(await change(admin, w.viewer.member, 'owner')).toBe('PT-1101')
      expect(await change(admin, w.owner.member, 'viewer')).toBe('PT-1101')
      expect(await change(owner, w.ids['{member}'], 'owner')).toBe('PT-1101')
      expect(await change(owner, w.owner.member, 'viewer')).toBe('PT-1109')
      const leave = async () =>
        (await w.call('DELETE', `/v1/members/${w.owner.member}`, { token: owner })).status
      expect(await leave()).toBe(409)
      expect(await change(owner, w.viewer.member, 'owner')).toBe('done')
      expect(await leave()).toBe(204)
    }))

  test('a bound key sees, serves and changes only its own tunnels', () =>
    inWorld(async (w) => {
      const token = w.tokens.B
      const made = await w.call('POST', '/v1/tunnels', { token: w.ada, json: { name: 'web', kind: 'http' } })
      const { id } = z.object({ id: z.string() }).parse(await made.json())
      const list = await (await w.call('GET', '/v1/tunnels', { token })).json()
      expect(list).toMatchObject({ items: [{ name: 'db' }] })
      expect((await w.call('GET', `/v1/tunnels/${id}`, { token })).status).toBe(404)
      expect((await w.call('PATCH', `/v1/tunnels/${id}`, { token, json: { name: 'x' } })).status).toBe(404)
      expect((await w.call('DELETE', `/v1/tunnels/${id}`, { token })).status).toBe(404)
      expect((await w.call('POST', '/v1/watch', { token, json: { tunnels: [id] } })).status).toBe(404)
      const claim = async (tunnel: object) =>
        (await w.call('POST', '/v1/leases', { token, json: { agent, tunnels: [tunnel] } })).json()
      expect(await claim({ name: 'web', kind: 'http' })).toMatchObject({
        results: [{ problem: { code: 'PT-1101' } }],
      })
      expect(await claim({ kind: 'tcp' })).toMatchObject({ results: [{ problem: { code: 'PT-1101' } }] })
      expect(await claim(db)).toMatchObject({ results: [{ lease: { name: 'db' } }] })
    }))
})
