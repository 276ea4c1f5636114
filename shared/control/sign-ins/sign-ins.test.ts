/** Sessions of people: seen and ended by their owner alone, in this process and in others. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { makeTestApi } from '../../../standalone/testing/api.ts'
import { signInReadMs } from '../ended-sign-ins.ts'
import { queries } from '../query-table.ts'
import { signInIdleMs, signInMsMax, signInsMax } from './beginning.ts'
import { type SignInDoc, signIns } from './sign-in-documents.ts'

const password = 'correct horse battery'
const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0'
const listSchema = z.object({
  items: z.array(
    z.object({
      id: z.string(),
      current: z.boolean(),
      method: z.string(),
      from: z.string(),
      device: z.string(),
      lastUsedAt: z.number(),
    }),
  ),
})

describe('sessions', () => {
  let t: Awaited<ReturnType<typeof makeTestApi>>
  beforeEach(async () => {
    t = await makeTestApi()
  })
  afterEach(() => t.close())

  const signIn = async (email = 'ada@example.com', from = '192.0.2.7') => {
    t.clock.advance(1_000)
    const { tokens } = await t.identity.login({ email, password }, { from, userAgent: firefox })
    return tokens
  }
  const list = async (token: string) => {
    const answer = await t.call('GET', '/v1/sign-ins', { token })
    expect(answer.status).toBe(200)
    return listSchema.parse(await answer.json()).items
  }
  const statusOf = async (token: string, at = t) => (await at.call('GET', '/v1/me', { token })).status
  const elsewhere = () => {
    const { control, principals } = t.elsewhere()
    return { ...t, ...t.over(control, principals) }
  }
  const recordOf = async (token: string) => {
    const { signIn: id = '' } = await t.identity.verify(token)
    return { id, doc: (await t.control.store.get(signIns.ref(id)))?.data }
  }

  test('each is listed with where, when and how; the one that asks is marked', async () => {
    const { accessToken } = await signIn()
    const items = await list(accessToken)
    expect(items).toHaveLength(2)
    expect(items[0]).toMatchObject({
      current: true,
      method: 'password',
      from: '192.0.2.0/24',
      device: 'Firefox on Linux',
    })
    expect(items[1]).toMatchObject({ current: false, device: 'An unknown device', from: '' })
    expect(await list(t.eve)).toHaveLength(1)
  })

  test('one is ended at once here, within half a minute elsewhere, and cannot be refreshed', async () => {
    const { accessToken, refreshToken } = await signIn()
    const other = elsewhere()
    expect(await statusOf(accessToken, other)).toBe(200)
    const { id } = await recordOf(accessToken)
    expect((await t.call('DELETE', `/v1/sign-ins/${id}`, { token: t.ada })).status).toBe(204)
    expect(await statusOf(accessToken)).toBe(401)
    await expect(t.identity.refresh(refreshToken)).rejects.toMatchObject({ key: 'auth.invalid' })
    t.clock.advance(signInReadMs)
    expect(await statusOf(accessToken, other)).toBe(401)
    expect(await list(t.ada)).toHaveLength(1)
    const where = { account: t.owner.account, action: 'auth.session_ended' }
    expect((await t.control.store.query(queries.auditByAction, { where, limit: 5 })).items).toHaveLength(1)
  })

  test.each(['another person’s', 'an unknown', 'an ended'])('%s session cannot be ended', async (whose) => {
    const { id } = await recordOf(t.eve)
    const token = t.ada
    if (whose === 'an ended') await t.identity.endSignIns([id])
    const path = `/v1/sign-ins/${whose === 'an unknown' ? 'f'.repeat(64) : id}`
    expect((await t.call('DELETE', path, { token })).status).toBe(404)
    expect(await statusOf(t.eve)).toBe(whose === 'an ended' ? 401 : 200)
  })

  test('all others end together', async () => {
    const [here, there] = [await signIn(), await signIn()]
    const answer = await t.call('DELETE', '/v1/sign-ins', { token: here.accessToken })
    expect(await answer.json()).toEqual({ ended: 2 })
    expect(await statusOf(here.accessToken)).toBe(200)
    for (const token of [t.ada, there.accessToken]) expect(await statusOf(token)).toBe(401)
    expect(await statusOf(t.eve)).toBe(200)
  })

  test('a session that was ended elsewhere a moment ago ends no others', async () => {
    const { accessToken } = await signIn()
    const other = elsewhere()
    expect(await statusOf(accessToken, other)).toBe(200)
    await t.identity.endSignIns([(await recordOf(accessToken)).id])
    expect((await other.call('DELETE', '/v1/sign-ins', { token: accessToken })).status).toBe(401)
    const path = `/v1/sign-ins/${(await recordOf(t.ada)).id}`
    expect((await other.call('DELETE', path, { token: accessToken })).status).toBe(401)
    expect(await statusOf(t.ada)).toBe(200)
  })

  test('those that a new password or a logout everywhere ended are not listed', async () => {
    await signIn()
    const { accessToken } = await signIn()
    const given = { current: password, next: 'another long password' }
    const { tokens } = await t.identity.changePassword(accessToken, given, { from: '' })
    expect(await list(tokens.accessToken)).toHaveLength(1)
  })

  test('a request reads the record twice a minute and writes it once an hour', async () => {
    const { id } = await recordOf(t.ada)
    const before = (await t.control.store.get(signIns.ref(id)))?.version
    for (let n = 0; n < 3; n++) await statusOf(t.ada)
    expect((await t.control.store.get(signIns.ref(id)))?.version).toBe(before)
    t.clock.advance(3_600_000)
    const { tokens } = await t.identity.login({ email: 'ada@example.com', password }, { from: '' })
    await t.control.store.update(signIns.ref((await recordOf(tokens.accessToken)).id), { usedAt: 0 })
    const headers = { 'x-test-from': '2001:db8::1', 'user-agent': firefox }
    expect((await t.call('GET', '/v1/me', { token: tokens.accessToken, headers })).status).toBe(200)
    const { doc } = await recordOf(tokens.accessToken)
    expect(doc).toMatchObject({
      usedAt: t.clock.now(),
      from: '2001:db8:0:0::/64',
      device: 'Firefox on Linux',
    })
  })

  test('a person has at most a hundred: the longest unused ends for the next', async () => {
    const { id, doc } = await recordOf(t.ada)
    if (!doc) throw new Error('no record')
    const refOf = (n: number) => signIns.ref(n.toString(16).padStart(64, '0'))
    for (let n = 1; n < signInsMax; n++)
      await t.control.store.create(refOf(n), { ...doc, usedAt: doc.usedAt - n * 1_000 } satisfies SignInDoc)
    await signIn()
    const where = { user: doc.user }
    const { items } = await t.control.store.query(queries.signInsOfUser, { where, limit: 200 })
    expect(items).toHaveLength(signInsMax)
    expect(await t.control.store.get(refOf(signInsMax - 1))).toBeUndefined()
    expect(await t.control.store.get(signIns.ref(id))).toBeDefined()
  })

  test('one not used for 30 days, or 180 days old, has ended whatever its token says', async () => {
    const claims = await t.identity.verify(t.ada)
    const { id, doc } = await recordOf(t.ada)
    const user = doc?.user ?? ''
    const read = (more = {}) => t.control.signIns.of({ ...claims, ...more }, user, { from: '' })
    expect(await read()).toMatchObject({ id, factorAt: 0 })
    const tooOld = { authTimeMs: t.clock.now() - signInMsMax - 1 }
    await expect(read(tooOld)).rejects.toMatchObject({ key: 'auth.invalid' })
    t.clock.advance(signInIdleMs)
    await expect(read()).rejects.toMatchObject({ key: 'auth.invalid' })
    await expect(t.control.signIns.of(claims, 'usr_other', { from: '' })).rejects.toMatchObject({
      key: 'auth.invalid',
    })
  })

  test('a sign-in from a new place is mailed, the first and a known one are not', async () => {
    const mailed = async () => {
      await t.runJobs()
      await t.runJobs()
      return t.mails.filter(({ subject }) => subject.includes('New sign-in')).length
    }
    await signIn()
    expect(await mailed(), 'the first of a person').toBe(0)
    await signIn()
    expect(await mailed(), 'the same again').toBe(0)
    await signIn('ada@example.com', '203.0.113.1')
    expect(await mailed(), 'another network').toBe(1)
    const [mail] = t.mails.filter(({ subject }) => subject.includes('New sign-in'))
    expect(mail).toMatchObject({ to: 'ada@example.com' })
    expect(mail?.text.replaceAll('\n', ' ')).toContain(
      'Firefox on Linux, from the network address 203.0.113.1',
    )
    const given = { email: 'ada@example.com', password }
    const { device } = await t.identity.login(given, { from: '192.0.2.7', userAgent: firefox })
    await t.identity.login(given, { from: '198.51.100.1', userAgent: 'curl/8', device })
    expect(await mailed(), 'a device that proves itself').toBe(1)
  })

  test('a session of an earlier release gets its record with its first request', async () => {
    const { id } = await recordOf(t.ada)
    await t.control.store.delete(signIns.ref(id))
    const other = elsewhere()
    await Promise.all([1, 2, 3].map(() => statusOf(t.ada, other)))
    expect((await recordOf(t.ada)).doc).toMatchObject({ method: 'password', usedAt: t.clock.now() })
    await t.identity.endSignIns([id])
    expect(await statusOf(t.ada)).toBe(401)
    expect(await t.control.store.get(signIns.ref(id))).toBeUndefined()
  })
})
