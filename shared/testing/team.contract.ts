/**
 * The promises of teams, for any Store: only the invited person comes in, once, while whoever invited them may; and
 * whoever leaves has nothing left. The attacks are a table.
 */
import { describe, expect } from 'vitest'
import type { Role } from '../api/schemas/access.ts'
import { isFailure } from '../base/errors.ts'
import { ensureAccount, eraseAfterMs, readAccount, setAccountStatus } from '../control/accounts.ts'
import type { Caller, Person } from '../control/caller.ts'
import { type Control, controlOf } from '../control/control.ts'
import { authorizeDevice, decideDevice } from '../control/devices.ts'
import { type MemberDoc, members, users } from '../control/documents.ts'
import { makeWorker } from '../control/jobs/kinds.ts'
import { createKey, revokeKey } from '../control/keys.ts'
import { leaveAccount } from '../control/leaving/accounts.ts'
import { lookToBounce } from '../control/mail/addresses.ts'
import {
  addMember,
  changeRole,
  createService,
  emailOf,
  handOver,
  listMembers,
  removeMember,
} from '../control/members.ts'
import type { MailMessage, Store } from '../control/platform.ts'
import { personCaller } from '../control/principals.ts'
import { queries } from '../control/query-table.ts'
import { quotas } from '../control/quota-documents.ts'
import { moveToAccount } from '../control/reservation-moves.ts'
import {
  acceptInvitation,
  invite,
  listInvitations,
  readInvitation,
  revokeInvitation,
} from '../control/team/invitations.ts'
import { hasInvitation, invitationMs, isInvited } from '../control/team/open-invitations.ts'
import { type Cases, casesOn } from './cases.ts'
import { instanceOver } from './claims.contract.ts'
import { FakeClock } from './fake-clock.ts'
import type { MakeStore } from './store.contract.ts'

const minute = 60_000
const bobs = 'bob@example.com'

/** Ada owns an account, Bob and Eve have their own; mails are caught. */
async function makeTeamStage(store: Store) {
  const clock = new FakeClock()
  const mails: MailMessage[] = []
  const mail = { send: async (message: MailMessage) => void mails.push(message) }
  const identity = {
    kind: 'local',
    forget: async () => {},
    endSignIns: async () => {},
    moveAddress: async () => {},
  }
  const control = { ...instanceOver(store, clock), mail, identity } as unknown as Control
  const signUp = async (email: string): Promise<Caller> => {
    const claims = {
      subject: `test:${email.split('@')[0]}`,
      email,
      emailVerified: true,
      authTimeMs: clock.now(),
    }
    const { user, members: of } = await ensureAccount(control, claims, { plan: 'unlimited' })
    const [member] = of
    if (!member) throw new Error('no member')
    const { data } = await readAccount(control, member.account)
    return personCaller(data, { person: { id: user, email, emailVerified: true }, member, from: '' })
  }
  const ada = await signUp('ada@example.com')
  const bob = await signUp(bobs)
  const eve = await signUp('eve@example.com')
  const worker = makeWorker(control, 4)
  const own = controlOf(control, ada.account)
  const personOf = ({ user }: Caller): Person => {
    if (!user) throw new Error('a key')
    return user
  }
  /** A job may leave mails, which are jobs too. */
  const work = async () => {
    for (let round = 0; round < 3; round++) {
      clock.advance(1_000)
      await worker.round(60_000)
    }
  }
  return {
    control,
    clock,
    mails,
    ada,
    bob,
    eve,
    own,
    personOf,
    work,
    /** What somebody may do as a member of Ada's account. */
    async actingIn(caller: Caller): Promise<Caller> {
      const member = await store.get(members.ref(`${ada.account}:${caller.member}`))
      if (!member) throw new Error('no member')
      const { data } = await readAccount(control, ada.account)
      return personCaller(data, { person: personOf(caller), member: member.data, from: '' })
    },
    /** @returns the token of the mailed link */
    async invite(email = bobs, role: Role = 'developer', by = ada): Promise<string> {
      await invite(control, by, { email, role })
      await work()
      const sent = mails.findLast(({ to, subject }) => to === email && subject.startsWith('Invitation'))
      return decodeURIComponent(/invitation=(\S+)/.exec(sent?.text ?? '')?.[1] ?? '')
    },
    accept: (token: string, by: Person) => acceptInvitation(control, by, { token, from: '192.0.2.9' }),
    async remove(caller: Caller, by: Caller = ada) {
      const id = caller.member
      await removeMember(own, by, { id, email: await emailOf(control, id) })
    },
    who: async () => (await listMembers(control, ada.account)).map(({ email, role }) => `${email} ${role}`),
    count: async () => (await store.get(quotas.ref(ada.account)))?.data.members,
  }
}
type Stage = Awaited<ReturnType<typeof makeTeamStage>>

