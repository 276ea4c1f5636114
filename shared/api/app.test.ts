import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { makeTestApi, type TestApi } from '../../standalone/testing/api.ts'
import { quietSync } from '../../standalone/testing/control.ts'
import { codes, type ErrorKey } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import { setAccountStatus } from '../control/accounts.ts'
import { plans } from '../control/plans.ts'
import { problemSchema } from './schemas/common.ts'

let t: TestApi
beforeEach(async () => {
  t = await makeTestApi()
})
afterEach(() => t.close())

const agent = newId('agt', 1)
const nobody = newId('tun', 1)
const db = { name: 'db', kind: 'tcp' }
const idSchema = z.object({ id: z.string() })

async function idOf(response: Response): Promise<string> {
  return idSchema.parse(await response.json()).id
}

/** A tunnel of Ada's. */
async function makeTunnel(name = 'db', kind = 'tcp'): Promise<string> {
  return idOf(await t.call('POST', '/v1/tunnels', { token: t.ada, json: { name, kind } }))
}

async function deviceCodes() {
  const answer = await t.call('POST', '/v1/device/authorize', {
    form: { client_id: 'ptun', device: 'laptop' },
  })
  return z.object({ device_code: z.string(), user_code: z.string() }).parse(await answer.json())
}

const grant = 'urn:ietf:params:oauth:grant-type:device_code'
const poll = (deviceCode: string) =>
  t.call('POST', '/v1/device/token', {
    form: { grant_type: grant, client_id: 'ptun', device_code: deviceCode },
  })

async function credential(): Promise<string> {
  const key = await t.relayIdentity.makeKey('home')
  return (await t.relayIdentity.enrol(key, 'r1')).credential
}

/** [what is asked, status, code of the problem if it is one, how] */
type Row = readonly [string, number, ErrorKey | undefined, () => Promise<Response>]

