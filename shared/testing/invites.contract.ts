/**
 * Invite codes over any Store: the last place goes to one of those who want it at the same time, and who is too late
 * has nothing.
 */
import { describe, expect } from 'vitest'
import { isFailure } from '../base/errors.ts'
import { hashSecret } from '../base/ids.ts'
import { ensureAccount } from '../control/accounts.ts'
import type { Control } from '../control/control.ts'
import { accounts, users } from '../control/documents.ts'
import { invites, newInviteCode, writeInvite } from '../control/invites.ts'
import { runAct } from '../control/operator/acts.ts'
import type { Store } from '../control/platform.ts'
import { queries } from '../control/query-table.ts'
import { enrolledRelayIdentity } from '../control/relay-enrolment.ts'
import { waitingRef } from '../control/wait-list.ts'
import { type Cases, casesOn } from './cases.ts'
import { instanceOver } from './claims.contract.ts'
import { FakeClock } from './fake-clock.ts'
import { expectFailure, type MakeStore } from './store.contract.ts'

const day = 24 * 3_600_000

function betaOver(store: Store, clock: FakeClock): Control {
  const control = instanceOver(store, clock)
  return { ...control, settings: { ...control.settings, registration: 'beta' } }
}

async function makeCode({ store, clock }: Control, places: number): Promise<string> {
  const code = newInviteCode()
  const wish = { places, days: 14, plan: 'pro', note: '', by: 'test' } as const
  await store.transact(async (tx) => writeInvite(tx, code, { wish, nowMs: clock.now() }))
  return code
}

const personOf = (name: string) => {
  const email = `${name}@example.com`
  return { subject: `test:${name}`, email, emailVerified: true, authTimeMs: 0 }
}

export function describeInvites(name: string, make: MakeStore, cases: Cases = 'all'): void {
  describe(`invites on ${name}`, () => {
    const { race, rule } = casesOn(make, (store) => ({ store, clock: new FakeClock(1_000) }), cases)

    race(
      'six people want two places at once: two get accounts, with the plan of the code',
      async ({ store, clock }) => {
        const controls = [betaOver(store, clock), betaOver(store, clock)]
        const invite = await makeCode(betaOver(store, clock), 2)
        const outcomes = await Promise.all(
          Array.from({ length: 6 }, async (_, n) => {
            const control = controls[n % 2] ?? betaOver(store, clock)
            try {
              return (await ensureAccount(control, personOf(`p${n}`), { invite })).members[0]?.account
            } catch (error) {
              if (!isFailure(error, 'invite.invalid')) throw error
              return undefined
            }
          }),
        )
        const made = outcomes.filter((account) => account !== undefined)
        expect(made).toHaveLength(2)
        const kept = await store.get(invites.ref(hashSecret(invite)))
        expect(kept?.data.accounts.toSorted()).toEqual(made.toSorted())
        for (const account of made) expect((await store.get(accounts.ref(account)))?.data.plan).toBe('pro')
        const { items } = await store.query(queries.usersByEmail, {
          where: { email: 'p0@example.com' },
          limit: 5,
        })
        expect(items).toHaveLength(outcomes[0] === undefined ? 0 : 1)
      },
    )

    rule('a person who comes again gets their account, and takes one place', async ({ store, clock }) => {
      const control = betaOver(store, clock)
      const invite = await makeCode(control, 5)
      const [first, again] = [
        await ensureAccount(control, personOf('ada'), { invite }),
        await ensureAccount(control, personOf('ada'), { invite }),
      ]
      expect(again).toEqual(first)
      expect(await ensureAccount(control, personOf('ada'))).toEqual(first)
      expect((await store.get(invites.ref(hashSecret(invite))))?.data.accounts).toHaveLength(1)
      expect(await store.get(users.ref(first.user))).toBeDefined()
    })

    race(
      'two operators invite the next three at once: each of the three gets one code',
      async ({ store, clock }) => {
        const control = betaOver(store, clock)
        const ttl = new Date(clock.now() + 400 * day)
        const blank = { state: 'waiting', proof: '', invite: '', cameAs: '', ttl } as const
        for (let n = 0; n < 3; n++) {
          const email = `w${n}@example.com`
          await store.create(waitingRef(email), { ...blank, email, at: n + 1 })
        }
        Object.assign(control.mail, { isAbsent: true })
        const order = { act: 'waitlist.invite', input: { count: 3 }, operator: 'grace' }
        const office = { control, enrolment: enrolledRelayIdentity({ store, clock }) }
        const rows = (await Promise.all([runAct(office, order), runAct(office, order)])).flat()
        expect(rows.map((row) => (row as { email: string }).email).toSorted()).toEqual(
          Array.from({ length: 3 }, (_, n) => `w${n}@example.com`),
        )
        const { items } = await store.query(queries.invitesByTime, { where: {}, limit: 10 })
        expect(items).toHaveLength(3)
      },
    )

    rule('without a valid code nobody comes in but by the operator', async ({ store, clock }) => {
      const control = betaOver(store, clock)
      const [late, revoked] = [await makeCode(control, 1), await makeCode(control, 1)]
      await store.update(invites.ref(hashSecret(revoked)), { revokedAt: 1 })
      clock.advance(14 * day)
      await expectFailure(ensureAccount(control, personOf('ada')), 'auth.invite')
      for (const invite of [late, revoked, newInviteCode(), ''])
        await expectFailure(ensureAccount(control, personOf('ada'), { invite }), 'invite.invalid')
      expect((await ensureAccount(control, personOf('ada'), { plan: 'team' })).members).toHaveLength(1)
    })
  })
}
