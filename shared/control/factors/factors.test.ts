/** Factors and what attackers try with them: tables over a real store, with an authenticator in software. */

import { generateKeyPairSync } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { makeTestControl } from '../../../standalone/testing/control.ts'
import { fail, isFailure } from '../../base/errors.ts'
import { hashSecret } from '../../base/ids.ts'
import { type Misbehaviour, SoftwarePasskey } from '../../testing/software-passkey.ts'
import { users } from '../documents.ts'
import { queries } from '../query-table.ts'
import { beginApp, confirmApp, removeApp, renewCodes } from './apps.ts'
import { challengeMs } from './challenges.ts'
import type { FactorCaller } from './changing.ts'
import { describeFactors } from './describing.ts'
import { factors, passkeyRef } from './factor-documents.ts'
import { beginPasskeySignIn, signInByPasskey } from './passkey-sign-in.ts'
import { addPasskey, beginPasskey, removePasskey, renamePasskey } from './passkeys.ts'
import { askForRecovery, completeRecovery, endRecovery, followRecovery } from './recovering.ts'
import { beginShowing, showFactor } from './showing.ts'
import { siteOf } from './webauthn.ts'

let t: ReturnType<typeof makeTestControl>
let site: ReturnType<typeof siteOf>
beforeEach(() => {
  t = makeTestControl()
  site = siteOf(t.control.settings)
})
afterEach(() => t.close())

/** A person with a sign-in, as the API hands them over. */
async function personNamed(email: string): Promise<FactorCaller> {
  const { member } = await t.caller(email)
  return {
    user: member,
    email,
    signIn: hashSecret(email),
    hasShown: true,
    from: '192.0.2.1',
    userAgent: 'test',
  }
}

async function withPasskey(by: FactorCaller, passkey = new SoftwarePasskey(site)) {
  const options = await beginPasskey(t.control, by)
  const codes = await addPasskey(t.control, by, { attestation: passkey.create(options), name: 'Laptop' })
  return { passkey, codes, id: hashSecret(passkey.id) }
}

/** @returns the code of an app that was set up with the secret, now or some steps away */
async function codeOf(secret: string, steps = 0): Promise<string> {
  const { Secret, TOTP } = await import('otpauth')
  return new TOTP({ secret: Secret.fromBase32(secret) }).generate({
    timestamp: t.clock.now() + steps * 30_000,
  })
}

async function withApp(by: FactorCaller) {
  const { secret } = await beginApp(t.control, by)
  const codes = await confirmApp(t.control, by, await codeOf(secret))
  return { secret, codes }
}

/** What asks for a mail, the mail's job, and its sending: each may need a round of its own. */
async function runAllJobs(): Promise<void> {
  for (let round = 0; round < 3; round++) await t.runJobs()
}

/** What the audit log says about names of passkeys. */
async function renamingsOf(user: string): Promise<readonly unknown[]> {
  const options = { where: { actor: user }, limit: 50 }
  const { items } = await t.control.store.query(queries.auditByPerson, options)
  const bodies = items.filter(({ data }) => data.action === 'factor.renamed').map(({ data }) => data.body)
  return bodies.map(
    (body) => z.object({ details: z.unknown() }).parse(JSON.parse(String(body ?? '{}'))).details,
  )
}

async function refusal(act: Promise<unknown>): Promise<string> {
  try {
    await act
    return 'done'
  } catch (error) {
    if (isFailure(error)) return error.key
    throw error
  }
}

const challengeFor = async (by: FactorCaller) => {
  const { passkey } = await beginShowing(t.control, by)
  if (!passkey) throw fail('factor.none')
  return passkey
}