async function outcome(done: Promise<unknown>): Promise<string> {
  try {
    await done
    return 'done'
  } catch (error) {
    if (isFailure(error)) return error.key
    throw error
  }
}

type Attack = readonly [what: string, run: (stage: Stage) => Promise<string>, refused: string]

const attacks: readonly Attack[] = [
  [
    'a mailed link that was passed on, used by another person',
    async ({ invite: send, accept, personOf, eve }) => outcome(accept(await send(), personOf(eve))),
    'invitation.other',
  ],
  [
    'the right address, which nobody has proven',
    async ({ invite: send, accept, personOf, bob }) =>
      outcome(accept(await send(), { ...personOf(bob), emailVerified: false })),
    'auth.unverified',
  ],
  [
    'another address that only looks like it',
    async ({ invite: send, accept, personOf, eve }) =>
      outcome(accept(await send(), { ...personOf(eve), email: 'bob@exаmple.com' })),
    'invitation.other',
  ],
  [
    'a second use',
    async ({ invite: send, accept, personOf, bob, remove }) => {
      const token = await send()
      await accept(token, personOf(bob))
      await remove(bob)
      return outcome(accept(token, personOf(bob)))
    },
    'invitation.over',
  ],
  [
    'the first link after a second was sent',
    async ({ invite: send, accept, personOf, bob }) => {
      const first = await send()
      await send()
      return outcome(accept(first, personOf(bob)))
    },
    'invitation.over',
  ],
  [
    'one that was taken back',
    async ({ control, invite: send, accept, personOf, ada, bob }) => {
      const token = await send()
      await revokeInvitation(control, ada, token.split('.')[0] ?? '')
      return outcome(accept(token, personOf(bob)))
    },
    'invitation.over',
  ],
  [
    'one that is over, on a store that has not deleted it',
    async ({ clock, invite: send, accept, personOf, bob }) => {
      const token = await send()
      clock.advance(invitationMs)
      return outcome(accept(token, personOf(bob)))
    },
    'invitation.over',
  ],
  [
    'the id without the secret, or with a guessed one',
    async ({ invite: send, accept, personOf, bob }) => {
      const token = await send()
      const [id = ''] = token.split('.')
      const guesses = [id, `${id}.`, `${id}.ptj_${'A'.repeat(43)}`, `${token}x`, '', 'x'.repeat(10_000)]
      const said = new Set<string>()
      for (const guess of guesses) said.add(await outcome(accept(guess, personOf(bob))))
      return [...said].join()
    },
    'invitation.over',
  ],
  [
    'an older invitation, after the person was added by other means and removed',
    async ({ own, invite: send, accept, personOf, bob, remove }) => {
      const token = await send()
      await addMember(own, { user: bob.member, role: 'viewer', actor: 'operator:grace' })
      await remove(bob)
      return outcome(accept(token, personOf(bob)))
    },
    'invitation.over',
  ],
  [
    'an invitation by somebody who was removed since',
    async (stage) => {
      const { own, invite: send, accept, personOf, bob, eve, remove } = stage
      await addMember(own, { user: eve.member, role: 'admin', actor: 'test' })
      const token = await send(bobs, 'developer', await stage.actingIn(eve))
      await remove(eve)
      return outcome(accept(token, personOf(bob)))
    },
    'invitation.over',
  ],
  [
    'an invitation by somebody who is no admin any more',
    async (stage) => {
      const { own, ada, invite: send, accept, personOf, bob, eve } = stage
      await addMember(own, { user: eve.member, role: 'admin', actor: 'test' })
      const token = await send(bobs, 'developer', await stage.actingIn(eve))
      await changeRole(own, ada, { member: eve.member, role: 'developer' })
      return outcome(accept(token, personOf(bob)))
    },
    'invitation.over',
  ],
  [
    'an admin who invites an owner',
    async (stage) => {
      await addMember(stage.own, { user: stage.eve.member, role: 'admin', actor: 'test' })
      const by = await stage.actingIn(stage.eve)
      return outcome(invite(stage.control, by, { email: bobs, role: 'owner' }))
    },
    'auth.scope',
  ],
  [
    'an admin who takes back the invitation of an owner',
    async (stage) => {
      const token = await stage.invite(bobs, 'owner')
      await addMember(stage.own, { user: stage.eve.member, role: 'admin', actor: 'test' })
      const by = await stage.actingIn(stage.eve)
      return outcome(revokeInvitation(stage.control, by, token.split('.')[0] ?? ''))
    },
    'auth.scope',
  ],
  [
    'a developer who invites',
    async (stage) => {
      await addMember(stage.own, { user: stage.eve.member, role: 'developer', actor: 'test' })
      const by = await stage.actingIn(stage.eve)
      return outcome(invite(stage.control, by, { email: bobs, role: 'viewer' }))
    },
    'auth.scope',
  ],
  [
    'a key of an owner that invites',
    async ({ control, ada }) => {
      const { user: _, ...key } = ada
      return outcome(invite(control, key, { email: bobs, role: 'viewer' }))
    },
    'auth.person',
  ],
  [
    'somebody of another account who takes it back',
    async ({ control, invite: send, eve }) =>
      outcome(revokeInvitation(control, eve, (await send()).split('.')[0] ?? '')),
    'api.not_found',
  ],
  [
    'a suspended account',
    async ({ control, own, ada, invite: send, accept, personOf, bob }) => {
      const token = await send()
      await setAccountStatus({ ...control, store: own.store }, ada.account, 'suspended')
      return outcome(accept(token, personOf(bob)))
    },
    'account.suspended',
  ],
  [
    'a closed account',
    async ({ control, own, ada, invite: send, accept, personOf, bob }) => {
      const token = await send()
      await setAccountStatus({ ...control, store: own.store }, ada.account, 'closed')
      return outcome(accept(token, personOf(bob)))
    },
    'account.closed',
  ],
  [
    'an invitation of a member',
    async ({ control, own, ada, bob }) => {
      await addMember(own, { user: bob.member, role: 'viewer', actor: 'test' })
      return outcome(invite(control, ada, { email: ' BOB@example.com', role: 'admin' }))
    },
    'member.exists',
  ],
  [
    'an address that a mail server has refused',
    async ({ control, ada, clock }) => {
      const { store } = control
      await store.transact(async (tx) =>
        (await lookToBounce(tx, bobs, { reply: '550 5.1.1', nowMs: clock.now() }))(),
      )
      return outcome(invite(control, ada, { email: bobs, role: 'viewer' }))
    },
    'mail.refused',
  ],
  [
    'a fifty-first open invitation',
    async ({ control, ada, clock }) => {
      for (let n = 0; n < 50; n++) {
        await invite(control, ada, { email: `p${n}@example.com`, role: 'viewer' })
        if (n === 25) clock.advance(24 * 60 * minute)
      }
      return outcome(invite(control, ada, { email: bobs, role: 'viewer' }))
    },
    'invitation.limit',
  ],
  [
    'a flood of invitations and take-backs',
    async ({ control, ada }) => {
      for (let n = 0; n < 60; n++) {
        const said = await outcome(invite(control, ada, { email: bobs, role: 'viewer' }))
        if (said !== 'done') return said
      }
      return 'done'
    },
    'mail.limit',
  ],
]

