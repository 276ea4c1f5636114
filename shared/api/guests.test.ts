/** People who were invited into an account of a service where strangers make none: they come in, and make none. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { makeTestApi, type TestApi } from '../../standalone/testing/api.ts'
import type { Registration } from '../control/registration.ts'

const email = 'bob@example.com'
const password = 'correct horse battery'

describe.each(['closed', 'beta'] as const)('guests: registration %s', (registration: Registration) => {
  let t: TestApi
  beforeEach(async () => {
    t = await makeTestApi({}, { plan: 'unlimited' })
    Object.assign(t.control.settings, { registration })
  })
  afterEach(() => t.close())

  /** @returns the link's part of the newest mail to Bob with this in its subject */
  const linkOf = async (subject: string, link: RegExp) => {
    for (let round = 0; round < 3; round++) {
      t.clock.advance(1_000)
      await t.runJobs()
    }
    const mail = t.mails.findLast((one) => one.to === email && one.subject.includes(subject))
    return decodeURIComponent(link.exec(mail?.text ?? '')?.[1] ?? '')
  }
  const invite = async () => {
    const asked = { email, role: 'developer' }
    expect((await t.call('POST', '/v1/invitations', { token: t.ada, json: asked })).status).toBe(201)
    return linkOf('Invitation', /invitation=(\S+)/)
  }
  const register = (json: object) => t.call('POST', '/v1/auth/register', { json })
  const codeOf = async (answer: Response) => z.object({ code: z.string() }).parse(await answer.json()).code

  test('an invited person makes a sign-in by their own mail, joins, and has no account of their own', async () => {
    const invitation = await invite()
    expect((await register({ email, invitation })).status).toBe(202)
    const proof = await linkOf('Your PortTunneler account', /#(\S+)/)
    const made = await t.call('POST', '/v1/auth/register/confirm', { json: { token: proof, password } })
    const { accessToken: token } = z.object({ accessToken: z.string() }).parse(await made.json())
    expect(await codeOf(await t.call('GET', '/v1/me', { token }))).toBe(
      registration === 'beta' ? 'PT-1015' : 'PT-1009',
    )
    expect(await (await t.call('GET', '/v1/accounts', { token })).json()).toEqual({ items: [] })
    const joined = await t.call('POST', '/v1/invitations/accept', { token, json: { token: invitation } })
    expect(await joined.json()).toEqual({ account: t.owner.account, role: 'developer' })
    expect(await (await t.call('GET', '/v1/me', { token })).json()).toMatchObject({
      account: t.owner.account,
      role: 'developer',
    })
    expect(await (await t.call('GET', '/v1/accounts', { token })).json()).toMatchObject({
      items: [{ id: t.owner.account }],
    })
    // A guest who leaves has a sign-in that they can export and delete, and makes nothing.
    const { user } = z
      .object({ user: z.string() })
      .parse(await (await t.call('GET', '/v1/me', { token })).json())
    expect((await t.call('DELETE', `/v1/members/${user}`, { token })).status).toBe(204)
    expect(await (await t.call('GET', '/v1/accounts', { token })).json()).toEqual({ items: [] })
    expect((await t.call('GET', '/v1/me', { token })).status).toBe(403)
    expect((await t.call('POST', '/v1/person/export', { token })).status).toBe(200)
    expect((await t.call('DELETE', '/v1/person', { token })).status).toBe(204)
  })

  test('nobody else comes in by it: without the link, with another address, or with one that is unproven', async () => {
    const invitation = await invite()
    for (const json of [
      { email },
      { email: 'eve@example.com', invitation },
      { email, invitation: `${invitation.slice(0, -1)}!` },
    ])
      expect((await register(json)).status).toBe(403)
    // A sign-in at the invited address that nobody has proven, as earlier releases made them.
    const { tokens } = await t.identity.register({ email, password }, { from: '' })
    const token = tokens.accessToken
    const accept = () => t.call('POST', '/v1/invitations/accept', { token, json: { token: invitation } })
    expect((await accept()).status).toBe(403)
    expect(await membersOfAda()).toHaveLength(1)
  })

  const membersOfAda = async () => {
    const answer = await t.call('GET', '/v1/members', { token: t.ada })
    return z.object({ items: z.array(z.unknown()) }).parse(await answer.json()).items
  }
})