describe('a passkey', () => {
  test('added, shown, named, removed; the first brings ten recovery codes, the second none', async () => {
    const ada = await personNamed('ada@example.com')
    const { passkey, codes, id } = await withPasskey(ada)
    expect(codes).toHaveLength(10)
    expect((await t.control.store.get(users.ref(ada.user)))?.data).toMatchObject({ hasFactor: true })
    const second = await withPasskey(ada)
    expect(second.codes).toEqual([])
    const options = await challengeFor(ada)
    expect(options.allowCredentials.map(({ id: known }) => known)).toContain(passkey.id)
    expect(await showFactor(t.control, ada, { assertion: passkey.sign(options) })).toBe('passkey')
    await renamePasskey(t.control, ada, { id, name: 'Phone' })
    expect(await renamingsOf(ada.user)).toEqual([{ from: 'Laptop', to: 'Phone' }])
    await renamePasskey(t.control, ada, { id, name: 'Phone' })
    expect(await renamingsOf(ada.user), 'the same name is no change').toHaveLength(1)
    const { passkeys } = await describeFactors(t.control, ada.user, true)
    expect(passkeys.find((one) => one.id === id)).toMatchObject({ name: 'Phone', usedAt: t.clock.now() })
    await removePasskey(t.control, ada, id)
    await removePasskey(t.control, ada, second.id)
    expect(await describeFactors(t.control, ada.user, true)).toMatchObject({
      passkeys: [],
      codes: { left: 0 },
    })
    expect((await t.control.store.get(users.ref(ada.user)))?.data).toMatchObject({ hasFactor: false })
  })

  test.each<[string, Misbehaviour, string]>([
    ['of another origin', { origin: 'https://evil.example' }, 'factor.wrong'],
    ["of a tunnel's page under our domain", { origin: 'https://a.tunnel.example.com' }, 'factor.wrong'],
    ['of our host at another port', { origin: 'https://tunnel.example.com:8443' }, 'factor.wrong'],
    ['of our host without TLS', { origin: 'http://tunnel.example.com' }, 'factor.wrong'],
    ['for another site', { rpId: 'evil.example' }, 'factor.wrong'],
    ['without the person', { isPresent: false }, 'factor.wrong'],
    ['that was made for adding one', { type: 'webauthn.create' }, 'factor.wrong'],
    ['from a frame of another page', { crossOrigin: true, origin: 'https://evil.example' }, 'factor.wrong'],
    ['with a challenge that is not ours', { challenge: 'bm90IG91cnM' }, 'factor.challenge'],
    ['with a counter that stands still', { counter: 1 }, 'factor.cloned'],
    [
      'signed with another key',
      { key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey },
      'factor.wrong',
    ],
  ])('an answer %s is refused', async (_, wrong, key) => {
    const ada = await personNamed('ada@example.com')
    const { passkey } = await withPasskey(ada)
    const options = await challengeFor(ada)
    expect(await refusal(showFactor(t.control, ada, { assertion: passkey.sign(options, wrong) }))).toBe(key)
    // The attack used nothing up. A signature of a copy is right, so it has used the challenge.
    const next = key === 'factor.cloned' ? await challengeFor(ada) : options
    expect(await showFactor(t.control, ada, { assertion: passkey.sign(next) })).toBe('passkey')
  })

  test.each<[string, Misbehaviour]>([
    ['of another origin', { origin: 'https://evil.example' }],
    ["of a tunnel's page", { origin: 'https://a.tunnel.example.com' }],
    ['for another site', { rpId: 'evil.example' }],
    ['without the person', { isPresent: false }],
    ['that was made for showing one', { type: 'webauthn.get' }],
  ])('a new one %s is not added', async (_, wrong) => {
    const ada = await personNamed('ada@example.com')
    const attestation = new SoftwarePasskey(site).create(await beginPasskey(t.control, ada), wrong)
    expect(await refusal(addPasskey(t.control, ada, { attestation, name: 'x' }))).toBe('factor.wrong')
  })

  test('a challenge is good once, for five minutes, for one purpose, person and sign-in', async () => {
    const ada = await personNamed('ada@example.com')
    const eve = await personNamed('eve@example.com')
    const { passkey } = await withPasskey(ada)
    const own = await withPasskey(eve)
    const show = (by: FactorCaller, options: { challenge: string }, of = passkey) =>
      refusal(showFactor(t.control, by, { assertion: of.sign(options) }))
    const options = await challengeFor(ada)
    expect(await show({ ...ada, signIn: hashSecret('another') }, options)).toBe('factor.challenge')
    expect(await show(eve, options, own.passkey)).toBe('factor.challenge')
    expect(await show(ada, await beginPasskey(t.control, ada))).toBe('factor.challenge')
    expect(await show(ada, await beginPasskeySignIn(t.control))).toBe('factor.challenge')
    expect(await show(ada, options)).toBe('done')
    expect(await show(ada, options)).toBe('factor.challenge')
    const late = await challengeFor(ada)
    t.clock.advance(challengeMs + 1)
    expect(await show(ada, late)).toBe('factor.challenge')
    const spelled = await challengeFor(ada)
    expect(await show(ada, { challenge: `${spelled.challenge}=` })).toBe('factor.challenge')
  })

  test("of another person is nobody's here, and is added to one person only", async () => {
    const ada = await personNamed('ada@example.com')
    const eve = await personNamed('eve@example.com')
    const { passkey, id } = await withPasskey(ada)
    await withPasskey(eve)
    const assertion = passkey.sign(await challengeFor(eve))
    expect(await refusal(showFactor(t.control, eve, { assertion }))).toBe('factor.wrong')
    const attestation = passkey.create(await beginPasskey(t.control, eve))
    expect(await refusal(addPasskey(t.control, eve, { attestation, name: 'x' }))).toBe('factor.exists')
    expect(await refusal(removePasskey(t.control, eve, id))).toBe('api.not_found')
    expect(await refusal(renamePasskey(t.control, eve, { id, name: 'x' }))).toBe('api.not_found')
  })

  test('a sign-in that has shown none adds, removes and renews nothing, even where the cache knows of none', async () => {
    const ada = await personNamed('ada@example.com')
    const thief = { ...ada, hasShown: false }
    // The first one needs no other.
    const { id } = await withPasskey(thief)
    const attestation = new SoftwarePasskey(site).create(await beginPasskey(t.control, thief))
    const { secret } = await beginApp(t.control, thief)
    const code = await codeOf(secret)
    for (const act of [
      () => addPasskey(t.control, thief, { attestation, name: 'x' }),
      () => confirmApp(t.control, thief, code),
      () => renewCodes(t.control, thief),
      () => removePasskey(t.control, thief, id),
    ])
      expect(await refusal(act())).toBe('auth.factor_needed')
  })

  test('a copy that signs at the same moment is refused, and so is one that is behind', async () => {
    const ada = await personNamed('ada@example.com')
    const { passkey } = await withPasskey(ada)
    const [one, two] = [await challengeFor(ada), await challengeFor(ada)]
    const answers = [one, two].map((options) => passkey.sign(options, { counter: 7 }))
    const results = await Promise.all(
      answers.map((assertion) => refusal(showFactor(t.control, ada, { assertion }))),
    )
    expect(results.toSorted()).toEqual(['done', 'factor.cloned'])
    const behind = passkey.sign(await challengeFor(ada), { counter: 6 })
    expect(await refusal(showFactor(t.control, ada, { assertion: behind }))).toBe('factor.cloned')
    expect((await t.control.store.get(passkeyRef(passkey.id)))?.data.counter).toBe(7)
  })

  test('one without a counter is used again and again', async () => {
    const ada = await personNamed('ada@example.com')
    const { passkey } = await withPasskey(ada, new SoftwarePasskey(site, 0))
    for (let turn = 0; turn < 3; turn++)
      expect(await showFactor(t.control, ada, { assertion: passkey.sign(await challengeFor(ada)) })).toBe(
        'passkey',
      )
  })
})

