import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { makeTestControl, type TestControl } from '../../standalone/testing/control.ts'
import { hashSecret } from '../base/ids.ts'
import { ensureAccount, setAccountStatus } from './accounts.ts'
import type { Control } from './control.ts'
import { rates } from './documents.ts'
import { runAct } from './operator/acts.ts'
import { confirmWaiting, joinWaitList, waitingRef } from './wait-list.ts'

const hour = 3_600_000
const day = 24 * hour
const email = 'bob@example.com'
let t: TestControl
let beta: Control
beforeEach(() => {
  t = makeTestControl()
  beta = { ...t.control, settings: { ...t.control.settings, registration: 'beta' } }
})
afterEach(() => t.close())

const join = (address = email, from = '192.0.2.1') => joinWaitList(beta, { email: address, from })
/** A job's mail is a job too, perhaps in a shard that the round has left. */
async function runJobs(): Promise<void> {
  for (let round = 0; round < 3; round++) await t.runJobs()
}

const rowsSchema = z.array(z.looseObject({ email: z.string(), code: z.string().optional() }))

async function act(name: string, input: object, control = beta) {
  const office = { control, enrolment: t.relayIdentity }
  return rowsSchema.parse(await runAct(office, { act: name, input, operator: 'grace' }))
}

/** What the link in the last mail to `address` brings. */
function linked(pattern: RegExp, address = email): string {
  const text = t.mails.filter(({ to }) => to === address).at(-1)?.text ?? ''
  const [, found = ''] = pattern.exec(text) ?? []
  return decodeURIComponent(found)
}
const token = () => linked(/wait-list\?token=(\S+)/)

async function waitAs(address: string): Promise<void> {
  await join(address)
  await runJobs()
  await confirmWaiting(beta, linked(/wait-list\?token=(\S+)/, address))
}