const rows: readonly Row[] = [
  ['GET /v1/health', 200, undefined, () => t.call('GET', '/v1/health')],
  ['GET /v1/config', 200, undefined, () => t.call('GET', '/v1/config')],
  ['GET /v1/jwks', 200, undefined, () => t.call('GET', '/v1/jwks')],
  ['GET /v1/openapi.json', 200, undefined, () => t.call('GET', '/v1/openapi.json')],
  ['GET /v1/nowhere by a caller', 404, 'api.not_found', () => t.call('GET', '/v1/nowhere', { token: t.ada })],
  ['GET /v1/nowhere by a stranger', 401, 'auth.invalid', () => t.call('GET', '/v1/nowhere')],

  ['GET /v1/me of a person', 200, undefined, () => t.call('GET', '/v1/me', { token: t.ada })],
  ['GET /v1/me of a key', 200, undefined, () => t.call('GET', '/v1/me', { token: t.readKey })],
  ['GET /v1/me with a made-up key', 401, 'auth.invalid', () => t.call('GET', '/v1/me', { token: 'pts_x' })],
  ['GET /v1/me with a made-up token', 401, 'auth.invalid', () => t.call('GET', '/v1/me', { token: 'a.b.c' })],
  [
    'GET /v1/me of a suspended account',
    403,
    'account.suspended',
    async () => {
      await setAccountStatus(t.control, t.owner.account, 'suspended')
      return t.call('GET', '/v1/me', { token: t.ada })
    },
  ],

  ['GET /v1/account', 200, undefined, () => t.call('GET', '/v1/account', { token: t.readKey })],
  [
    'PATCH /v1/account',
    200,
    undefined,
    () => t.call('PATCH', '/v1/account', { token: t.adminKey, json: { name: 'Lab' } }),
  ],
  [
    'PATCH /v1/account, empty name',
    400,
    'api.invalid',
    () => t.call('PATCH', '/v1/account', { token: t.ada, json: { name: ' ' } }),
  ],
  [
    'PATCH /v1/account by a tunnels key',
    403,
    'auth.scope',
    () => t.call('PATCH', '/v1/account', { token: t.tunnelsKey, json: { name: 'Lab' } }),
  ],
  ['DELETE /v1/account', 204, undefined, () => t.call('DELETE', '/v1/account', { token: t.ada })],
  [
    'DELETE /v1/account by a key',
    403,
    'auth.scope',
    () => t.call('DELETE', '/v1/account', { token: t.adminKey }),
  ],
  [
    'GET /v1/me after closing',
    403,
    'account.closed',
    async () => {
      await t.call('DELETE', '/v1/account', { token: t.ada })
      return t.call('GET', '/v1/me', { token: t.ada })
    },
  ],
  [
    'GET /v1/me with a key of a closed account',
    401,
    'auth.invalid',
    async () => {
      await t.call('DELETE', '/v1/account', { token: t.ada })
      return t.call('GET', '/v1/me', { token: t.adminKey })
    },
  ],

  ['GET /v1/keys', 200, undefined, () => t.call('GET', '/v1/keys', { token: t.adminKey })],
  ['GET /v1/keys by a read key', 403, 'auth.scope', () => t.call('GET', '/v1/keys', { token: t.readKey })],
  [
    'GET /v1/keys, made-up cursor',
    400,
    'api.cursor',
    () => t.call('GET', '/v1/keys?cursor=WzEsImEiXQ.AAAA', { token: t.ada }),
  ],
  [
    'POST /v1/keys',
    201,
    undefined,
    () => t.call('POST', '/v1/keys', { token: t.ada, json: { name: 'ci', scopes: ['tunnels'] } }),
  ],
  [
    'POST /v1/keys, no scope',
    400,
    'api.invalid',
    () => t.call('POST', '/v1/keys', { token: t.ada, json: { name: 'ci', scopes: [] } }),
  ],
  [
    'POST /v1/keys by a tunnels key',
    403,
    'auth.scope',
    () => t.call('POST', '/v1/keys', { token: t.tunnelsKey, json: { name: 'ci', scopes: ['admin'] } }),
  ],
  [
    'POST /v1/keys beyond the plan',
    403,
    'key.limit',
    async () => {
      const make = () => t.call('POST', '/v1/keys', { token: t.ada, json: { name: 'ci', scopes: ['read'] } })
      for (let made = 3; made < plans.pro.keys; made++) await make()
      return make()
    },
  ],
  [
    'DELETE /v1/keys/{key} by itself',
    204,
    undefined,
    async () => {
      const { actor } = await t.principals.authenticate(t.readKey, '')
      return t.call('DELETE', `/v1/keys/${actor}`, { token: t.readKey })
    },
  ],
  [
    'DELETE /v1/keys/{key} of another key by a tunnels key',
    403,
    'auth.scope',
    async () => {
      const { actor } = await t.principals.authenticate(t.readKey, '')
      return t.call('DELETE', `/v1/keys/${actor}`, { token: t.tunnelsKey })
    },
  ],
  [
    "DELETE /v1/keys/{key} of somebody else's",
    404,
    'api.not_found',
    async () => {
      const { actor } = await t.principals.authenticate(t.readKey, '')
      return t.call('DELETE', `/v1/keys/${actor}`, { token: t.eve })
    },
  ],
  [
    'DELETE /v1/keys/{key}, no id',
    400,
    'api.invalid',
    () => t.call('DELETE', '/v1/keys/x', { token: t.ada }),
  ],

  ['GET /v1/tunnels', 200, undefined, () => t.call('GET', '/v1/tunnels', { token: t.readKey })],
  [
    'GET /v1/tunnels, limit beyond 100',
    400,
    'api.invalid',
    () => t.call('GET', '/v1/tunnels?limit=101', { token: t.ada }),
  ],
  [
    'POST /v1/tunnels',
    201,
    undefined,
    () => t.call('POST', '/v1/tunnels', { token: t.tunnelsKey, json: db }),
  ],
  [
    'POST /v1/tunnels by a read key',
    403,
    'auth.scope',
    () => t.call('POST', '/v1/tunnels', { token: t.readKey, json: db }),
  ],
  [
    'POST /v1/tunnels, a name taken',
    409,
    'tunnel.name_taken',
    async () => {
      await makeTunnel()
      return t.call('POST', '/v1/tunnels', { token: t.ada, json: db })
    },
  ],
  [
    'POST /v1/tunnels, a reserved name',
    403,
    'endpoint.name_denied',
    () => t.call('POST', '/v1/tunnels', { token: t.ada, json: { name: 'www', kind: 'http' } }),
  ],
  [
    'POST /v1/tunnels, an unknown field',
    400,
    'api.invalid',
    () => t.call('POST', '/v1/tunnels', { token: t.ada, json: { ...db, owner: 'eve' } }),
  ],
  [
    'POST /v1/tunnels, broken JSON',
    400,
    'api.invalid',
    () => t.call('POST', '/v1/tunnels', { token: t.ada, body: '{"name":' }),
  ],
  [
    'POST /v1/tunnels, not JSON',
    415,
    'api.media',
    () => t.call('POST', '/v1/tunnels', { token: t.ada, form: { name: 'db' } }),
  ],
  [
    'POST /v1/tunnels, too long',
    413,
    'api.too_large',
    () => t.call('POST', '/v1/tunnels', { token: t.ada, json: { ...db, more: 'x'.repeat(300_000) } }),
  ],
  [
    'GET /v1/tunnels/{tunnel}',
    200,
    undefined,
    async () => t.call('GET', `/v1/tunnels/${await makeTunnel()}`, { token: t.readKey }),
  ],
  [
    "GET /v1/tunnels/{tunnel}, somebody else's",
    404,
    'api.not_found',
    async () => t.call('GET', `/v1/tunnels/${await makeTunnel()}`, { token: t.eve }),
  ],
  [
    'PATCH /v1/tunnels/{tunnel}',
    200,
    undefined,
    async () =>
      t.call('PATCH', `/v1/tunnels/${await makeTunnel()}`, { token: t.ada, json: { name: 'other' } }),
  ],
  [
    'PATCH /v1/tunnels/{tunnel}, a policy with a wrong address',
    400,
    'api.invalid',
    async () =>
      t.call('PATCH', `/v1/tunnels/${await makeTunnel()}`, {
        token: t.ada,
        json: { policy: { allow: ['10.0.0.0/99'] } },
      }),
  ],
  [
    'PATCH /v1/tunnels/{tunnel}, changed meanwhile',
    412,
    'api.conflict',
    async () =>
      t.call('PATCH', `/v1/tunnels/${await makeTunnel()}`, {
        token: t.ada,
        json: { name: 'other' },
        headers: { 'if-match': '"7"' },
      }),
  ],
  [
    'PATCH /v1/tunnels/{tunnel}, a name taken',
    409,
    'tunnel.name_taken',
    async () => {
      await makeTunnel('other')
      return t.call('PATCH', `/v1/tunnels/${await makeTunnel()}`, { token: t.ada, json: { name: 'other' } })
    },
  ],
  [
    "PATCH /v1/tunnels/{tunnel}, somebody else's",
    404,
    'api.not_found',
    async () =>
      t.call('PATCH', `/v1/tunnels/${await makeTunnel()}`, { token: t.eve, json: { name: 'other' } }),
  ],
  [
    'DELETE /v1/tunnels/{tunnel}',
    204,
    undefined,
    async () => t.call('DELETE', `/v1/tunnels/${await makeTunnel()}`, { token: t.tunnelsKey }),
  ],
  [
    'DELETE /v1/tunnels/{tunnel} by a read key',
    403,
    'auth.scope',
    async () => t.call('DELETE', `/v1/tunnels/${await makeTunnel()}`, { token: t.readKey }),
  ],
  [
    "DELETE /v1/tunnels/{tunnel}, somebody else's",
    404,
    'api.not_found',
    async () => t.call('DELETE', `/v1/tunnels/${await makeTunnel()}`, { token: t.eve }),
  ],
  ['POST /v1/watch', 200, undefined, () => t.call('POST', '/v1/watch', { token: t.readKey, json: {} })],
  [
    "POST /v1/watch, somebody else's tunnel",
    404,
    'api.not_found',
    async () => t.call('POST', '/v1/watch', { token: t.eve, json: { tunnels: [await makeTunnel()] } }),
  ],

  [
    'POST /v1/leases',
    200,
    undefined,
    () => t.call('POST', '/v1/leases', { token: t.tunnelsKey, json: { agent, tunnels: [db] } }),
  ],
  [
    'POST /v1/leases, no agent',
    400,
    'api.invalid',
    () => t.call('POST', '/v1/leases', { token: t.tunnelsKey, json: { tunnels: [db] } }),
  ],
  [
    'POST /v1/leases by a read key',
    403,
    'auth.scope',
    () => t.call('POST', '/v1/leases', { token: t.readKey, json: { agent, tunnels: [db] } }),
  ],
  [
    'POST /v1/leases without a relay',
    503,
    'cell.none',
    async () => {
      await t.sync({ state: 'draining' })
      return t.call('POST', '/v1/leases', { token: t.ada, json: { agent, tunnels: [db] } })
    },
  ],
  [
    'POST /v1/leases/renew',
    200,
    undefined,
    () =>
      t.call('POST', '/v1/leases/renew', {
        token: t.tunnelsKey,
        json: { agent, leases: [{ tunnel: nobody, epoch: 1 }] },
      }),
  ],
  [
    'POST /v1/leases/renew by a read key',
    403,
    'auth.scope',
    () =>
      t.call('POST', '/v1/leases/renew', {
        token: t.readKey,
        json: { agent, leases: [{ tunnel: nobody, epoch: 1 }] },
      }),
  ],
  [
    'POST /v1/leases/release',
    204,
    undefined,
    () => t.call('POST', '/v1/leases/release', { token: t.tunnelsKey, json: { agent, tunnels: [nobody] } }),
  ],
  [
    'POST /v1/leases/release, an empty list',
    400,
    'api.invalid',
    () => t.call('POST', '/v1/leases/release', { token: t.tunnelsKey, json: { agent, tunnels: [] } }),
  ],

  ['GET /v1/usage', 200, undefined, () => t.call('GET', '/v1/usage', { token: t.readKey })],
  [
    'GET /v1/usage of a year',
    400,
    'api.invalid',
    () => t.call('GET', '/v1/usage?from=0&to=31536000000', { token: t.readKey }),
  ],

  [
    'POST /v1/device/authorize',
    200,
    undefined,
    () => t.call('POST', '/v1/device/authorize', { form: { client_id: 'ptun' } }),
  ],
  [
    'POST /v1/device/authorize as JSON',
    415,
    'api.media',
    () => t.call('POST', '/v1/device/authorize', { json: { client_id: 'ptun' } }),
  ],
  [
    'POST /v1/device/authorize of another client',
    400,
    'api.invalid',
    () => t.call('POST', '/v1/device/authorize', { form: { client_id: 'evil' } }),
  ],
  [
    'POST /v1/device/authorize, a flood',
    429,
    'api.rate',
    async () => {
      for (let n = 0; n < 60; n++) await deviceCodes()
      return t.call('POST', '/v1/device/authorize', { form: { client_id: 'ptun' } })
    },
  ],
  [
    'GET /v1/device/{userCode}',
    200,
    undefined,
    async () =>
      t.call('GET', `/v1/device/${(await deviceCodes()).user_code.toLowerCase()}`, { token: t.ada }),
  ],
  [
    'GET /v1/device/{userCode} by a key',
    403,
    'auth.scope',
    async () => t.call('GET', `/v1/device/${(await deviceCodes()).user_code}`, { token: t.adminKey }),
  ],
  [
    'GET /v1/device/{userCode}, mistyped',
    404,
    'device.unknown',
    () => t.call('GET', '/v1/device/BBBB-BBBB', { token: t.ada }),
  ],
  [
    'GET /v1/device/{userCode}, guessed',
    429,
    'device.guesses',
    async () => {
      const guess = () => t.call('GET', '/v1/device/BBBB-BBBB', { token: t.ada })
      for (let n = 0; n < 10; n++) await guess()
      return guess()
    },
  ],
  [
    'POST /v1/device/decision',
    204,
    undefined,
    async () => {
      const userCode = (await deviceCodes()).user_code
      return t.call('POST', '/v1/device/decision', { token: t.ada, json: { userCode, approve: true } })
    },
  ],
  [
    'POST /v1/device/decision, mistyped',
    404,
    'device.unknown',
    () => t.call('POST', '/v1/device/decision', { token: t.ada, json: { userCode: 'BBBB', approve: true } }),
  ],

  [
    'POST /v1/relays/enrol',
    201,
    undefined,
    async () =>
      t.call('POST', '/v1/relays/enrol', {
        json: { key: await t.relayIdentity.makeKey('home'), name: 'r1' },
      }),
  ],
  [
    'POST /v1/relays/enrol, made-up key',
    401,
    'relay.enrolment',
    () => t.call('POST', '/v1/relays/enrol', { json: { key: 'pte_x', name: 'r1' } }),
  ],
  [
    'POST /v1/relays/sync',
    200,
    undefined,
    async () => t.call('POST', '/v1/relays/sync', { token: await credential(), json: quietSync }),
  ],
  [
    'POST /v1/relays/sync without a credential, whatever the body',
    401,
    'auth.invalid',
    () => t.call('POST', '/v1/relays/sync', { json: {} }),
  ],
  [
    'POST /v1/relays/sync with an API key',
    401,
    'relay.unknown',
    () => t.call('POST', '/v1/relays/sync', { token: t.adminKey, json: quietSync }),
  ],
  [
    'POST /v1/relays/sync, a wrong body',
    400,
    'api.invalid',
    async () => t.call('POST', '/v1/relays/sync', { token: await credential(), json: {} }),
  ],
]

