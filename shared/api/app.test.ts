import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { makeTestApi, type TestApi } from '../../standalone/testing/api.ts'
import { newId } from '../base/ids.ts'
import { silentLog } from '../base/log.ts'
import { makeApi } from './app.ts'
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
const grant = 'urn:ietf:params:oauth:grant-type:device_code'

/** One of Ada's tunnels. */
async function makeTunnel(name = 'db'): Promise<string> {
  const made = await t.call('POST', '/v1/tunnels', { token: t.ada, json: { name, kind: 'tcp' } })
  return idSchema.parse(await made.json()).id
}

async function deviceCodes() {
  const answer = await t.call('POST', '/v1/device/authorize', {
    form: { client_id: 'ptun', device: 'laptop' },
  })
  return z.object({ device_code: z.string(), user_code: z.string() }).parse(await answer.json())
}

const poll = (deviceCode: string) =>
  t.call('POST', '/v1/device/token', {
    form: { grant_type: grant, client_id: 'ptun', device_code: deviceCode },
  })

describe('api: rules for all routes', () => {
  const documentSchema = z.object({
    openapi: z.literal('3.1.0'),
    paths: z.record(
      z.string(),
      z.record(
        z.string(),
        z.object({
          operationId: z.string(),
          security: z.array(z.record(z.string(), z.array(z.string()))).optional(),
        }),
      ),
    ),
  })

  test('every route that needs a bearer refuses requests without one, before it looks at the body', async () => {
    const { paths } = documentSchema.parse(await (await t.call('GET', '/v1/openapi.json')).json())
    const guarded = Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations)
        .filter(
          ([, { security }]) => security?.length && security.every((each) => Object.keys(each).length > 0),
        )
        .map(([method]) => [method.toUpperCase(), path.replace(/\{.*?\}/g, nobody)] as const),
    )
    expect(guarded.length).toBeGreaterThan(18)
    for (const [method, path] of guarded) {
      const answer = await t.call(method, path, method === 'GET' ? {} : { json: { nonsense: true } })
      expect([method, path, answer.status]).toEqual([method, path, 401])
    }
  })

  test('every operation has an id of its own, a verb and a thing, for generated clients', async () => {
    const { paths } = documentSchema.parse(await (await t.call('GET', '/v1/openapi.json')).json())
    const ids = Object.values(paths).flatMap((path) =>
      Object.values(path).map(({ operationId }) => operationId),
    )
    expect(ids.length).toBeGreaterThan(30)
    expect(new Set(ids).size).toBe(ids.length)
    for (const id of ids) expect(id).toMatch(/^[a-z]+([A-Z][a-z]+)*$/)
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

  test('an invalid name is refused with the code of its fault', async () => {
    for (const [name, code] of [
      ['Shop', 'PT-2405'],
      ['a'.repeat(41), 'PT-2406'],
      ['shop-', 'PT-2407'],
      ['ab--cd', 'PT-2407'],
      ['xn--pypal-4ve', 'PT-2409'],
    ]) {
      const answer = await t.call('POST', '/v1/tunnels', { token: t.ada, json: { name, kind: 'http' } })
      expect(problemSchema.parse(await answer.json())).toMatchObject({ code, status: 400 })
    }
  })

  test('headers show the limits, and a caller beyond them does not slow another', async () => {
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

  test('an unforeseen failure gives 500 and says nothing about its cause', async () => {
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
  test('follow each other without gap or overlap, and a cursor is only valid for its list and account', async () => {
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

  test('a repeated request gets the same answer and makes nothing twice, in turn or at once', async () => {
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

  test('a repeated request for what is deleted meanwhile does not make it again', async () => {
    const { id } = idSchema.parse(await (await make('k1')).json())
    expect((await t.call('DELETE', `/v1/tunnels/${id}`, { token: t.ada })).status).toBe(204)
    expect((await make('k1')).status).toBe(404)
    expect(await (await t.call('GET', '/v1/tunnels', { token: t.ada })).json()).toMatchObject({ items: [] })
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

  test('a key’s secret is shown once: a repeated request names the key and makes none', async () => {
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

  test('of two edits with the same ETag the first is made, and the second is refused', async () => {
    const id = await makeTunnel()
    const etag = (await t.call('GET', `/v1/tunnels/${id}`, { token: t.ada })).headers.get('etag') ?? ''
    const edit = (name: string) =>
      t.call('PATCH', `/v1/tunnels/${id}`, { token: t.ada, json: { name }, headers: { 'if-match': etag } })
    const first = await edit('one')
    expect([first.status, first.headers.get('etag')]).toEqual([200, '"2"'])
    expect((await edit('two')).status).toBe(412)
  })
})

test('api: a stranger may send 16 KiB before authentication, an owner more', async () => {
  const asks = { email: 'x'.repeat(20_000), password: 'x' }
  expect((await t.call('POST', '/v1/auth/login', { json: asks })).status).toBe(413)
  const policy = { name: 'x'.repeat(20_000), kind: 'tcp' }
  expect((await t.call('POST', '/v1/tunnels', { token: t.ada, json: policy })).status).toBe(400)
})

test('api: repeating a request that fails cannot fill the log', async () => {
  const lines: unknown[] = []
  const control = { ...t.control, log: { ...silentLog, error: (fields: unknown) => void lines.push(fields) } }
  const addressOf = () => {
    throw new Error('a bug')
  }
  const { principals } = t
  const app = makeApi({ control, principals, addressOf })
  const path = `/v1/${'x'.repeat(8_000)}`
  for (let n = 0; n < 1_000; n++) expect((await app.request(path)).status).toBe(500)
  expect(lines.length).toBe(120)
  expect(JSON.stringify(lines[0]).length).toBeLessThan(1_000)
  t.clock.advance(60_000)
  await app.request(path)
  expect(lines.at(-1)).toMatchObject({ linesLeftOut: 880 })
})

describe('api: device login', () => {
  const approve = (userCode: string, isApproved = true) =>
    t.call('POST', '/v1/device/decision', { token: t.ada, json: { userCode, approve: isApproved } })
  const errorOf = async (answer: Response) => z.object({ error: z.string() }).parse(await answer.json()).error

  test('an approved code gives a working key, once', async () => {
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

  test('a page of another site uses up no limit: its form is refused before it counts', async () => {
    const form = { client_id: 'ptun', device: 'laptop' }
    const post = (headers: Record<string, string>) =>
      t.call('POST', '/v1/device/authorize', { form, headers }).then(({ status }) => status)
    const foreign = [
      { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example.com' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'https://evil.example.com' },
      { origin: 'null' },
    ]
    for (let n = 0; n < 80; n++) expect(await post(foreign[n % foreign.length] ?? {})).toBe(403)
    const grantForm = { grant_type: grant, client_id: 'ptun', device_code: 'x' }
    const token = await t.call('POST', '/v1/device/token', { form: grantForm, headers: { origin: 'null' } })
    expect(token.status).toBe(403)
    const origin = 'https://tunnel.example.com'
    for (const own of [{}, { 'sec-fetch-site': 'none' }, { 'sec-fetch-site': 'same-origin', origin }])
      expect(await post(own)).toBe(200)
  })

  test("polling too fast gets slow_down, a denied or expired code ends, a broken form is OAuth's error", async () => {
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
