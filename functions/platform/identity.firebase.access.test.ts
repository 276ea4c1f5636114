/**
 * The matrix of shared/api/access-sign-in.test.ts where Firebase signs people in: which routes of `/v1/auth/` there
 * are, and what each answers to strangers, keys and people. What Firebase does itself is not there, whoever asks.
 */
import { controlOf } from '@porttunneler/shared/control/control'
import { createKey } from '@porttunneler/shared/control/keys'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { makeFirebaseSignIn } from '../testing/firebase-sign-in.ts'

type Row = readonly [route: string, status: number, code?: string | undefined, json?: object]

/** The body is the proof. */
const ofStrangers: readonly Row[] = [
  ['POST /v1/auth/passkey', 400, 'PT-0001', { none: 1 }],
  ['POST /v1/auth/passkey/options', 200],
]
/** A person's token gets this far; a key as far as a stranger. The last one ends the person's sign-ins. */
const ofSignIns: readonly Row[] = [
  ['POST /v1/auth/confirm', 401, 'PT-1001', { token: 'not one of Firebase' }],
  ['POST /v1/auth/logout', 204, undefined, { everywhere: true }],
]
/** They are Firebase's work, between it and the console. */
const ofFirebase = [
  'POST /v1/auth/register',
  'POST /v1/auth/register/confirm',
  'POST /v1/auth/login',
  'POST /v1/auth/refresh',
  'POST /v1/auth/password',
  'POST /v1/auth/password/reset',
  'POST /v1/auth/password/reset/confirm',
  'GET /v1/auth/links',
  'POST /v1/auth/links/work',
  'POST /v1/auth/links/work/finish',
  'DELETE /v1/auth/links/work',
  'POST /v1/auth/services/work',
  'POST /v1/auth/services/work/finish',
]

let t: Awaited<ReturnType<typeof makeFirebaseSignIn>>
let ada: string
let key: string
beforeEach(async () => {
  t = await makeFirebaseSignIn()
  ada = await t.token('ada@example.com', { email_verified: true })
  const caller = await t.principals.authenticate(ada, '192.0.2.1')
  const own = controlOf(t.control, caller.account)
  key = (await createKey(own, caller, { name: 'ci', scopes: ['read', 'tunnels', 'admin'] })).secret
})
afterEach(() => t.close())

async function ask([route, , , json]: Row, token?: string) {
  const [method = '', path = ''] = route.split(' ')
  const answer = await t.app.request(`https://tunnel.example.com${path}`, {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(json && { 'content-type': 'application/json' }),
    },
    ...(json && { body: JSON.stringify(json) }),
  })
  const isProblem = answer.headers.get('content-type')?.includes('problem') === true
  const code = isProblem ? z.object({ code: z.string() }).parse(await answer.json()).code : undefined
  return { status: answer.status, code }
}

test('access at Firebase: every route of signing in has its row here', async () => {
  const { paths } = z
    .object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) })
    .parse(await (await t.app.request('https://tunnel.example.com/v1/openapi.json')).json())
  const described = Object.entries(paths)
    .flatMap(([path, of]) => Object.keys(of).map((method) => `${method.toUpperCase()} ${path}`))
    .filter((route) => route.includes('/v1/auth/'))
  const known = [...ofStrangers, ...ofSignIns].map(([route]) => route)
  expect(described.toSorted()).toEqual(known.toSorted())
})

test('access at Firebase: a bearer changes nothing where the body is the proof', async () => {
  for (const row of ofStrangers)
    for (const token of [undefined, ada, key, 'made up']) {
      const [route, status, code] = row
      expect([route, await ask(row, token)]).toEqual([route, { status, code }])
    }
})

test('access at Firebase: what acts on a sign-in is for its person, and neither for keys nor for strangers', async () => {
  for (const row of ofSignIns) {
    const [route, status, code] = row
    for (const token of [undefined, key, 'made up'])
      expect([route, await ask(row, token)]).toEqual([route, { status: 401, code: 'PT-1001' }])
    expect([route, await ask(row, ada)]).toEqual([route, { status, code }])
  }
})

test('access at Firebase: what Firebase does itself is not there, whoever asks', async () => {
  for (const route of ofFirebase)
    for (const token of [undefined, ada, key])
      expect([route, await ask([route, 404], token)]).toEqual([route, { status: 404, code: 'PT-0002' }])
})
