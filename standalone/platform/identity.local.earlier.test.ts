/** What ends with a proof of the mailbox, with a new password, and with a logout; and what stays and is listed. */
import {
  deviceAuthorizationSchema,
  keysLeftSchema,
  passwordChangedSchema,
} from '@porttunneler/shared/api/schemas/accounts'
import { newId } from '@porttunneler/shared/base/ids'
import { claimLeases } from '@porttunneler/shared/control/claims'
import { signInReadMs } from '@porttunneler/shared/control/ended-sign-ins'
import { createKey } from '@porttunneler/shared/control/keys'
import { createService } from '@porttunneler/shared/control/members'
import { describeTunnels, listTunnels } from '@porttunneler/shared/control/tunnels'
import { expectFailure } from '@porttunneler/shared/testing/store.contract'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { makeTestApi, type TestApi } from '../testing/api.ts'
import { makeLocalIdentity } from '../testing/local-identity.ts'
import { repeatMs } from './identity.local.sessions.ts'
import { localIdentity } from './identity.local.ts'

const email = 'owner@example.com'
const first = { email, password: 'whoever comes first' }
const password = 'battery staple horse'
const home = { from: '192.0.2.1' }

let t: TestApi
beforeEach(async () => {
  t = await makeTestApi()
})
afterEach(() => t.close())

/** Somebody has the account, with their own key, a service's key, and a tunnel. */
async function settled() {
  const { tokens, device = '' } = await t.identity.register(first, home)
  const caller = await t.principals.authenticate(tokens.accessToken, '')
  const control = t.of(caller)
  const own = await createKey(control, caller, { name: 'mine', scopes: ['tunnels'] })
  const { id: member } = await createService(control, caller, { name: 'ci', role: 'developer' })
  const service = await createKey(control, caller, { name: 'ci', scopes: ['tunnels'], member })
  await claimLeases(t.control, await t.principals.authenticate(own.secret, ''), {
    agent: newId('agt', 1),
    tunnels: [{ name: 'db', kind: 'tcp' }],
    takeover: false,
  })
  return { tokens, device, caller, keys: [own, service] }
}

/** A link from a mail. */
async function link(): Promise<string> {
  await t.identity.requestReset(email, home)
  t.clock.advance(60_000)
  await t.runJobs()
  await t.runJobs()
  const mail = t.mails.findLast(({ subject }) => subject.startsWith('Set a new'))
  return /#(\S+)/.exec(mail?.text ?? '')?.[1] ?? ''
}

const statuses = async (secrets: readonly { readonly secret: string }[]) => {
  const answers = secrets.map(({ secret }) => t.call('GET', '/v1/tunnels', { token: secret }))
  return (await Promise.all(answers)).map(({ status }) => status)
}

const states = async ({ caller }: Awaited<ReturnType<typeof settled>>) => {
  const { items } = await listTunnels(t.of(caller), caller, { limit: 10 })
  return (await describeTunnels(t.of(caller), items)).map(({ state }) => state)
}

describe('an account taken before its owner came', () => {
  test('the first proof of the mailbox ends all keys, sessions and tunnels made before it', async () => {
    const squatter = await settled()
    const token = await link()
    expect(await statuses(squatter.keys)).toEqual([200, 200])
    const { keys } = await t.identity.confirmReset({ token, password }, home)
    expect(keys).toEqual([])
    await expectFailure(t.identity.verify(squatter.tokens.accessToken), 'auth.invalid')
    await expectFailure(t.identity.refresh(squatter.tokens.refreshToken), 'auth.invalid')
    await t.runJobs()
    await t.runJobs()
    expect(await statuses(squatter.keys)).toEqual([401, 401])
    expect(await states(squatter)).toEqual(['offline'])
  })

  test('a device approved before gets no key afterwards', async () => {
    const { tokens } = await settled()
    const form = { client_id: 'ptun', device: 'laptop' }
    const asked = await t.call('POST', '/v1/device/authorize', { form })
    const code = deviceAuthorizationSchema.parse(await asked.json())
    const json = { userCode: code.user_code, approve: true }
    await t.call('POST', '/v1/device/decision', { token: tokens.accessToken, json })
    const token = await link()
    await t.identity.confirmReset({ token, password }, home)
    await t.runJobs()
    const grant = 'urn:ietf:params:oauth:grant-type:device_code'
    const poll = await t.call('POST', '/v1/device/token', {
      form: { grant_type: grant, client_id: 'ptun', device_code: code.device_code },
    })
    expect(await poll.json()).toEqual({ error: 'access_denied' })
  })

  test('an earlier sign-in that is still cached makes no key; the owner makes one at the same moment', async () => {
    const { caller } = await settled()
    await t.identity.confirmReset({ token: await link(), password }, home)
    await t.runJobs()
    const input = { name: 'back door', scopes: ['tunnels'] } as const
    await expectFailure(createKey(t.of(caller), caller, { ...input }), 'auth.invalid')
    const { tokens } = await t.identity.login({ email, password }, home)
    const owner = await t.principals.authenticate(tokens.accessToken, '')
    expect(await statuses([await createKey(t.of(owner), owner, { ...input })])).toEqual([200])
  })

  test('the earlier device is a stranger: it passes no limit', async () => {
    const { device } = await settled()
    await t.identity.confirmReset({ token: await link(), password }, home)
    const guess = () => t.identity.login({ email, password: 'a guess' }, { ...home, device })
    await Promise.allSettled(Array.from({ length: 6 }, guess))
    await expectFailure(t.identity.login({ email, password }, { ...home, device }), 'auth.locked')
  })
})

