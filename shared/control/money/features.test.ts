import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../../standalone/testing/control.ts'
import { startExport } from '../audit/export.ts'
import { controlOf } from '../control.ts'
import { accounts, members } from '../documents.ts'
import { addDomain } from '../domains/domains.ts'
import { setFactorPolicy } from '../factors/policy.ts'
import { createService } from '../members.ts'
import { runAct } from '../operator/acts.ts'
import { acceptInvitation, invite } from '../team/invitations.ts'
import { howToLift } from './lifting.ts'

let t: TestControl
beforeEach(async () => {
  t = makeTestControl({ plan: 'free' })
  await t.openCell()
})
afterEach(() => t.close())

type Asking = Awaited<ReturnType<TestControl['caller']>>
const give = (account: string, plan: string) =>
  runAct(
    { control: t.control, enrolment: t.relayIdentity },
    { act: 'accounts.plan', input: { id: account, plan }, operator: 'grace' },
  )
const ask = {
  wildcards: (ada: Asking) => addDomain(t.control, ada, { host: '*.apps.example.com' }),
  teamPolicies: (ada: Asking) => {
    const user = ada.user && { ...ada.user, hasFactor: true }
    return setFactorPolicy(controlOf(t.control, ada.account), { ...ada, ...(user && { user }) }, true)
  },
  auditExport: (ada: Asking) =>
    startExport(controlOf(t.control, ada.account), ada, { from: 0, to: Number.MAX_SAFE_INTEGER }),
}

test.each([
  ['wildcards', 'Pro'],
  ['teamPolicies', 'Team'],
  ['auditExport', 'Team'],
] as const)('features: %s needs a plan that has it, and the refusal says which', async (feature, title) => {
  const ada = await t.caller('ada@example.com')
  const error = await ask[feature](ada).catch((thrown) => thrown)
  expect(error).toMatchObject({ key: 'plan.feature', fields: { lacks: feature } })
  expect(await howToLift(t.control, error)).toBe(`The plan ${title} has it: https://tunnel.example.com/plans`)
  await give(ada.account, 'team')
  await ask[feature](ada)
})

test('features: what an account of an earlier release could do it still can', async () => {
  const ada = await t.caller('ada@example.com')
  const { granted: _, ...before } = (await t.control.store.get(accounts.ref(ada.account)))?.data ?? {}
  await t.control.store.set(accounts.ref(ada.account), before as never)
  await ask.wildcards(ada)
})

test('seats: an invitation takes one, services take none, and a full plan refuses', async () => {
  const ada = await t.caller('ada@example.com')
  const send = (email: string) => invite(t.control, ada, { email, role: 'viewer' })
  const error = await send('bob@example.com').catch((thrown) => thrown)
  expect(error).toMatchObject({ key: 'plan.seats', fields: { beyond: { limit: 'seats', needs: 2 } } })
  expect(await howToLift(t.control, error)).toBe(
    'The plan Team has room for 100: https://tunnel.example.com/plans',
  )
  await give(ada.account, 'team')
  await createService(controlOf(t.control, ada.account), ada, { name: 'ci', role: 'developer' })
  await send('bob@example.com')
  await send('bob@example.com')
  await send('cy@example.com')
  await expect(send('dee@example.com')).rejects.toMatchObject({ key: 'plan.seats' })
})

test('seats: a plan that became smaller refuses who accepts an invitation, and keeps who is there', async () => {
  const ada = await t.caller('ada@example.com')
  await give(ada.account, 'team')
  await invite(t.control, ada, { email: 'bob@example.com', role: 'viewer' })
  await give(ada.account, 'free')
  const bob = await t.caller('bob@example.com')
  const token = await linkTo('bob@example.com')
  const accept = () => acceptInvitation(t.control, bob.user ?? expect.fail('a person'), { token, from: '' })
  await expect(accept()).rejects.toMatchObject({ key: 'plan.seats' })
  await give(ada.account, 'team')
  await accept()
  await give(ada.account, 'free')
  expect(await t.control.store.get(members.ref(`${ada.account}:${bob.member}`))).toBeDefined()
})

/** The token of the mail to this address. */
async function linkTo(email: string): Promise<string> {
  await t.runJobs()
  const mail = t.mails.findLast(({ to, text }) => to === email && text.includes('invitation='))
  return decodeURIComponent(/invitation=(\S+)/.exec(mail?.text ?? '')?.[1] ?? '')
}
