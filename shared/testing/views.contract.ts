/**
 * Views of operators over any Store: one at a time, used by the sign-in that began it, counted read by read, and ended
 * once whoever ends it. Which routes a view opens is of the API (api/views.test.ts).
 */
import { describe, expect } from 'vitest'
import { isFailure } from '../base/errors.ts'
import { ensureAccount } from '../control/accounts.ts'
import type { Person } from '../control/caller.ts'
import { type Control, controlOf } from '../control/control.ts'
import { makeWorker } from '../control/jobs/kinds.ts'
import { addMember } from '../control/members.ts'
import { runAct } from '../control/operator/acts.ts'
import { views } from '../control/operator/operator-documents.ts'
import { beginView, countRead, endView, lookThrough, readView, viewMs } from '../control/operator/views.ts'
import type { MailMessage, Store } from '../control/platform.ts'
import { queries } from '../control/query-table.ts'
import { enrolledRelayIdentity } from '../control/relay-enrolment.ts'
import { type Cases, casesOn } from './cases.ts'
import { instanceOver } from './claims.contract.ts'
import { FakeClock } from './fake-clock.ts'
import { expectFailure, type MakeStore } from './store.contract.ts'

const reason = 'they asked why a tunnel is offline'

/** Ada owns an account, Bob is a viewer of it, Grace is an operator; mails are caught. */
async function makeViewStage(store: Store) {
  const clock = new FakeClock()
  const mails: MailMessage[] = []
  const mail = { send: async (message: MailMessage) => void mails.push(message) }
  const control = { ...instanceOver(store, clock), mail } as unknown as Control
  const signUp = async (name: string): Promise<{ person: Person; account: string }> => {
    const email = `${name}@example.com`
    const claims = { subject: `test:${name}`, email, emailVerified: true, authTimeMs: clock.now() }
    const { user, members } = await ensureAccount(control, claims, { plan: 'unlimited' })
    const signIn = { id: `signed in as ${name}` } as Person['signIn']
    return { person: { id: user, email, emailVerified: true, signIn }, account: members[0]?.account ?? '' }
  }
  const [ada, bob, grace] = [await signUp('ada'), await signUp('bob'), await signUp('grace')]
  const { account } = ada
  const member = { user: bob.person.id, role: 'viewer', actor: 'test' } as const
  await addMember(controlOf(control, account), member)
  const act = (act: 'operators.add' | 'operators.remove', { id }: Person) => {
    const enrolment = enrolledRelayIdentity({ store, clock })
    return runAct({ control, enrolment }, { act, input: { who: id }, operator: 'test' })
  }
  await act('operators.add', grace.person)
  const worker = makeWorker(control, 4)
  return {
    control,
    clock,
    mails,
    account,
    bob: bob.person,
    grace: grace.person,
    act,
    begin: (person?: string) => beginView(control, grace.person, { account, person, reason }),
    async work() {
      for (let round = 0; round < 4; round++) {
        clock.advance(1_000)
        await worker.round(60_000)
      }
    },
    /** Why each view ended, the newest first, with what was read in it. */
    async ends() {
      const where = { account }
      const { items } = await store.query(queries.auditOfAccount, { where, limit: 50 })
      return items.flatMap(({ data }) =>
        data.action === 'view.ended'
          ? [JSON.parse(data.body ?? '{}').details as { why: string; reads: object }]
          : [],
      )
    },
  }
}

export function describeViews(name: string, make: MakeStore, cases: Cases = 'all'): void {
  describe(`views of operators on ${name}`, () => {
    const { race, rule } = casesOn(make, makeViewStage, cases)

    race('two that one operator begins at once: one is there, and the other has ended', async (s) => {
      const begun = await Promise.all([s.begin(), s.begin(s.bob.id)])
      const now = await readView(s.control, s.grace.id)
      const [other] = begun.filter(({ id }) => id !== now?.id)
      expect(begun.map(({ id }) => id)).toContain(now?.id)
      expect((await s.ends()).map(({ why }) => why)).toEqual(['another began'])
      const asked = { view: other?.id ?? '', from: '' }
      await expectFailure(lookThrough(s.control, s.grace, asked), 'view.over')
    })

    race('reads at once are all counted, and the log has them', async (s) => {
      const { id: view } = await s.begin()
      await Promise.all(
        ['readMe', 'listTunnels', 'readMe', 'readMe', 'listTunnels', 'readMe'].map((read) =>
          countRead(s.control, s.grace, { view, read }),
        ),
      )
      await endView(s.control, s.grace.id)
      expect(await s.ends()).toMatchObject([{ why: 'by hand', reads: { readMe: 4, listTunnels: 2 } }])
      await expectFailure(countRead(s.control, s.grace, { view, read: 'readMe' }), 'view.over')
    })

    race('a read at the moment of the end is in the log, or is refused', async (s) => {
      const { id: view } = await s.begin()
      const read = countRead(s.control, s.grace, { view, read: 'readMe' }).then(
        () => 1,
        (error: unknown) => {
          if (isFailure(error, 'view.over')) return 0
          throw error
        },
      )
      const [counted] = await Promise.all([read, endView(s.control, s.grace.id)])
      expect(await s.ends()).toMatchObject([{ reads: counted === 1 ? { readMe: 1 } : {} }])
    })

    race(
      'ended by hand, by time and with the role at once, it ends once, and all are told once',
      async (s) => {
        await s.begin(s.bob.id)
        s.clock.advance(viewMs)
        await Promise.all([endView(s.control, s.grace.id), s.act('operators.remove', s.grace), s.work()])
        await s.work()
        expect(await s.ends()).toHaveLength(1)
        expect(await s.control.store.get(views.ref(s.grace.id))).toBeUndefined()
        const told = s.mails.filter(({ subject }) => subject.startsWith('An operator looked'))
        expect(told.map(({ to }) => to).toSorted()).toEqual(['ada@example.com', 'bob@example.com'])
      },
    )

    rule(
      'it shows the account as its owner, or as the member, and is good for one sign-in alone',
      async (s) => {
        const first = { view: (await s.begin()).id, from: '' }
        expect(await lookThrough(s.control, s.grace, first)).toMatchObject({
          caller: { account: s.account, role: 'owner', member: '' },
        })
        const second = { view: (await s.begin(s.bob.id)).id, from: '' }
        expect(await lookThrough(s.control, s.grace, second)).toMatchObject({
          caller: { account: s.account, role: 'viewer' },
          person: { person: { id: s.bob.id } },
        })
        const elsewhere = { ...s.grace, signIn: { id: 'another' } as Person['signIn'] }
        await expectFailure(lookThrough(s.control, elsewhere, second), 'view.over')
        await expectFailure(lookThrough(s.control, s.bob, second), 'view.over')
      },
    )

    rule('half an hour ends it, whether or not anybody looks', async (s) => {
      const asked = { view: (await s.begin()).id, from: '' }
      s.clock.advance(viewMs)
      await expectFailure(lookThrough(s.control, s.grace, asked), 'view.over')
      expect(await s.ends()).toEqual([])
      await s.work()
      expect((await s.ends()).map(({ why }) => why)).toEqual(['half an hour is over'])
    })

    rule('operators, and accounts that one of them owns, are not viewed', async (s) => {
      await s.act('operators.add', s.bob)
      await expectFailure(s.begin(s.bob.id), 'view.operator')
      await s.begin()
      await addMember(controlOf(s.control, s.account), {
        user: s.grace.id,
        role: 'owner',
        actor: 'test',
      })
      await expectFailure(s.begin(), 'view.operator')
    })
  })
}
