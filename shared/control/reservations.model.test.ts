/**
 * Two accounts keep, give, move, release, claim and delete in any order. Nothing fails as if the service were at fault,
 * the counts are true, and a tunnel and what it was given always refer to each other.
 */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../standalone/testing/control.ts'
import { isFailure } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import { isWhole } from '../testing/breadth.ts'
import type { Caller } from './caller.ts'
import { queryAll } from './cells.ts'
import { claimLeases } from './claims.ts'
import { addMember } from './members.ts'
import { queries } from './query-table.ts'
import { quotas } from './quota-documents.ts'
import { releaseLeases } from './releases.ts'
import { moveToAccount, moveToTunnel } from './reservation-moves.ts'
import { releaseReservation } from './reservations.ts'
import { reserveName } from './reserving.ts'
import { sweep } from './sweeper.ts'
import { deleteTunnel, findTunnelByName } from './tunnels.ts'

const labels = ['one', 'two', 'three'] as const
const agents = [newId('agt', 1), newId('agt', 2)]
const minute = 60_000
const idOf = (label: string) => `host:${label}.tunnel.example.com`

type World = { readonly t: TestControl; readonly callers: readonly [Caller, Caller] }
type Step = { readonly what: string; readonly who: 0 | 1; readonly label: string; readonly other: string }

/** Actions that lead on are more frequent than those that end something. */
const kinds = {
  reserve: 4,
  give: 6,
  claim: 6,
  anybody: 1,
  pass: 1,
  release: 1,
  leave: 1,
  delete: 1,
  wait: 1,
} as const
const steps: fc.Arbitrary<Step> = fc.record({
  what: fc.constantFrom(
    ...Object.entries(kinds).flatMap(([what, weight]) => Array<string>(weight).fill(what)),
  ),
  who: fc.constantFrom<0 | 1>(0, 0, 0, 1),
  label: fc.constantFrom(...labels),
  other: fc.constantFrom(...labels),
})

async function run({ t, callers }: World, { what, who, label, other }: Step): Promise<void> {
  const caller = callers[who]
  const agent = agents[who] ?? ''
  const own = t.of(caller)
  const tunnelOf = async (name: string) =>
    (await findTunnelByName(own, caller.account, name))?.ref.id ?? newId('tun', 1)
  switch (what) {
    case 'reserve':
      await reserveName(t.control, caller, { name: label })
      return
    case 'release':
      return releaseReservation(t.control, caller, { id: idOf(label) })
    case 'give':
    case 'anybody': {
      const tunnel = what === 'give' ? await tunnelOf(other) : undefined
      await moveToTunnel(t.control, caller, { id: idOf(label), tunnel })
      return
    }
    case 'pass':
      return moveToAccount(t.control, caller, {
        id: idOf(label),
        account: callers[who === 0 ? 1 : 0].account,
      })
    case 'claim': {
      const tunnels = [{ name: label, kind: 'http' as const }]
      const { results } = await claimLeases(t.control, caller, { agent, tunnels, takeover: false })
      for (const result of results) if ('problem' in result) expect(result.problem.status).toBeLessThan(500)
      return
    }
    case 'leave':
      return releaseLeases(t.control, caller, { agent, tunnels: [await tunnelOf(label)] })
    case 'delete':
      return deleteTunnel(own, caller, { id: await tunnelOf(label) })
    default:
      t.clock.advance((label === 'one' ? 1 : label === 'two' ? 70 : 31 * 24 * 60) * minute)
      await t.settle()
      await sweep(t.control)
  }
}

async function check({ t, callers }: World): Promise<void> {
  const { store } = t.control
  for (const { account } of callers) {
    const kept = await queryAll(store, queries.reservedOfAccount, { where: { account, kind: 'host' } })
    const leased = await queryAll(store, queries.leasesOfAccount, { where: { account, state: 'leased' } })
    const tunnels = await queryAll(store, queries.tunnelsOfAccount, { where: { account } })
    const quota = await store.get(quotas.ref(account))
    const counted = [quota?.data.reservedHosts ?? 0, quota?.data.online, quota?.data.tunnels]
    expect(counted).toEqual([kept.length, leased.length, tunnels.length])
    const given = kept.flatMap(({ ref, data }) =>
      data.reservedTunnel ? [`${data.reservedTunnel} ${ref.id}`] : [],
    )
    const wished = tunnels.flatMap(({ ref, data }) =>
      data.wish === undefined ? [] : [`${ref.id} ${data.wish}`],
    )
    expect(wished.toSorted()).toEqual(given.toSorted())
  }
}

test('kept names: no order of two accounts’ actions breaks anything', async () => {
  const play = async (all: readonly Step[]) => {
    const t = makeTestControl({ plan: 'team' })
    try {
      await t.openCell()
      const callers = [await t.caller('ada@example.com'), await t.caller('eve@example.com')] as const
      const [ada, eve] = callers
      await addMember(t.of(eve), { user: ada.member, role: 'admin', actor: 'test' })
      await addMember(t.of(ada), { user: eve.member, role: 'admin', actor: 'test' })
      // Otherwise most attempts would be refused because the other account was first.
      for (const label of labels) await reserveName(t.control, ada, { name: label })
      for (const step of all) {
        try {
          await run({ t, callers }, step)
        } catch (error) {
          if (!isFailure(error) || error.entry.http >= 500) throw error
        }
        await check({ t, callers })
      }
    } finally {
      await t.close()
    }
  }
  await fc.assert(fc.asyncProperty(fc.array(steps, { minLength: 20, maxLength: 60 }), play), {
    numRuns: isWhole ? 60 : 12,
  })
})
