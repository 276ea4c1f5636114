/** A change of address: both mailboxes, the right person, once; and what attackers try with its links. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { makeTestApi } from '../../../standalone/testing/api.ts'
import { users } from '../documents.ts'
import { freshMs } from '../sign-ins/fresh.ts'
import { signIns } from '../sign-ins/sign-in-documents.ts'
import { acceptInvitation, invite } from '../team/invitations.ts'

const password = 'correct horse battery'
const next = 'countess@example.com'

describe('change of address', () => {
  let t: Awaited<ReturnType<typeof makeTestApi>>
  beforeEach(async () => {
    t = await makeTestApi({}, { plan: 'unlimited' })
    await prove(t.ada)
  })
  afterEach(() => t.close())

  const userOf = async (token: string) => (await t.identity.verify(token)).subject.slice('local:'.length)
  const prove = async (token: string) => {
    await t.control.store.update(users.ref(await userOf(token)), { emailVerified: true })
    t.principals.forget(await userOf(token))
  }
  const post = (path: string, token: string | undefined, json: object) =>
    t.call('POST', `/v1/address-change${path}`, { ...(token && { token }), json })
  const codeOf = async (answer: Response) =>
    answer.ok ? '' : z.object({ code: z.string() }).parse(await answer.json()).code
  /** Asks, and reads the mails. */
  const ask = async (email = next, token = t.ada) => {
    t.mails.splice(0)
    expect((await post('', token, { email })).status).toBe(202)
    // One round takes jobs until it finds none due; mails of something else may come first.
    await t.runJobs()
    await t.runJobs()
    const tokenIn = (to: string, page: string) => {
      const text = t.mails.find((mail) => mail.to === to && mail.text.includes(page))?.text ?? ''
      return decodeURIComponent(new RegExp(`${page}\\?token=(\\S+)`).exec(text)?.[1] ?? '')
    }
    const old = 'ada@example.com'
    return {
      fromNew: tokenIn(email, 'confirm-address'),
      fromOld: tokenIn(old, 'confirm-address'),
      stop: tokenIn(old, 'stop-address'),
    }
  }
  const confirm = async (token: string, by = t.ada) => {
    const answer = await post('/confirm', by, { token })
    return answer.ok ? ((await answer.json()) as { changed: boolean }).changed : codeOf(answer)
  }
  const addressOf = async (token: string) =>
    z.object({ email: z.string() }).parse(await (await t.call('GET', '/v1/me', { token })).json()).email
  const login = (email: string) =>
    t.identity.login({ email, password }, { from: '' }).then(
      () => 'in',
      (error: { key: string }) => error.key,
    )

  test('both mailboxes confirm, in any order; then the new one signs in, sessions stay, both are told', async () => {
    const { fromNew, fromOld } = await ask()
    expect(await confirm(fromOld)).toBe(false)
    expect(await addressOf(t.ada)).toBe('ada@example.com')
    expect(await confirm(fromOld), 'again').toBe(false)
    t.mails.splice(0)
    expect(await confirm(fromNew)).toBe(true)
    expect(await addressOf(t.ada)).toBe(next)
    expect([await login(next), await login('ada@example.com')]).toEqual(['in', 'auth.credentials'])
    await t.runJobs()
    const told = t.mails.filter(({ subject }) => subject.includes('has changed')).map(({ to }) => to)
    expect(told.toSorted()).toEqual(['ada@example.com', next])
    expect(await confirm(fromNew), 'used up').toBe('PT-1071')
    // The old address is free again.
    const again = { email: 'ada@example.com', password }
    await expect(t.identity.register(again, { from: '' })).resolves.toBeDefined()
  })

  test('an address that nobody proved before need not confirm', async () => {
    await t.control.store.update(users.ref(await userOf(t.ada)), { emailVerified: false })
    const { fromNew } = await ask()
    expect(await confirm(fromNew)).toBe(true)
  })

  test.each([
    ['another person', async ({ fromNew }: Links) => confirm(fromNew, t.eve)],
    ['an unknown link', async () => confirm(`${await userOf(t.ada)}.ptx_${'x'.repeat(43)}`)],
    [
      'a link with another person’s name',
      async ({ fromNew }: Links) => {
        const [, secret] = fromNew.split('.')
        return confirm(`${await userOf(t.eve)}.${secret}`, t.eve)
      },
    ],
    ['no link', () => confirm('')],
    [
      'a link after a day',
      async ({ fromNew }: Links) => {
        t.clock.advance(24 * 3_600_000)
        return confirm(
          fromNew,
          (await t.identity.login({ email: 'ada@example.com', password }, { from: '' })).tokens.accessToken,
        )
      },
    ],
    [
      'a link after a second change',
      async ({ fromNew }: Links) => {
        await ask('other@example.com')
        return confirm(fromNew)
      },
    ],
    [
      'a link after a new password',
      async ({ fromNew }: Links) => {
        const given = { current: password, next: 'another long password' }
        t.clock.advance(1_000)
        const { tokens } = await t.identity.changePassword(t.ada, given, { from: '' })
        return confirm(fromNew, tokens.accessToken)
      },
    ],
    [
      'a link that was stopped',
      async ({ fromNew, stop }: Links) => {
        expect((await post('/stop', undefined, { token: stop })).status).toBe(204)
        return confirm(fromNew)
      },
    ],
    [
      'a link that was withdrawn',
      async ({ fromNew }: Links) => {
        expect((await t.call('DELETE', '/v1/address-change', { token: t.ada })).status).toBe(204)
        return confirm(fromNew)
      },
    ],
  ])('%s changes nothing', async (_, attempt) => {
    const links = await ask()
    expect(await confirm(links.fromOld)).toBe(false)
    expect(await attempt(links)).toBe('PT-1071')
    expect(await login(next)).toBe('auth.credentials')
  })

  test('one mailbox twice is not two, and nobody stops it with a guess', async () => {
    const { fromNew } = await ask()
    expect([await confirm(fromNew), await confirm(fromNew)]).toEqual([false, false])
    const guess = `${await userOf(t.ada)}.ptx_${'x'.repeat(43)}`
    expect(await codeOf(await post('/stop', undefined, { token: guess }))).toBe('PT-1071')
    const open = await (await t.call('GET', '/v1/address-change', { token: t.ada })).json()
    expect(open).toMatchObject({ open: { to: next, newConfirmed: true, oldConfirmed: false } })
  })

  test('asking says the same for a taken address; only its owner hears it, and nothing is lost', async () => {
    const { fromNew, fromOld } = await ask('eve@example.com')
    expect(await confirm(fromOld)).toBe(false)
    expect(await confirm(fromNew)).toBe('PT-1004')
    expect([await login('eve@example.com'), await login('ada@example.com')]).toEqual(['in', 'in'])
    expect(await addressOf(t.eve)).toBe('eve@example.com')
  })

  test('of two people who want one address only the first gets it', async () => {
    await prove(t.eve)
    const first = await ask()
    const second = await ask(next, t.eve)
    const evesOld = decodeURIComponent(
      /confirm-address\?token=(\S+)/.exec(
        t.mails.find(({ to }) => to === 'eve@example.com')?.text ?? '',
      )?.[1] ?? '',
    )
    await confirm(first.fromOld)
    await confirm(evesOld, t.eve)
    const results = await Promise.all([confirm(first.fromNew), confirm(second.fromNew, t.eve)])
    expect(results.toSorted()).toEqual(['PT-1004', true].toSorted())
  })

  test('it wants a fresh sign-in, another address than the present one, and has a limit a day', async () => {
    expect(await codeOf(await post('', t.ada, { email: 'Ada@example.com' }))).toBe('PT-1072')
    for (let n = 0; n < 5; n++) await ask(`a${n}@example.com`)
    expect((await post('', t.ada, { email: next })).status).toBe(429)
    const { signIn: id = '' } = await t.identity.verify(t.eve)
    await t.control.store.update(signIns.ref(id), { freshAt: t.clock.now() - freshMs })
    t.clock.advance(31_000)
    expect(await codeOf(await post('', t.eve, { email: next }))).toBe('PT-1016')
  })

  test('an invitation to the old address stays good; one made later is for whoever has it now', async () => {
    const owner = await t.caller('boss@example.com')
    const before = async () => {
      t.mails.splice(0)
      await invite(t.control, owner, { email: 'ada@example.com', role: 'viewer' })
      await t.runJobs()
      await t.runJobs()
      const isIt = (mail: { to: string; text: string }) =>
        mail.to === 'ada@example.com' && mail.text.includes('invitation=')
      const text = t.mails.find(isIt)?.text ?? ''
      return decodeURIComponent(/invitation=(\S+)/.exec(text)?.[1] ?? '')
    }
    const early = await before()
    t.clock.advance(1_000)
    const { fromNew, fromOld } = await ask()
    await confirm(fromOld)
    expect(await confirm(fromNew)).toBe(true)
    const { person } = await t.principals.signIn(t.ada, { from: '' })
    expect(await acceptInvitation(t.control, person, { token: early, from: '' })).toMatchObject({
      role: 'viewer',
    })
    t.clock.advance(1_000)
    const late = acceptInvitation(t.control, person, { token: await before(), from: '' })
    await expect(late).rejects.toMatchObject({ key: 'invitation.other' })
  })
})

type Links = { readonly fromNew: string; readonly fromOld: string; readonly stop: string }