describe('api: every answer of every route', () => {
  test.each(rows)('%s: %i', async (_what, status, key, ask) => {
    const answer = await ask()
    const text = await answer.text()
    expect(answer.status, text).toBe(status)
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    expect(answer.headers.get('access-control-allow-origin')).toBeNull()
    if (key === undefined) return
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    const problem = problemSchema.parse(JSON.parse(text))
    const { code, title } = codes[key]
    expect(problem).toMatchObject({ code, title, status })
    expect(problem.type).toBe(`https://tunnel.example.com/errors/${code}`)
    expect(problem.instance).toBe(answer.headers.get('x-request-id'))
    if (status === 429) expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
  })
})

describe('api: what holds for all routes', () => {
  const documentSchema = z.object({
    openapi: z.literal('3.1.0'),
    paths: z.record(
      z.string(),
      z.record(
        z.string(),
        z.object({ security: z.array(z.record(z.string(), z.array(z.string()))).optional() }),
      ),
    ),
  })

  test('whatever the description says needs a bearer is refused without one, before the body is looked at', async () => {
    const { paths } = documentSchema.parse(await (await t.call('GET', '/v1/openapi.json')).json())
    const guarded = Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations)
        .filter(([, { security }]) => security?.every((each) => Object.keys(each).length > 0))
        .map(([method]) => [method.toUpperCase(), path.replace(/\{.*?\}/g, nobody)] as const),
    )
    expect(guarded.length).toBeGreaterThan(18)
    for (const [method, path] of guarded) {
      const answer = await t.call(method, path, method === 'GET' ? {} : { json: { nonsense: true } })
      expect([method, path, answer.status]).toEqual([method, path, path === '/v1/auth/password' ? 400 : 401])
    }
  })

  test('an invalid request says where it is wrong and never repeats what was sent', async () => {
    const answer = await t.call('POST', '/v1/tunnels', {
      token: t.ada,
      json: { name: 'Hunter2!', kind: 'tcp', policy: { deny: ['not-an-address-7'] } },
    })
    const text = await answer.text()
    const { issues, detail } = problemSchema.parse(JSON.parse(text))
    expect(issues?.map(({ path }) => path)).toEqual(['name', 'policy.deny.0'])
    expect(detail).toMatch(/^name: /)
    expect(text).not.toMatch(/Hunter2|not-an-address-7/)
  })

  test('limits are told in headers, and one caller beyond them does not slow another', async () => {
    await t.close()
    t = await makeTestApi({ rates: { perCaller: 3, perAddress: 1_000 } })
    for (const left of ['2', '1', '0'])
      expect((await t.call('GET', '/v1/me', { token: t.ada })).headers.get('ratelimit-remaining')).toBe(left)
    const refused = await t.call('GET', '/v1/me', { token: t.ada })
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '20'])
    expect((await t.call('GET', '/v1/me', { token: t.eve })).status).toBe(200)
    t.clock.advance(20_000)
    expect((await t.call('GET', '/v1/me', { token: t.ada })).status).toBe(200)
  })

  test('a failure that nobody foresaw answers 500 and tells nothing of its cause', async () => {
    const broken = async () => {
      throw new Error('secret inner state')
    }
    await t.close()
    t = await makeTestApi({ enrolment: { enrol: broken } })
    const answer = await t.call('POST', '/v1/relays/enrol', { json: { key: 'x', name: 'r1' } })
    expect(answer.status).toBe(500)
    expect(await answer.text()).not.toContain('inner state')
  })
})