describe('waiting list', () => {
  test('from the request to the account: confirmed by mail, invited in order, and seen to have come', async () => {
    await waitAs(email)
    t.clock.advance(1_000)
    await waitAs('carl@example.com')
    expect(await act('waitlist.list', {})).toMatchObject([{ email }, { email: 'carl@example.com' }])
    const [row] = await act('waitlist.invite', { count: 1, plan: 'team' })
    expect(row).toMatchObject({ email })
    expect(row).not.toHaveProperty('code')
    expect(await act('waitlist.list', { state: 'invited' })).toMatchObject([{ email, invite: row?.invite }])
    await runJobs()
    const invite = linked(/register\?code=(\S+)/)
    const person = { subject: 'test:bob', email: 'Bob@example.com', emailVerified: true, authTimeMs: 0 }
    const { members } = await ensureAccount(beta, person, { invite })
    const [came] = await act('waitlist.list', { state: 'came' })
    expect(came).toMatchObject({ email, account: members[0]?.account })
    expect(await act('waitlist.list', {})).toMatchObject([{ email: 'carl@example.com' }])
    // The code is not in the store as it was sent.
    expect(JSON.stringify(came)).not.toContain(invite)
  })

  test('a request says the same of every address, and nobody gets more than one mail a day', async () => {
    await t.caller('ada@example.com')
    for (const address of [email, ' BOB@example.com', 'ada@example.com']) await join(address)
    await runJobs()
    expect(t.mails.map(({ to }) => to).toSorted()).toEqual(['ada@example.com', email])
    const first = token()
    await join()
    await runJobs()
    expect(t.mails).toHaveLength(2)
    t.clock.advance(day + 1)
    await join()
    await runJobs()
    expect(t.mails).toHaveLength(3)
    await expect(confirmWaiting(beta, first)).rejects.toMatchObject({ key: 'waitlist.link' })
    await confirmWaiting(beta, token())
    await confirmWaiting(beta, token())
    t.clock.advance(2 * day)
    await join()
    await runJobs()
    expect(t.mails).toHaveLength(3)
    expect(await act('waitlist.list', {})).toHaveLength(1)
  })

  test('a link that is followed while another mail is being written keeps its place', async () => {
    await join()
    await runJobs()
    const first = token()
    t.clock.advance(day + 1)
    await join()
    const { vault } = t.control
    const wrap = vi.spyOn(vault, 'wrap').mockImplementationOnce(async (plain) => {
      await confirmWaiting(beta, first)
      return plain.reveal()
    })
    await runJobs()
    expect(wrap).toHaveBeenCalledTimes(1)
    wrap.mockRestore()
    expect(await act('waitlist.list', {})).toMatchObject([{ email }])
    expect(t.mails).toHaveLength(1)
  })

  test('a link works for seven days, and what is none is refused', async () => {
    await join()
    await runJobs()
    for (const wrong of ['', 'x', `${'0'.repeat(64)}.${token().slice(65)}`, `${token()}x`])
      await expect(confirmWaiting(beta, wrong)).rejects.toMatchObject({ key: 'waitlist.link' })
    t.clock.advance(7 * day)
    await expect(confirmWaiting(beta, token())).rejects.toMatchObject({ key: 'waitlist.link' })
  })

  test('a network asks ten times an hour, and without a beta there is no list', async () => {
    for (let n = 0; n < 10; n++) await join(`p${n}@example.com`)
    await expect(join('p10@example.com')).rejects.toMatchObject({ key: 'api.rate' })
    await join('p10@example.com', '198.51.100.1')
    const asked = { email, from: '203.0.113.1' }
    await expect(joinWaitList(t.control, asked)).rejects.toMatchObject({ key: 'api.not_found' })
  })

  test('a network asks twenty times a day, and repeats of an address use up nothing of what all may ask for', async () => {
    const allOfDay = async () => {
      const window = Math.floor(t.clock.now() / day)
      const id = `waitlist.all:${hashSecret('all').slice(0, 32)}:${window}`
      return (await t.control.store.get(rates.ref(id)))?.data.count
    }
    t.clock.advance(day - (t.clock.now() % day))
    for (let n = 0; n < 10; n++) await join()
    t.clock.advance(hour)
    for (let n = 0; n < 10; n++) await join(n < 8 ? ' BOB@example.com' : `p${n}@example.com`)
    expect(await allOfDay()).toBe(3)
    t.clock.advance(hour)
    await expect(join()).rejects.toMatchObject({ key: 'api.rate' })
    t.clock.advance(day)
    await join()
  })

  test('without mail an address counts at once, and the operator gets the codes to send', async () => {
    const { control, mails } = t
    Object.assign(control.mail, { isAbsent: true })
    await join()
    await runJobs()
    const [row] = await act('waitlist.invite', { count: 5 })
    expect(row).toMatchObject({ email, code: expect.stringMatching(/^pti_/) })
    expect(await act('waitlist.invite', { count: 5 })).toEqual([])
    await runJobs()
    expect(mails).toEqual([])
  })

  test('whoever did not come by the end of the invitation may ask again', async () => {
    await waitAs(email)
    await act('waitlist.invite', { count: 1, days: 14 })
    t.clock.advance(14 * day)
    await join()
    await runJobs()
    await confirmWaiting(beta, token())
    expect(await act('waitlist.list', {})).toMatchObject([{ email }])
  })

  test('an address is forgotten when its person asks for it, and with the account of its person', async () => {
    await waitAs(email)
    await runAct(
      { control: beta, enrolment: t.relayIdentity },
      { act: 'waitlist.remove', input: { email: ' Bob@example.com ' }, operator: 'grace' },
    )
    expect(await t.control.store.get(waitingRef(email))).toBeUndefined()
    await expect(act('waitlist.remove', { email })).rejects.toMatchObject({ key: 'operator.missing' })
    await waitAs('ada@example.com')
    const ada = await t.caller('ada@example.com')
    await setAccountStatus(t.control, ada.account, 'closed')
    for (let n = 0; n < 6; n++) {
      t.clock.advance(6 * day)
      await runJobs()
    }
    expect(await t.control.store.get(waitingRef('ada@example.com'))).toBeUndefined()
  })
})