describe('signing in by a passkey alone', () => {
  const source = { from: '192.0.2.9' }

  test('the passkey says who it is', async () => {
    const ada = await personNamed('ada@example.com')
    const { passkey } = await withPasskey(ada)
    const options = await beginPasskeySignIn(t.control)
    expect(options).toMatchObject({ allowCredentials: [], userVerification: 'required' })
    expect(await signInByPasskey(t.control, passkey.sign(options), source)).toBe(ada.user)
  })

  test.each<[string, Misbehaviour, string]>([
    ['without PIN, finger or face', { isVerified: false }, 'auth.passkey'],
    ['of another origin', { origin: 'https://evil.example' }, 'auth.passkey'],
    ['of a tunnel', { origin: 'https://a.tunnel.example.com' }, 'auth.passkey'],
    ['that names another person', { userHandle: 'dXNyX290aGVy' }, 'auth.passkey'],
    ['with a counter that stands still', { counter: 1 }, 'factor.cloned'],
    ['with a challenge of nobody', { challenge: 'bm90IG91cnM' }, 'factor.challenge'],
  ])('%s is refused', async (_, wrong, key) => {
    const { passkey } = await withPasskey(await personNamed('ada@example.com'))
    const assertion = passkey.sign(await beginPasskeySignIn(t.control), wrong)
    expect(await refusal(signInByPasskey(t.control, assertion, source))).toBe(key)
  })

  test('an unknown, a removed and a disabled one get in no more, and a used challenge neither', async () => {
    const ada = await personNamed('ada@example.com')
    const stranger = new SoftwarePasskey(site)
    const sign = async (of: SoftwarePasskey) =>
      refusal(signInByPasskey(t.control, of.sign(await beginPasskeySignIn(t.control)), source))
    expect(await sign(stranger)).toBe('auth.passkey')
    const { passkey, id } = await withPasskey(ada)
    const options = await beginPasskeySignIn(t.control)
    const assertion = passkey.sign(options)
    expect(await refusal(signInByPasskey(t.control, assertion, source))).toBe('done')
    expect(await refusal(signInByPasskey(t.control, assertion, source))).toBe('factor.challenge')
    await t.control.store.update(users.ref(ada.user), { status: 'disabled' })
    expect(await sign(passkey)).toBe('auth.disabled')
    await t.control.store.update(users.ref(ada.user), { status: 'active' })
    await removePasskey(t.control, ada, id)
    expect(await sign(passkey)).toBe('auth.passkey')
  })
})

