/** What the description forbids is refused, and If-Match holds wherever something is changed or deleted. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { makeTestApi, type TestApi } from '../../standalone/testing/api.ts'
import { problemSchema } from './schemas/common.ts'

let t: TestApi
beforeEach(async () => {
  t = await makeTestApi({}, { plan: 'unlimited' })
})
afterEach(() => t.close())

const schemaSchema = z.record(z.string(), z.unknown())
const operationSchema = z.looseObject({
  parameters: z.array(z.object({ name: z.string(), schema: schemaSchema })).default([]),
  requestBody: z.unknown().optional(),
})
const documentSchema = z.object({ paths: z.record(z.string(), z.record(z.string(), operationSchema)) })
const idSchema = z.object({ id: z.string() })

async function operations() {
  const document = documentSchema.parse(await (await t.call('GET', '/v1/openapi.json')).json())
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  )
}

/** What the described schema itself says about a value. */
const allows = (schema: Readonly<Record<string, unknown>>, value: unknown) =>
  z.fromJSONSchema(schema).safeParse(value).success

test('description: `cursor=0` is in no list a cursor, and each list refuses it', async () => {
  const lists = (await operations()).flatMap(({ path, operation }) =>
    operation.parameters.filter(({ name }) => name === 'cursor').map(({ schema }) => ({ path, schema })),
  )
  expect(lists.length).toBeGreaterThanOrEqual(6)
  for (const { path, schema } of lists) {
    expect([path, allows(schema, '0')]).toEqual([path, false])
    expect([path, allows(schema, `a.${'b'.repeat(43)}`)]).toEqual([path, true])
    const answer = await t.call('GET', `${path}?cursor=0`, { token: t.ada })
    expect([path, answer.status]).toEqual([path, 400])
    expect(problemSchema.parse(await answer.json()).code).toBe('PT-0001')
  }
})

test('description: a policy that denies an empty text is none, wherever a policy is set', async () => {
  const described = (await operations()).flatMap(({ path, method, operation }) =>
    denies(operation.requestBody).map((schema) => ({ route: `${method} ${path}`, schema })),
  )
  expect(new Set(described.map(({ route }) => route))).toEqual(
    new Set(['POST /v1/leases', 'POST /v1/tunnels', 'PATCH /v1/tunnels/{tunnel}']),
  )
  for (const { route, schema } of described) {
    expect([route, allows(schema, [''])]).toEqual([route, false])
    expect([route, allows(schema, ['192.0.2.1', '2001:db8::/32'])]).toEqual([route, true])
  }
  const policy = { deny: [''] }
  const { id } = await make('/v1/tunnels', { name: 'db', kind: 'tcp' })
  for (const [method, path, json] of [
    ['POST', '/v1/tunnels', { name: 'web', kind: 'http', policy }],
    ['PATCH', `/v1/tunnels/${id}`, { policy }],
  ] as const) {
    const answer = await t.call(method, path, { token: t.ada, json })
    expect([method, path, answer.status]).toEqual([method, path, 400])
    expect(problemSchema.parse(await answer.json()).issues?.at(0)?.path).toMatch(/policy\.deny\.0$/)
  }
})

/** Every schema of a `deny` inside. */
function denies(node: unknown): readonly Record<string, unknown>[] {
  if (typeof node !== 'object' || node === null) return []
  const { deny, ...others } = node as Record<string, unknown>
  const own = schemaSchema.safeParse(deny)
  return [...(own.success ? [own.data] : []), ...Object.values(others).flatMap(denies)]
}

async function make(path: string, json: object): Promise<{ readonly id: string }> {
  const answer = await t.call('POST', path, { token: t.ada, json })
  expect([path, answer.status]).toEqual([path, 201])
  return idSchema.catch({ id: '' }).parse(await answer.json())
}