/** How Bob, an owner, loses his rights while another process still knows him as one; and how his acts are refused. */
const losses: readonly (readonly [how: string, member: Partial<MemberDoc> | undefined, refused: string])[] = [
  ['a lower role', { role: 'viewer' }, 'auth.scope'],
  ['a membership that was disabled', { status: 'disabled' }, 'auth.scope'],
  ['a membership that ended', undefined, 'auth.scope'],
  ['a sign-in that was ended with its keys', { keysSince: 1 }, 'auth.invalid'],
]

/** All that would outlast the right. @returns what each was answered */
async function tryAll(stage: Stage, late: Caller): Promise<Readonly<Record<string, string>>> {
  const { control, own, ada, eve } = stage
  const ci = await createService(own, ada, { name: 'ci', role: 'admin' })
  const key = { name: 'k', scopes: ['admin'] } as const
  const adas = await createKey(own, ada, key)
  const invited = await invite(control, ada, { email: 'cy@example.com', role: 'viewer' })
  const { userCode } = await authorizeDevice(control, { device: 'x', scope: 'admin', from: '192.0.2.9' })
  const before = [await stage.who(), await stage.count()]
  const acts: Readonly<Record<string, () => Promise<unknown>>> = {
    'own role': () => changeRole(own, late, { member: late.member, role: 'owner' }),
    "another's role": () => changeRole(own, late, { member: ada.member, role: 'viewer' }),
    'a service': () => createService(own, late, { name: 's', role: 'admin' }),
    'a key of a service': () => createKey(own, late, { ...key, member: ci.id }),
    'an own key': () => createKey(own, late, key),
    "another's key": () => revokeKey(own, late, adas.key.id),
    'an invitation': () => invite(control, late, { email: 'dee@example.com', role: 'owner' }),
    'an invitation taken back': () => revokeInvitation(control, late, invited.id),
    'a removal': () => stage.remove(eve, late),
    'the account handed over': () => handOver(own, late, eve.member),
    'the account closed': () => leaveAccount(own, late),
    'a device': () => decideDevice(control, late, { userCode, approve: true }),
    'a name moved': () => moveToAccount(control, late, { id: 'host:none', account: late.account }),
  }
  const said: Record<string, string> = {}
  for (const [what, act] of Object.entries(acts)) said[what] = await outcome(act())
  expect([await stage.who(), await stage.count()]).toEqual(before)
  return said
}

