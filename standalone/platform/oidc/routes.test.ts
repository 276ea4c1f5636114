/** The routes of sign-in with a service: what they take, answer and keep to themselves. */
import { OpenAPIHono } from '@hono/zod-openapi'
import type { ApiEnv } from '@porttunneler/shared/api/kit'
import { linksSchema, socialBegunSchema, tokensSchema } from '@porttunneler/shared/api/schemas/accounts'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { openSocialWorld, type SocialWorld } from '../../testing/social-world.ts'
import { signInRoutes } from '../identity.local.routes.ts'

let w: SocialWorld
beforeEach(async () => {
  w = await openSocialWorld()
})
afterEach(() => w.close())

/** Only with the code `right`, or an invitation to Ada. */
function makeApp() {
  const app = new OpenAPIHono<ApiEnv>()
  const options = {
    identity: w.identity,
    addressOf: () => '192.0.2.1',
    isHttps: () => true,
    confirm: async () => {},
    admit: async (code?: string) => {
      if (code !== 'right') throw fail(code === undefined ? 'auth.invite' : 'invite.invalid')
    },
    isInvited: async ({ email, token }: { email: string; token: string }) =>
      email === 'ada@example.com' && token === 'invitation',
    checkPasskey: async () => Promise.reject(fail('auth.passkey')),
  }
  app.route(
    '/',
    signInRoutes(options).mount(() => []),
  )
  app.onError((error, c) => {
    if (!isFailure(error)) throw error
    return c.json({ key: error.key }, error.entry.http as 400)
  })
  return async (method: string, path: string, { json, token }: { json?: unknown; token?: string } = {}) =>
    app.request(`https://tunnel.example.com/v1/auth/${path}`, {
      method,
      headers: {
        ...(json !== undefined && { 'content-type': 'application/json' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(json !== undefined && { body: JSON.stringify(json) }),
    })
}

const keyOf = async (answer: Response) => z.object({ key: z.string() }).parse(await answer.json()).key

test('a stranger comes in with an invite code or an invitation, and nobody caches the answers', async () => {
  const call = makeApp()
  const signIn = async (brought: object) => {
    const answer = await call('POST', 'services/work')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const begun = socialBegunSchema.parse(await answer.json())
    const json = { ...(await w.goThere(begun, 'work', {})), ...brought }
    return call('POST', 'services/work/finish', { json })
  }
  expect(await keyOf(await signIn({}))).toBe('auth.invite')
  expect(await keyOf(await signIn({ invite: 'wrong' }))).toBe('invite.invalid')
  expect(await keyOf(await signIn({ invitation: 'of somebody else' }))).toBe('auth.invite')
  const answer = await signIn({ invitation: 'invitation' })
  expect(answer.status).toBe(200)
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect(answer.headers.get('set-cookie')).toMatch(/^ptun_device=ptv_.*HttpOnly; Secure; SameSite=Strict/)
  const { accessToken } = tokensSchema.parse(await answer.json())
  // Known from now on: no code is needed.
  expect((await signIn({})).status).toBe(200)
  const links = linksSchema.parse(await (await call('GET', 'links', { token: accessToken })).json())
  expect(links).toMatchObject({ hasPassword: false, items: [{ provider: 'work', name: 'Work' }] })
})

test('linking is for the bearer of an access token, and for nothing else', async () => {
  const call = makeApp()
  const path = `links/oidc.work:${'0'.repeat(64)}`
  const calls = [
    ['GET', 'links'],
    ['POST', 'links/work'],
    ['POST', 'links/work/finish', { state: 's', secret: 's', code: 'c' }],
    ['DELETE', path],
  ] as const
  for (const [method, at, json] of calls)
    for (const token of [undefined, 'pts_a-key', 'none'])
      expect([at, (await call(method, at, { json, ...(token && { token }) })).status]).toEqual([at, 401])
})

test('what is too long or unknown is refused before anything is looked up', async () => {
  const call = makeApp()
  const finish = (json: object) => call('POST', 'services/work/finish', { json })
  for (const json of [
    {},
    { state: 's' },
    { state: 'x'.repeat(201), secret: 's' },
    { state: 's', secret: 's', code: 'x'.repeat(4_001) },
    { state: 's', secret: 's', redirect_uri: 'https://evil.example.com' },
  ])
    expect((await finish(json)).status).toBe(400)
  expect(await keyOf(await finish({ state: 's', secret: 's' }))).toBe('social.attempt')
  expect(await keyOf(await call('POST', 'services/none'))).toBe('social.unknown')
})
