/**
 * The matrix of access.test.ts for the routes of signing in: where the body is the proof a bearer changes nothing, and
 * what acts on a sign-in takes a person's token alone. A route of signing in without a row fails.
 */
import { expect, test } from 'vitest'
import { z } from 'zod'
import { makeTestApi, type TestApi } from '../../standalone/testing/api.ts'

type Row = readonly [route: string, status: number, code?: string | undefined, json?: object]

/** Each refuses this body, or needs none. */
const ofStrangers: readonly Row[] = [
  ['POST /v1/auth/register', 400, 'PT-0001'],
  ['POST /v1/auth/register/confirm', 400, 'PT-0001'],
  ['POST /v1/auth/login', 400, 'PT-0001'],
  ['POST /v1/auth/refresh', 400, 'PT-0001'],
  ['POST /v1/auth/passkey', 400, 'PT-0001'],
  ['POST /v1/auth/passkey/options', 200],
  ['POST /v1/auth/password/reset', 400, 'PT-0001'],
  ['POST /v1/auth/password/reset/confirm', 400, 'PT-0001'],
  // No service is set up here.
  ['POST /v1/auth/services/{provider}', 404, 'PT-1030'],
  ['POST /v1/auth/services/{provider}/finish', 400, 'PT-0001'],
]
/** A person's token gets this far; a key gets as far as a stranger does. The last one ends the person's sign-ins. */
const ofSignIns: readonly Row[] = [
  ['POST /v1/auth/password', 401, 'PT-1002', { current: 'not it', next: 'another good long one' }],
  ['POST /v1/auth/confirm', 401, 'PT-1002', { password: 'not it' }],
  ['GET /v1/auth/links', 200],
  ['DELETE /v1/auth/links/{link}', 404, 'PT-0002'],
  ['POST /v1/auth/logout', 204, undefined, { everywhere: true }],
]
/** Without a service nothing can be linked; standalone/platform/oidc/routes.test.ts has one. */
const ofLinks = ['POST /v1/auth/links/{provider}', 'POST /v1/auth/links/{provider}/finish']

async function ask(t: TestApi, [route, , , json]: Row, token?: string) {
  const [method = '', path = ''] = route.split(' ')
  const answer = await t.call(method, path.replace('{link}', `oidc.work:${'0'.repeat(64)}`), {
    ...(token !== undefined && { token }),
    ...(json && { json }),
  })
  const isProblem = answer.headers.get('content-type')?.includes('problem') === true
  const code = isProblem ? z.object({ code: z.string() }).parse(await answer.json()).code : undefined
  return { status: answer.status, code }
}

async function withApi(run: (t: TestApi) => Promise<void>): Promise<void> {
  const t = await makeTestApi()
  try {
    await run(t)
  } finally {
    await t.close()
  }
}

test('access: every route of signing in has its row here', () =>
  withApi(async (t) => {
    const { paths } = z
      .object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) })
      .parse(await (await t.call('GET', '/v1/openapi.json')).json())
    const described = Object.entries(paths)
      .flatMap(([path, of]) => Object.keys(of).map((method) => `${method.toUpperCase()} ${path}`))
      .filter((route) => route.includes('/v1/auth/'))
    const known = [...[...ofStrangers, ...ofSignIns].map(([route]) => route), ...ofLinks]
    expect(described.toSorted()).toEqual(known.toSorted())
  }))

test('access: a bearer changes nothing where the body is the proof', () =>
  withApi(async (t) => {
    for (const [route, status, code] of ofStrangers)
      for (const token of [undefined, t.ada, t.adminKey, t.readKey, 'made up'])
        expect([route, await ask(t, [route, status, code, { none: 1 }], token)]).toEqual([
          route,
          { status, code },
        ])
  }))

test('access: what acts on a sign-in is for its person, and neither for keys nor for strangers', () =>
  withApi(async (t) => {
    for (const row of ofSignIns) {
      const [route, status, code] = row
      for (const token of [undefined, t.adminKey, t.readKey, 'made up'])
        expect([route, await ask(t, row, token)]).toEqual([route, { status: 401, code: 'PT-1001' }])
      for (const token of [t.ada, t.eve])
        expect([route, await ask(t, row, token)]).toEqual([route, { status, code }])
    }
    for (const route of ofLinks) expect(await ask(t, [route, 401])).toEqual({ status: 401, code: 'PT-1001' })
  }))