describe('a new password', () => {
  async function proven() {
    await settled()
    await t.identity.confirmReset({ token: await link(), password }, home)
    await t.runJobs()
    const { tokens } = await t.identity.login({ email, password }, home)
    const caller = await t.principals.authenticate(tokens.accessToken, '')
    const key = await createKey(t.of(caller), caller, { name: 'laptop', scopes: ['tunnels'] })
    return { tokens, key }
  }
  const next = 'staple battery horse'

  test('by a later link keeps the keys and lists them, and ends them when asked to', async () => {
    const { key } = await proven()
    const { keys } = await t.identity.confirmReset({ token: await link(), password: next }, home)
    expect(keys).toEqual([key.key])
    await t.runJobs()
    expect(await statuses([key])).toEqual([200])
    const again = await t.identity.confirmReset({ token: await link(), password, endKeys: true }, home)
    expect(again.keys).toEqual([])
    await t.runJobs()
    expect(await statuses([key])).toEqual([401])
  })

  test('by a person who knows the old one lists the keys and offers to end them', async () => {
    const { tokens, key } = await proven()
    const change = (token: string, json: object) => t.call('POST', '/v1/auth/password', { token, json })
    const kept = await change(tokens.accessToken, { current: password, next })
    const changed = passwordChangedSchema.parse(await kept.json())
    expect(changed.keys).toEqual([key.key])
    const ended = await change(changed.accessToken, { current: next, next: password, endKeys: true })
    expect(keysLeftSchema.parse(await ended.json()).keys).toEqual([])
    await t.runJobs()
    expect(await statuses([key])).toEqual([401])
  })

  test('signing out everywhere ends keys only when asked to', async () => {
    const { tokens, key } = await proven()
    const logout = (token: string, json: object) => t.call('POST', '/v1/auth/logout', { token, json })
    expect((await logout(tokens.accessToken, { everywhere: true })).status).toBe(204)
    await t.runJobs()
    expect(await statuses([key])).toEqual([200])
    const { tokens: later } = await t.identity.login({ email, password }, home)
    await logout(later.accessToken, { everywhere: true, endKeys: true })
    await t.runJobs()
    expect(await statuses([key])).toEqual([401])
  })
})

describe('an access token', () => {
  async function withAda() {
    const setUp = makeLocalIdentity()
    const { tokens } = await setUp.identity.register(first, home)
    return { ...setUp, tokens, other: (await setUp.identity.login(first, home)).tokens }
  }

  test('ends with the logout of its session, by either token, and others stay', async () => {
    const { identity, tokens, other } = await withAda()
    await identity.logout({ refreshToken: tokens.refreshToken, everywhere: false })
    await expectFailure(identity.verify(tokens.accessToken), 'auth.invalid')
    await identity.verify(other.accessToken)
    await identity.logout({ bearer: other.accessToken, everywhere: false })
    await expectFailure(identity.verify(other.accessToken), 'auth.invalid')
    await expectFailure(identity.refresh(other.refreshToken), 'auth.invalid')
  })

  test('ends when its refresh token comes twice', async () => {
    const { identity, clock, tokens } = await withAda()
    const { accessToken } = await identity.refresh(tokens.refreshToken)
    clock.advance(repeatMs)
    await expectFailure(identity.refresh(tokens.refreshToken), 'auth.reused')
    for (const token of [tokens.accessToken, accessToken])
      await expectFailure(identity.verify(token), 'auth.invalid')
  })

  test('ends with everything at a logout everywhere', async () => {
    const { identity, tokens, other } = await withAda()
    await identity.logout({ bearer: other.accessToken, everywhere: true })
    for (const { accessToken } of [tokens, other])
      await expectFailure(identity.verify(accessToken), 'auth.invalid')
  })

  test('ends in another process within half a minute, for one read of the store in that time', async () => {
    const { identity, options, clock, store, tokens } = await withAda()
    const elsewhere = localIdentity(options)
    await elsewhere.verify(tokens.accessToken)
    const reads = vi.spyOn(store, 'get')
    for (let n = 0; n < 20; n++) await elsewhere.verify(tokens.accessToken)
    expect(reads).not.toHaveBeenCalled()
    await identity.logout({ refreshToken: tokens.refreshToken, everywhere: false })
    reads.mockClear()
    clock.advance(signInReadMs)
    const later = Array.from({ length: 20 }, () => elsewhere.verify(tokens.accessToken))
    const outcomes = await Promise.allSettled(later)
    expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true)
    expect(reads).toHaveBeenCalledTimes(1)
  })

  test('an unknown refresh token leaves nothing in the store', async () => {
    const { identity, store } = await withAda()
    const writes = vi.spyOn(store, 'batch')
    await identity.logout({ refreshToken: `ptr_${'x'.repeat(86)}`, everywhere: false })
    expect(writes).not.toHaveBeenCalled()
  })
})