describe('an authenticator app', () => {
  test('a code is good once, also those of the steps around, and not long after', async () => {
    const ada = await personNamed('ada@example.com')
    const { secret, codes } = await withApp(ada)
    expect(codes).toHaveLength(10)
    const show = async (code: string) => refusal(showFactor(t.control, ada, { code }))
    // The code that set it up was used by that.
    expect(await show(await codeOf(secret))).toBe('factor.wrong')
    expect(await show(await codeOf(secret, 1))).toBe('done')
    expect(await show(await codeOf(secret, 1))).toBe('factor.wrong')
    expect(await show(await codeOf(secret, -1))).toBe('done')
    expect(await show(await codeOf(secret, -1))).toBe('factor.wrong')
    expect(await show(await codeOf(secret, 2))).toBe('factor.wrong')
    t.clock.advance(120_000)
    expect(await show(await codeOf(secret, -2))).toBe('factor.wrong')
    const code = await codeOf(secret)
    const both = await Promise.all([show(code), show(code)])
    expect(both.toSorted()).toEqual(['done', 'factor.wrong'])
  })

  test('ten wrong codes an hour and thirty a day stop guesses, not a recovery code; the person hears of it', async () => {
    const ada = await personNamed('ada@example.com')
    const { secret, codes } = await withApp(ada)
    const wrong = async () => refusal(showFactor(t.control, ada, { code: '000000' }))
    for (let turn = 0; turn < 10; turn++) expect(await wrong()).toBe('factor.wrong')
    expect(await wrong()).toBe('factor.guesses')
    expect(await refusal(showFactor(t.control, ada, { code: await codeOf(secret, 1) }))).toBe(
      'factor.guesses',
    )
    expect(await refusal(showFactor(t.control, ada, { code: codes[0] ?? '' }))).toBe('done')
    await runAllJobs()
    const told = t.mails.filter(({ subject }) => subject.includes('guesses'))
    expect(told).toHaveLength(1)
    for (let hour = 0; hour < 2; hour++) {
      t.clock.advance(3_600_000)
      for (let turn = 0; turn < 10; turn++) await wrong()
    }
    t.clock.advance(3_600_000)
    expect(await wrong()).toBe('factor.guesses')
  })

  test('the secret is wrapped in the store, and an app that did not prove itself is none', async () => {
    const ada = await personNamed('ada@example.com')
    const { secret, uri } = await beginApp(t.control, ada)
    expect(uri).toContain('otpauth://totp/PortTunneler')
    const kept = JSON.stringify((await t.control.store.get(factors.ref(ada.user)))?.data)
    expect(kept).not.toContain(secret)
    expect(await refusal(confirmApp(t.control, ada, '000000'))).toBe('factor.wrong')
    expect((await describeFactors(t.control, ada.user, false)).app).toBeUndefined()
    t.clock.advance(61 * 60_000)
    expect(await refusal(confirmApp(t.control, ada, await codeOf(secret)))).toBe('factor.challenge')
    expect(await refusal(removeApp(t.control, ada))).toBe('api.not_found')
  })
})