export function describeTeam(name: string, make: MakeStore, cases: Cases = 'all'): void {
  const { race, rule } = casesOn(make, makeTeamStage, cases)

  describe(`teams: ${name}`, () => {
    for (const [what, run, refused] of attacks)
      rule(`attack: ${what}`, async (stage) => {
        expect(await run(stage)).toBe(refused)
        expect((await stage.who()).filter((member) => member.startsWith('bob'))).toEqual(
          what === 'an invitation of a member' ? [`${bobs} viewer`] : [],
        )
      })

    for (const [how, loss, refused] of losses)
      rule(`a right is gone at once for all that would outlast it: ${how}`, async (stage) => {
        const { control, own, ada, bob, eve } = stage
        await addMember(own, { user: bob.member, role: 'owner', actor: 'test' })
        await addMember(own, { user: eve.member, role: 'developer', actor: 'test' })
        const late = await stage.actingIn(bob)
        const person = { ...stage.personOf(late), authTimeMs: 0 }
        const ref = members.ref(`${ada.account}:${bob.member}`)
        await (loss ? control.store.update(ref, loss) : control.store.delete(ref))
        const said = await tryAll(stage, { ...late, user: person })
        const nothing = loss ? refused : 'api.not_found'
        for (const [what, one] of Object.entries(said))
          expect([what, one]).toEqual([
            what,
            what.startsWith('own role') || what === 'an own key' ? nothing : refused,
          ])
      })

    rule(
      'an invited person comes in with the role, and those who manage members hear of it',
      async (stage) => {
        const { control, ada, bob, personOf, mails } = stage
        const token = await stage.invite('Bob@Example.com'.toLowerCase(), 'developer')
        expect(await readInvitation(control, personOf(bob), token)).toEqual({
          accountName: 'ada',
          role: 'developer',
          by: 'ada@example.com',
        })
        expect(await stage.accept(token, personOf(bob))).toEqual({ account: ada.account, role: 'developer' })
        expect([await stage.who(), await stage.count()]).toEqual([
          ['ada@example.com owner', `${bobs} developer`],
          2,
        ])
        await stage.work()
        const told = mails.filter(({ subject }) => subject.includes('joined'))
        expect(told.map(({ to, subject }) => `${to}: ${subject}`)).toEqual([
          `ada@example.com: ${bobs} joined "ada"`,
        ])
      },
    )

    race(
      'of many acceptances at once one counts, by one person or by two with one address',
      async (stage) => {
        const { control, bob, personOf } = stage
        const token = await stage.invite()
        const claims = { subject: 'other:bob', email: bobs, emailVerified: true, authTimeMs: 0 }
        const { user } = await ensureAccount(control, claims, { plan: 'unlimited' })
        const people = [personOf(bob), { ...personOf(bob), id: user }]
        const said = await Promise.all(
          Array.from({ length: 6 }, (_, n) => outcome(stage.accept(token, people[n % 2] ?? personOf(bob)))),
        )
        expect(said.filter((one) => one === 'done')).toHaveLength(1)
        for (const one of said) expect(['done', 'invitation.over', 'member.exists']).toContain(one)
        expect([(await stage.who()).length, await stage.count()]).toEqual([2, 2])
      },
    )

    rule('invitations are listed with their state, without the secret', async (stage) => {
      const { control, ada, own, eve } = stage
      await addMember(own, { user: eve.member, role: 'admin', actor: 'test' })
      const token = await stage.invite()
      stage.clock.advance(minute)
      await stage.invite('cy@example.com', 'viewer', await stage.actingIn(eve))
      await changeRole(own, ada, { member: eve.member, role: 'viewer' })
      const list = await listInvitations(control, ada.account)
      expect(list).toMatchObject([
        { email: bobs, by: 'ada@example.com', role: 'developer', state: 'open' },
        { email: 'cy@example.com', by: 'eve@example.com', role: 'viewer', state: 'void' },
      ])
      expect(JSON.stringify(list)).not.toContain(token.split('.')[1])
      stage.clock.advance(invitationMs)
      expect((await listInvitations(control, ada.account)).map(({ state }) => state)).toEqual([
        'expired',
        'expired',
      ])
    })

    rule('an open invitation lets its address, and nobody else, make an account', async (stage) => {
      const { control, clock } = stage
      const token = await stage.invite()
      expect(await isInvited(control, 'BOB@example.com ')).toBe(true)
      expect(await isInvited(control, 'eve@example.com')).toBe(false)
      const has = (email: string, given: string) => hasInvitation(control, { email, token: given })
      expect(await has(bobs, token)).toBe(true)
      expect(await has('eve@example.com', token)).toBe(false)
      expect(await has(bobs, token.slice(0, -1))).toBe(false)
      clock.advance(invitationMs)
      expect([await isInvited(control, bobs), await has(bobs, token)]).toEqual([false, false])
    })

    rule('a person who is removed hears of it; one who leaves knows', async (stage) => {
      const { bob, personOf, mails } = stage
      await stage.accept(await stage.invite(), personOf(bob))
      await stage.remove(bob)
      await stage.accept(await stage.invite(), personOf(bob))
      await stage.remove(bob, await stage.actingIn(bob))
      await stage.work()
      const told = mails.filter(({ subject }) => subject.startsWith('You are no longer'))
      expect(told.map(({ to }) => to)).toEqual([bobs])
      expect([await stage.who(), await stage.count()]).toEqual([['ada@example.com owner'], 1])
    })

    rule('an account is handed over in one step, and never without an owner', async (stage) => {
      const { own, ada, bob, personOf, mails } = stage
      expect(await outcome(handOver(own, ada, bob.member)), 'a stranger').toBe('api.not_found')
      expect(await outcome(handOver(own, ada, ada.member)), 'oneself').toBe('auth.scope')
      await stage.accept(await stage.invite(), personOf(bob))
      expect(await outcome(stage.remove(ada)), 'the last owner stays').toBe('member.last_owner')
      await handOver(own, ada, bob.member)
      expect(await stage.who()).toEqual(['ada@example.com admin', `${bobs} owner`])
      expect(await outcome(handOver(own, ada, bob.member)), 'a right that is gone').toBe('auth.scope')
      await stage.work()
      expect(mails.filter(({ subject }) => subject.includes('is an owner')).map(({ to }) => to)).toEqual([
        bobs,
      ])
      await stage.remove(ada, await stage.actingIn(ada))
      expect(await stage.who()).toEqual([`${bobs} owner`])
    })

    race('two owners who leave at once: one stays', async (stage) => {
      const { ada, bob, personOf } = stage
      await stage.accept(await stage.invite(bobs, 'owner'), personOf(bob))
      const bobIn = await stage.actingIn(bob)
      const said = await Promise.all([outcome(stage.remove(ada)), outcome(stage.remove(bob, bobIn))])
      expect(said.toSorted()).toEqual(['done', 'member.last_owner'])
      expect(await stage.who()).toHaveLength(1)
    })

    rule('an erased account leaves no invitation', async (stage) => {
      const { control, own, ada, clock } = stage
      await stage.invite()
      await setAccountStatus({ ...control, store: own.store }, ada.account, 'closed')
      await stage.work()
      clock.advance(eraseAfterMs + minute)
      await stage.work()
      const options = { where: { account: ada.account }, limit: 10 }
      expect((await control.store.query(queries.invitationsOfAccount, options)).items).toEqual([])
      expect(await control.store.get(users.ref(ada.member)), 'nor Ada').toBeUndefined()
    })
  })
}
