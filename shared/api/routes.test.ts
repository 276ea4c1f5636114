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

/** One of Ada's tunnels. */
async function makeTunnel(name = 'db', kind = 'tcp'): Promise<string> {
  return idOf(await t.call('POST', '/v1/tunnels', { token: t.ada, json: { name, kind } }))
}

async function deviceCodes() {
  const answer = await t.call('POST', '/v1/device/authorize', {
    form: { client_id: 'ptun', device: 'laptop' },
  })
  return z.object({ device_code: z.string(), user_code: z.string() }).parse(await answer.json())
}

async function credential(): Promise<string> {
  const key = await t.relayIdentity.makeKey('home')
  return (await t.relayIdentity.enrol(key, 'r1')).credential
}

/** [request, status, code of the problem if there is one, how] */
type Row = readonly [string, number, ErrorKey | undefined, () => Promise<Response>]

const rows: readonly Row[] = [
  ['GET /v1/health', 200, undefined, () => t.call('GET', '/v1/health')],
  ['GET /v1/config', 200, undefined, () => t.call('GET', '/v1/config')],
  ['GET /v1/jwks', 200, undefined, () => t.call('GET', '/v1/jwks')],
  ['GET /v1/openapi.json', 200, undefined, () => t.call('GET', '/v1/openapi.json')],
  ['GET /v1/nowhere by a caller', 404, 'api.not_found', () => t.call('GET', '/v1/nowhere', { token: t.ada })],
  ['GET /v1/nowhere by a stranger', 404, 'api.not_found', () => t.call('GET', '/v1/nowhere')],

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
    'auth.person',
    () => t.call('DELETE', '/v1/account', { token: t.adminKey }),
  ],
  [
    'GET /v1/me after the account was deleted',
    403,
    'account.leaving',
    async () => {
      await t.call('DELETE', '/v1/account', { token: t.ada })
      return t.call('GET', '/v1/me', { token: t.ada })
    },
  ],
  [
    'GET /v1/me with a key of a deleted account',
    403,
    'account.leaving',
    async () => {
      await t.call('DELETE', '/v1/account', { token: t.ada })
      return t.call('GET', '/v1/me', { token: t.adminKey })
    },
  ],

  [
    'GET /v1/me with a key of a closed account',
    403,
    'account.closed',
    async () => {
      await setAccountStatus(t.control, t.owner.account, 'closed')
      return t.call('GET', '/v1/me', { token: t.adminKey })
    },
  ],
  [
    'GET /v1/me with a key of a closed account, when the job has run',
    401,
    'auth.invalid',
    async () => {
      await setAccountStatus(t.control, t.owner.account, 'closed')
      await t.runJobs()
      return t.call('GET', '/v1/me', { token: t.adminKey })
    },
  ],

  ['GET /v1/keys', 200, undefined, () => t.call('GET', '/v1/keys', { token: t.adminKey })],
  ['GET /v1/keys by a read key', 403, 'auth.scope', () => t.call('GET', '/v1/keys', { token: t.readKey })],
  [
    'GET /v1/keys, made-up cursor',
    400,
    'api.cursor',
    () => t.call('GET', `/v1/keys?cursor=WzEsImEiXQ.${'A'.repeat(43)}`, { token: t.ada }),
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
    'GET /v1/tunnels, searched and ordered',
    200,
    undefined,
    () => t.call('GET', '/v1/tunnels?search=d&state=offline,refused&kind=tcp&sort=trouble', { token: t.ada }),
  ],
  [
    'GET /v1/tunnels in a state that there is not',
    400,
    'api.invalid',
    () => t.call('GET', '/v1/tunnels?state=offline,broken', { token: t.ada }),
  ],
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
    'api.combination',
    () => t.call('POST', '/v1/leases/release', { token: t.tunnelsKey, json: { agent, tunnels: [] } }),
  ],

  ['GET /v1/usage', 200, undefined, () => t.call('GET', '/v1/usage', { token: t.readKey })],
  [
    'GET /v1/usage of a year',
    400,
    'api.combination',
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
    'auth.person',
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
