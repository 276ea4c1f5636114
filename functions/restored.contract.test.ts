/** Another database of the same project takes the place of the first, with an earlier state: PORTTUNNELER_DATABASE. */
import type { ClaimResult, Lease } from '@porttunneler/shared/api/schemas/tunnels'
import { systemClock } from '@porttunneler/shared/base/clock'
import { keyOfCode } from '@porttunneler/shared/base/errors'
import { newId } from '@porttunneler/shared/base/ids'
import { claimLeases, renewLeases } from '@porttunneler/shared/control/claims'
import { runAct } from '@porttunneler/shared/control/operator/acts'
import { queryTable } from '@porttunneler/shared/control/query-table'
import { makeTestControl, type TestControl } from '@porttunneler/standalone/testing/control'
import { expect, test } from 'vitest'
import { openFirestoreStore } from './platform/store.firestore.ts'
import { readDatabase, writeDatabase } from './testing/copy-database.ts'
import { randomProject, withEmulators } from './testing/with-emulators.ts'

const laptop = newId('agt', 1)
const desktop = newId('agt', 2)

async function claim(t: TestControl, agent: string, takeover = false): Promise<Lease> {
  const tunnels = [{ name: 'db', kind: 'tcp' as const }]
  const { results } = await claimLeases(t.control, await t.caller(), { agent, tunnels, takeover })
  const [first] = results
  if (!first || !('lease' in first)) throw new Error(`no lease: ${JSON.stringify(first)}`)
  return first.lease
}

function keyOf({ results: [first] }: ClaimResult) {
  return first && 'problem' in first ? keyOfCode(first.problem.code) : 'leased'
}

withEmulators(({ firestore }) => {
  test('after a change to a restored database agents claim again, above every epoch of the forgotten time', async () => {
    const place = { project: randomProject(), emulatorHost: firestore }
    const open = (database: string) =>
      openFirestoreStore({
        ...{ projectId: place.project, database, emulatorHost: firestore, queries: queryTable },
        ...{ clock: systemClock, random: Math.random },
      })
    await using parts = new AsyncDisposableStack()
    const stores = [open('(default)'), open('restored-20260131')] as const
    for (const store of stores) parts.defer(() => store.close())
    const before = makeTestControl({ wrapStore: () => stores[0] })
    parts.defer(() => before.close())
    await before.openCell()
    await claim(before, laptop)
    const at = before.clock.now()
    const snapshot = await readDatabase(place, '(default)')
    before.clock.advance(60_000)
    const later = await claim(before, desktop, true)

    await writeDatabase(place, 'restored-20260131', snapshot)
    const after = makeTestControl({ wrapStore: () => stores[1] })
    parts.defer(() => after.close())
    after.clock.advance(120_000)
    await after.openCell()
    const office = { control: after.control, enrolment: after.relayIdentity }
    const order = { act: 'backup.settle', input: { at }, operator: 'grace' } as const
    expect(await runAct(office, order)).toMatchObject({ leases: 1 })
    const { tunnel, epoch } = later
    const renewal = { agent: desktop, leases: [{ tunnel, epoch }] }
    expect(keyOf(await renewLeases(after.control, await after.caller(), renewal))).toBe('lease.gone')
    expect((await claim(after, desktop)).epoch).toBeGreaterThan(epoch)
    expect(
      keyOf(await renewLeases(before.control, await before.caller(), renewal)),
      'the first is as it was',
    ).toBe('leased')
  })
})