describe('api: pages', () => {
  test('follow each other without gap or overlap, and a cursor is good for its own list and account only', async () => {
    const names = ['a', 'b', 'c', 'd', 'e']
    for (const name of names) {
      await makeTunnel(name)
      t.clock.advance(1)
    }
    const pageSchema = z.object({
      items: z.array(z.object({ name: z.string() })),
      next: z.string().optional(),
    })
    const read = async (cursor?: string) => {
      const query = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`
      return pageSchema.parse(
        await (await t.call('GET', `/v1/tunnels?limit=2${query}`, { token: t.ada })).json(),
      )
    }
    const first = await read()
    const second = await read(first.next)
    const third = await read(second.next)
    const seen = [first, second, third].flatMap(({ items }) => items.map(({ name }) => name))
    expect(seen).toEqual(names.toReversed())
    expect(third.next).toBeUndefined()
    const cursor = encodeURIComponent(first.next ?? '')
    for (const [path, token] of [
      [`/v1/tunnels?cursor=${cursor}`, t.eve],
      [`/v1/keys?cursor=${cursor}`, t.ada],
    ] as const)
      expect((await t.call('GET', path, { token })).status).toBe(400)
  })
})

describe('api: idempotency and preconditions', () => {
  const make = (key: string, json: object = db) =>
    t.call('POST', '/v1/tunnels', { token: t.ada, json, headers: { 'idempotency-key': key } })

  test('a repeated request answers the same and makes nothing twice, one after the other or at once', async () => {
    const answers = [await make('k1'), await make('k1')]
    expect(answers.map(({ status }) => status)).toEqual([201, 201])
    expect(await answers[0]?.text()).toBe(await answers[1]?.text())
    const racing = await Promise.all(Array.from({ length: 5 }, () => make('k2', { name: 'x', kind: 'tcp' })))
    expect(new Set(await Promise.all(racing.map((answer) => answer.text()))).size).toBe(1)
    const { items } = z
      .object({ items: z.array(z.unknown()) })
      .parse(await (await t.call('GET', '/v1/tunnels', { token: t.ada })).json())
    expect(items).toHaveLength(2)
  })

  test('a key that came with another request is refused, and forgotten after a day', async () => {
    await make('k1')
    const other = { name: 'other', kind: 'tcp' }
    expect((await make('k1', other)).status).toBe(409)
    t.clock.advance(24 * 3_600_000 + 1)
    const token = (
      await t.identity.login({ email: 'ada@example.com', password: 'correct horse battery' }, { from: '' })
    ).tokens.accessToken
    const later = await t.call('POST', '/v1/tunnels', {
      token,
      json: other,
      headers: { 'idempotency-key': 'k1' },
    })
    expect(later.status).toBe(201)
  })

  test('of a key the secret is shown once: a repeated request names the key and makes none', async () => {
    const ask = () =>
      t.call('POST', '/v1/keys', {
        token: t.ada,
        json: { name: 'ci', scopes: ['read'] },
        headers: { 'idempotency-key': 'k1' },
      })
    const all = await Promise.all(
      [ask(), ask(), ask()].map(async (sent) => {
        const answer = await sent
        return { status: answer.status, body: await answer.text() }
      }),
    )
    const made = all.filter(({ status }) => status === 201)
    expect(made).toHaveLength(1)
    const id = idSchema.parse(JSON.parse(made[0]?.body ?? '')).id
    for (const answer of all.filter(({ status }) => status !== 201)) {
      expect(answer.status).toBe(409)
      expect(answer.body).toContain(id)
      expect(answer.body).not.toContain('pts_')
    }
  })

  test('a claim of nameless tunnels repeated with its key gets the same tunnels', async () => {
    const json = { agent, tunnels: [{ kind: 'http' }, { kind: 'http' }] }
    const ask = async () => {
      const answer = await t.call('POST', '/v1/leases', {
        token: t.ada,
        json,
        headers: { 'idempotency-key': 'k1' },
      })
      const lease = z.object({ lease: z.object({ tunnel: z.string() }) })
      const { results } = z.object({ results: z.array(lease) }).parse(await answer.json())
      return results.map((result) => result.lease.tunnel)
    }
    const first = await ask()
    expect(new Set(first).size).toBe(2)
    expect(await ask()).toEqual(first)
  })

  test('an edit with the ETag that was read is made once, and the second editor hears of the first', async () => {
    const id = await makeTunnel()
    const etag = (await t.call('GET', `/v1/tunnels/${id}`, { token: t.ada })).headers.get('etag') ?? ''
    const edit = (name: string) =>
      t.call('PATCH', `/v1/tunnels/${id}`, { token: t.ada, json: { name }, headers: { 'if-match': etag } })
    const first = await edit('one')
    expect([first.status, first.headers.get('etag')]).toEqual([200, '"2"'])
    expect((await edit('two')).status).toBe(412)
  })
})

describe('api: device login', () => {
  const approve = (userCode: string, isApproved = true) =>
    t.call('POST', '/v1/device/decision', { token: t.ada, json: { userCode, approve: isApproved } })
  const errorOf = async (answer: Response) => z.object({ error: z.string() }).parse(await answer.json()).error

  test('a code that was approved gives a key that works, once', async () => {
    const { device_code, user_code } = await deviceCodes()
    expect(user_code).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/)
    expect(await errorOf(await poll(device_code))).toBe('authorization_pending')
    expect((await approve(user_code.replace('-', ' ').toLowerCase())).status).toBe(204)
    t.clock.advance(5_000)
    const granted = await poll(device_code)
    const token = z
      .object({ access_token: z.string(), token_type: z.literal('Bearer'), scope: z.string() })
      .parse(await granted.json())
    expect(token.scope).toBe('tunnels')
    expect((await t.call('GET', '/v1/me', { token: token.access_token })).status).toBe(200)
    t.clock.advance(5_000)
    expect(await errorOf(await poll(device_code))).toBe('invalid_grant')
    expect((await approve(user_code)).status).toBe(404)
  })

  test("polling too fast is told to slow down, a denied or expired code ends, and a broken form is OAuth's error", async () => {
    const fast = await deviceCodes()
    await poll(fast.device_code)
    expect(await errorOf(await poll(fast.device_code))).toBe('slow_down')
    t.clock.advance(5_000)
    expect(await errorOf(await poll(fast.device_code))).toBe('slow_down')
    const denied = await deviceCodes()
    await approve(denied.user_code, false)
    expect(await errorOf(await poll(denied.device_code))).toBe('access_denied')
    const late = await deviceCodes()
    t.clock.advance(15 * 60_000)
    expect(await errorOf(await poll(late.device_code))).toBe('expired_token')
    const broken = await t.call('POST', '/v1/device/token', { form: { client_id: 'ptun' } })
    expect([broken.status, await errorOf(broken)]).toEqual([400, 'invalid_request'])
  })
})