/** Makes what a path names, and gives its address; a path of the description that is not here fails. */
const things: Readonly<Record<string, (() => Promise<string>) | undefined>> = {
  '/v1/tunnels/{tunnel}': async () =>
    `/v1/tunnels/${(await make('/v1/tunnels', { name: 'db', kind: 'tcp' })).id}`,
  '/v1/tunnels/{tunnel}/connections': async () =>
    `/v1/tunnels/${(await make('/v1/tunnels', { name: 'listed', kind: 'tcp' })).id}/connections`,
  '/v1/domains/{domain}': async () => {
    await make('/v1/domains', { host: 'app.example.com' })
    return '/v1/domains/app.example.com'
  },
  '/v1/names/{host}': async () => {
    await make('/v1/names', { name: 'shop' })
    return '/v1/names/shop.tunnel.example.com'
  },
  '/v1/ports/{port}': async () => {
    const { headers } = await t.call('POST', '/v1/ports', { token: t.ada, json: {} })
    return headers.get('location') ?? ''
  },
  '/v1/keys/{key}': async () => `/v1/keys/${(await make('/v1/keys', { name: 'x', scopes: ['read'] })).id}`,
  '/v1/invitations/{invitation}': async () =>
    `/v1/invitations/${(await make('/v1/invitations', { email: 'bob@example.com', role: 'viewer' })).id}`,
  '/v1/members/{member}': async () => `/v1/members/${t.owner.member}`,
  '/v1/account': async () => '/v1/account',
  '/v1/alert-rules': async () => '/v1/alert-rules',
  '/v1/maintenance/{window}': async () => {
    const from = t.clock.now()
    return `/v1/maintenance/${(await make('/v1/maintenance', { from, until: from + 3_600_000 })).id}`
  },
  '/v1/webhooks/{webhook}': async () => `/v1/webhooks/whk_${'0'.repeat(26)}`,
  '/v1/person': async () => '/v1/person',
  '/v1/operator/notes/{note}': async () => `/v1/operator/notes/not_${'0'.repeat(26)}`,
  '/v1/operator/jobs/{job}': async () => '/v1/operator/jobs/x',
  '/v1/operator/invites/{invite}': async () => `/v1/operator/invites/inv_${'0'.repeat(26)}`,
  '/v1/operator/view': async () => '/v1/operator/view',
  '/v1/person/mails/{purpose}': async () => '/v1/person/mails/team',
  '/v1/auth/links/{link}': async () => `/v1/auth/links/oidc.work:${'0'.repeat(64)}`,
  '/v1/sign-ins': async () => '/v1/sign-ins',
  '/v1/factors/app': async () => '/v1/factors/app',
  '/v1/factors/recovery': async () => '/v1/factors/recovery',
  '/v1/factors/passkeys/{passkey}': async () => `/v1/factors/passkeys/${'0'.repeat(64)}`,
  '/v1/address-change': async () => '/v1/address-change',
  '/v1/sign-ins/{signIn}': async () => `/v1/sign-ins/${(await t.identity.verify(t.ada)).signIn}`,
}

const changes: Readonly<Record<string, object>> = {
  '/v1/tunnels/{tunnel}': { name: 'other' },
  '/v1/members/{member}': { role: 'owner' },
  '/v1/account': { name: 'other' },
  '/v1/alert-rules': { items: [] },
  '/v1/webhooks/{webhook}': { on: false },
  '/v1/factors/passkeys/{passkey}': { name: 'other' },
  '/v1/person/mails/{purpose}': { off: true },
}

test('description: a change and a DELETE with an If-Match of another revision are refused, and change nothing', async () => {
  const guarded = (await operations()).filter(({ method }) => method === 'PATCH' || method === 'DELETE')
  expect(guarded.length).toBeGreaterThanOrEqual(12)
  const made = new Map<string, string>()
  for (const { path, method } of guarded) {
    const at = made.get(path) ?? (await things[path]?.())
    if (!at) throw new Error(`${method} ${path} has no row`)
    made.set(path, at)
    const json = changes[path] ?? { tunnel: null }
    for (const etag of ['"99"', '"of-another-form"']) {
      const headers = { 'if-match': etag }
      const asked = { token: t.ada, headers, ...(method === 'PATCH' && { json }) }
      expect([method, path, (await t.call(method, at, asked)).status]).toEqual([method, path, 412])
    }
  }
  for (const path of [
    '/v1/tunnels/{tunnel}',
    '/v1/domains/{domain}',
    '/v1/names/{host}',
    '/v1/ports/{port}',
  ]) {
    const at = made.get(path) ?? ''
    const etag = (await t.call('GET', at, { token: t.ada })).headers.get('etag') ?? ''
    const asked = { token: t.ada, headers: { 'if-match': etag } }
    expect([path, (await t.call('DELETE', at, asked)).status]).toEqual([path, 204])
    expect([path, (await t.call('GET', at, { token: t.ada })).status]).toEqual([path, 404])
  }
})
