import { OpenAPIHono } from '@hono/zod-openapi'
import type { ApiEnv } from '@porttunneler/shared/api/kit'
import { tokensSchema } from '@porttunneler/shared/api/schemas/accounts'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import type { Context } from 'hono'
import { describe, expect, test } from 'vitest'
import { makeLocalIdentity } from '../testing/local-identity.ts'
import { signInRoutes } from './identity.local.routes.ts'

const ada = { email: 'ada@example.com', password: 'correct horse battery' }

function makeApp({ isOpen = true } = {}) {
  const setUp = makeLocalIdentity()
  const app = new OpenAPIHono<ApiEnv>()
  const addressOf = (c: Context) => c.req.header('x-test-from') ?? '192.0.2.1'
  const admit = async () => {
    if (!isOpen) throw fail('auth.closed')
  }
  const confirmed: string[] = []
  app.route(
    '/',
    signInRoutes({
      identity: setUp.identity,
      admit,
      isInvited: async ({ email, token }) => email === 'bob@example.com' && token === 'right',
      checkPasskey: async () => Promise.reject(fail('auth.passkey')),
      confirm: async (signIn) => void confirmed.push(signIn),
      addressOf,
      isHttps: () => true,
    }).mount(() => []),
  )
  app.onError((error, c) => {
    if (!isFailure(error)) throw error
    return c.json({ key: error.key, detail: error.detail }, error.entry.http as 400)
  })
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    app.request(`https://tunnel.example.com/v1/auth/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  const signUp = async () => {
    await setUp.identity.register(ada, { from: '' })
    const answer = await post('login', ada)
    const cookie = answer.headers.get('set-cookie') ?? ''
    return { tokens: tokensSchema.parse(await answer.json()), cookie, answer }
  }
  return { ...setUp, app, post, signUp, confirmed }
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

describe('sign-in routes', () => {
  test('signing in and refreshing answer tokens that nobody caches', async () => {
    const { post, signUp, identity } = makeApp()
    const { tokens, answer } = await signUp()
    const login = await post('login', ada)
    const refresh = await post('refresh', { refreshToken: tokens.refreshToken })
    for (const each of [answer, login, refresh]) {
      expect(each.status).toBe(200)
      expect(each.headers.get('cache-control')).toBe('no-store')
    }
    const { accessToken, expiresIn } = tokensSchema.parse(await login.json())
    expect(expiresIn).toBe(900)
    expect((await identity.verify(accessToken)).email).toBe(ada.email)
  })

  test('session fixation: a sign-in takes over no session that somebody else began', async () => {
    const { post, signUp, identity } = makeApp()
    const victim = { email: 'victim@example.com', password: 'another long password' }
    await identity.register(victim, { from: '' })
    const { tokens: attacker, cookie } = await signUp()
    // All that an attacker could leave in the victim's browser, or send along with the form.
    const planted = { ...bearer(attacker.accessToken), cookie: cookie.split(';')[0] ?? '' }
    const answer = await post('login', victim, planted)
    const tokens = tokensSchema.parse(await answer.json())
    const [theirs, ours] = [
      await identity.verify(attacker.accessToken),
      await identity.verify(tokens.accessToken),
    ]
    expect([theirs.email, ours.email]).toEqual([ada.email, victim.email])
    expect(ours.signIn).not.toBe(theirs.signIn)
    expect(tokens.refreshToken).not.toBe(attacker.refreshToken)
    // The planted device is the attacker's alone: the victim's browser gets one of its own.
    expect(answer.headers.get('set-cookie')).toMatch(/^ptun_device=ptv_/)
    expect(answer.headers.get('set-cookie')).not.toContain(planted.cookie)
    // A body that names a session is refused.
    expect((await post('login', { ...victim, refreshToken: attacker.refreshToken })).status).toBe(400)
  })

  test('a device is known by a cookie that no script can read and no other site can send', async () => {
    const { post, signUp } = makeApp()
    const { cookie } = await signUp()
    expect(cookie).toMatch(/^ptun_device=ptv_[\w-]{43}; /)
    for (const attribute of ['HttpOnly', 'Secure', 'SameSite=Strict', 'Path=/v1/auth'])
      expect(cookie).toContain(attribute)
    for (let n = 0; n < 6; n++) await post('login', { ...ada, password: 'a guess' })
    expect((await post('login', ada)).status).toBe(429)
    const known = await post('login', ada, { cookie: cookie.split(';')[0] ?? '' })
    expect(known.status).toBe(200)
    expect(known.headers.get('set-cookie')).toBeNull()
  })

  test('with registration closed nobody can register, and registered people can sign in', async () => {
    const { post, identity } = makeApp({ isOpen: false })
    expect((await post('register', { email: ada.email })).status).toBe(403)
    expect((await post('register', { email: ada.email, invitation: 'right' })).status).toBe(403)
    expect((await post('register', { email: 'bob@example.com', invitation: 'wrong' })).status).toBe(403)
    expect((await post('register/confirm', { token: 'x', password: ada.password })).status).toBe(400)
    await identity.register(ada, { from: '' })
    expect((await post('login', ada)).status).toBe(200)
  })

  test('with registration closed an invited person makes an account by a link to their address', async () => {
    const { post, work, mails } = makeApp({ isOpen: false })
    expect((await post('register', { email: 'bob@example.com', invitation: 'right' })).status).toBe(202)
    await work()
    expect(mails).toMatchObject([{ to: 'bob@example.com' }])
    const token = /#(\S+)/.exec(mails[0]?.text ?? '')?.[1]
    expect((await post('register/confirm', { token, password: ada.password })).status).toBe(200)
  })

  test('the source is what the server says it is', async () => {
    const { post, signUp } = makeApp()
    await signUp()
    for (let n = 0; n < 6; n++) await post('login', { ...ada, password: 'a guess' })
    expect((await post('login', ada, { 'x-forwarded-for': '198.51.100.7' })).status).toBe(429)
    expect((await post('login', ada, { 'x-test-from': '198.51.100.7' })).status).toBe(200)
  })

  test('signing out needs the refresh token, or the bearer to end all', async () => {
    const { post, signUp } = makeApp()
    const { tokens } = await signUp()
    expect((await post('logout', { everywhere: true })).status).toBe(401)
    expect((await post('logout', { refreshToken: tokens.refreshToken })).status).toBe(204)
    expect((await post('refresh', { refreshToken: tokens.refreshToken })).status).toBe(401)
    const { accessToken } = tokensSchema.parse(await (await post('login', ada)).json())
    for (const [token, status] of [
      [tokens.accessToken, 401],
      [accessToken, 204],
      [accessToken, 401],
    ] as const)
      expect((await post('logout', { everywhere: true }, bearer(token))).status).toBe(status)
  })

  test('a signed-in person who knows the password can change it', async () => {
    const { post, signUp } = makeApp()
    const { tokens } = await signUp()
    const change = { current: ada.password, next: 'another long password' }
    expect((await post('password', change)).status).toBe(401)
    expect((await post('password', { ...change, current: 'x' }, bearer(tokens.accessToken))).status).toBe(401)
    expect((await post('password', change, bearer(tokens.accessToken))).status).toBe(200)
    expect((await post('login', { ...ada, password: change.next })).status).toBe(200)
  })

  test('a reset request is accepted for any address; confirming makes the device known', async () => {
    const { post, signUp, work, mails } = makeApp()
    await signUp()
    for (const email of ['nobody@example.com', ada.email])
      expect((await post('password/reset', { email })).status).toBe(202)
    await work()
    const token = /#(\S+)/.exec(mails[0]?.text ?? '')?.[1]
    const confirm = await post('password/reset/confirm', { token, password: 'another long password' })
    expect(await confirm.json()).toEqual({ keys: [] })
    expect(confirm.headers.get('set-cookie')).toMatch(/^ptun_device=/)
    expect((await post('password/reset/confirm', { token, password: 'another long password' })).status).toBe(
      400,
    )
  })

  test('asking for an account gets one answer for any address; the link of the mail makes it and signs in', async () => {
    const { post, work, mails, identity } = makeApp()
    await identity.register(ada, { from: '' })
    const fresh = 'grace@example.com'
    for (const email of [ada.email, fresh]) {
      const answer = await post('register', { email })
      expect([answer.status, await answer.text()]).toEqual([202, ''])
    }
    await work()
    const token = /#(\S+)/.exec(mails.find(({ to }) => to === fresh)?.text ?? '')?.[1]
    const confirm = () => post('register/confirm', { token, password: 'another long password' })
    const made = await confirm()
    expect([made.status, made.headers.get('cache-control')]).toEqual([200, 'no-store'])
    const { accessToken } = tokensSchema.parse(await made.json())
    expect(await identity.verify(accessToken)).toMatchObject({ email: fresh, emailVerified: true })
    expect((await confirm()).status).toBe(400)
  })

  test.each([
    ['register', { email: 'nobody' }],
    ['register', ada],
    ['register/confirm', { token: 'x', password: 'short' }],
    ['login', { email: ada.email }],
    ['login', { ...ada, password: 'x'.repeat(201) }],
    ['login', []],
    ['login', null],
    ['refresh', { refreshToken: 1 }],
    ['logout', { everywhere: 'yes' }],
    ['password/reset', {}],
    ['password/reset/confirm', { token: 'x', password: 'short' }],
  ])('%s refuses a body of the wrong shape: %j', async (path, body) => {
    const { post } = makeApp()
    const answer = await post(path, body)
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ key: 'api.invalid' })
  })

  test('the keys are public, cacheable, and hold nothing private', async () => {
    const { app } = makeApp()
    const answer = await app.request('/.well-known/jwks.json')
    expect(answer.headers.get('cache-control')).toContain('max-age=')
    const { keys } = (await answer.json()) as { keys: object[] }
    expect(keys).toHaveLength(1)
    expect(Object.keys(keys[0] ?? {}).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
  })
})