describe('recovery codes', () => {
  test('each is good once, however it is typed; new ones end the old', async () => {
    const ada = await personNamed('ada@example.com')
    const { codes } = await withPasskey(ada)
    const [first = '', second = '', third = ''] = codes
    const show = (code: string) => refusal(showFactor(t.control, ada, { code }))
    expect(await show(` ${first.toUpperCase().replaceAll('-', ' ')} `)).toBe('done')
    expect(await show(first)).toBe('factor.wrong')
    const both = await Promise.all([show(second), show(second)])
    expect(both.toSorted()).toEqual(['done', 'factor.wrong'])
    const renewed = await renewCodes(t.control, ada)
    expect(await show(third)).toBe('factor.wrong')
    expect(await show(renewed[0] ?? '')).toBe('done')
    expect((await describeFactors(t.control, ada.user, true)).codes.left).toBe(9)
    const eve = await personNamed('eve@example.com')
    expect(await refusal(showFactor(t.control, eve, { code: renewed[1] ?? '' }))).toBe('factor.wrong')
    expect(await refusal(renewCodes(t.control, eve))).toBe('factor.none')
  })
})

describe('a lost device', () => {
  const tokenIn = (text: string) => /token=(ptm_[\w-]+)/.exec(text)?.[1] ?? ''
  const mailedToken = async () => {
    await runAllJobs()
    return tokenIn(t.mails.map(({ text }) => text).findLast((text) => tokenIn(text) !== '') ?? '')
  }

  test('a mail, 72 hours with a mail each day, then every factor and sign-in ends', async () => {
    const ada = await personNamed('ada@example.com')
    await withPasskey(ada)
    await askForRecovery(t.control, ada)
    expect(await refusal(completeRecovery(t.control, ada))).toBe('recovery.over')
    await followRecovery(t.control, ada, await mailedToken())
    expect(await refusal(completeRecovery(t.control, ada))).toBe('recovery.waiting')
    expect(await refusal(askForRecovery(t.control, ada))).toBe('recovery.waiting')
    t.mails.splice(0)
    for (let day = 0; day < 3; day++) {
      expect(await refusal(completeRecovery(t.control, ada))).toBe('recovery.waiting')
      t.clock.advance(24 * 3_600_000)
      await runAllJobs()
    }
    expect(t.mails.map(({ subject }) => subject).filter((one) => one.includes('second factor'))).toHaveLength(
      4,
    )
    const before = t.clock.now()
    await completeRecovery(t.control, ada)
    expect(await describeFactors(t.control, ada.user, false)).toMatchObject({
      passkeys: [],
      codes: { left: 0 },
    })
    const person = (await t.control.store.get(users.ref(ada.user)))?.data
    expect(person).toMatchObject({ hasFactor: false, recoveringUntil: 0 })
    expect(person?.validSince).toBeGreaterThan(before)
    expect(await refusal(completeRecovery(t.control, ada))).toBe('recovery.over')
  })

  test("the link is the person's own, good once and for an hour; a newer one ends it", async () => {
    const ada = await personNamed('ada@example.com')
    const eve = await personNamed('eve@example.com')
    await withPasskey(ada)
    await withPasskey(eve)
    await askForRecovery(t.control, ada)
    const first = await mailedToken()
    expect(await refusal(followRecovery(t.control, eve, first))).toBe('recovery.over')
    await askForRecovery(t.control, ada)
    const token = await mailedToken()
    expect(await refusal(followRecovery(t.control, ada, first))).toBe('recovery.over')
    t.clock.advance(61 * 60_000)
    expect(await refusal(followRecovery(t.control, ada, token))).toBe('recovery.over')
    await askForRecovery(t.control, ada)
    const third = await mailedToken()
    await followRecovery(t.control, ada, third)
    expect(await refusal(followRecovery(t.control, ada, third))).toBe('recovery.over')
  })

  test('any sign-in stops it, a shown factor too, and after a week it is over', async () => {
    const ada = await personNamed('ada@example.com')
    const { passkey } = await withPasskey(ada)
    const begin = async () => {
      await askForRecovery(t.control, ada)
      await followRecovery(t.control, ada, await mailedToken())
    }
    const after = async (ms: number) => {
      t.clock.advance(ms)
      return refusal(completeRecovery(t.control, ada))
    }
    await begin()
    await endRecovery(t.control, { ...ada, signIn: hashSecret('another') })
    expect(await after(73 * 3_600_000)).toBe('recovery.over')
    await begin()
    await showFactor(t.control, ada, { assertion: passkey.sign(await challengeFor(ada)) })
    expect(await after(73 * 3_600_000)).toBe('recovery.over')
    await begin()
    expect(await after((72 + 7 * 24) * 3_600_000 + 1)).toBe('recovery.over')
  })
})
