/**
 * Random play of accounts with one host, over the real rules and a real store: they claim it, publish and remove
 * records, give the host to tunnels, remove it, delete tunnels; servers fall silent; time passes. After each step: a
 * host leads only to a tunnel of the account that has it, an account that gets it has a record there, and nobody loses
 * it before their record was gone for an hour. Deliberately broken rules, each found within 200 runs: the holder's
 * proof is not asked for; one contrary answer is enough; the name stays where it led when the host is lost; a name is
 * added without asking whose the host is.
 */

import { isFailure } from '@porttunneler/shared/base/errors'
import type { Caller } from '@porttunneler/shared/control/caller'
import { controlOf } from '@porttunneler/shared/control/control'
import { tunnels } from '@porttunneler/shared/control/documents'
import { bindName } from '@porttunneler/shared/control/domains/binding'
import { verified } from '@porttunneler/shared/control/domains/domain-documents'
import { giveDomain, removeDomain } from '@porttunneler/shared/control/domains/domains'
import { domainId } from '@porttunneler/shared/control/domains/proof'
import { names } from '@porttunneler/shared/control/name-documents'
import { queryTable } from '@porttunneler/shared/control/query-table'
import { deleteTunnel } from '@porttunneler/shared/control/tunnels'
import { isWhole } from '@porttunneler/shared/testing/breadth'
import { makeDomainStage } from '@porttunneler/shared/testing/domains.contract'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { openSqliteStore } from './platform/store.sqlite.ts'

const host = 'app.example.com'
const minute = 60_000
const who = fc.constantFrom('ada', 'eve')
const which = fc.constantFrom(0, 1)
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('put', 'take', 'look'), who }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('pass'), minutes: fc.constantFrom(1, 10, 61, 600, 3_000) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('add', 'remove', 'bind'), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('give'), who, which }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('silence'), on: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete'), who, which: fc.constant(1) }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

async function play(steps: readonly Step[]): Promise<void> {
  const store = openSqliteStore(':memory:', { queries: queryTable })
  try {
    const stage = await makeDomainStage(store)
    const people = { ada: stage.ada, eve: stage.eve }
    const owned = {
      ada: [await stage.tunnelOf(stage.ada, 'one'), await stage.tunnelOf(stage.ada, 'two')],
      eve: [await stage.tunnelOf(stage.eve, 'one'), await stage.tunnelOf(stage.eve, 'two')],
    }
    for (const [name, caller] of Object.entries(people)) {
      await stage.add(caller, owned[name as 'ada' | 'eve'][0])
      await stage.put(caller)
    }
    await stage.pass(minute)
    let before = await stage.holder()
    /** When an account's record was last seen. */
    const stood = new Map<string, number>()
    for (const one of steps) {
      // If it is already failing, its servers have said twice that its record is gone.
      const fails = (await stage.store.get(verified.ref(host)))?.data.state !== 'verified'
      for (const account of fails ? [] : await recordsOf(stage)) stood.set(account, stage.clock.now())
      await quietly(() => perform(stage, { people, owned }, one))
      before = await check(stage, { before, stood, step: one })
    }
  } finally {
    await store.close()
  }
}
type Stage = Awaited<ReturnType<typeof makeDomainStage>>

/** Accounts with a record in the zone. */
async function recordsOf(stage: Stage): Promise<ReadonlySet<string>> {
  const standing = stage.zones.texts.get(host) ?? new Set()
  const texts = await Promise.all(
    [stage.ada, stage.eve].map(async (one) => [one.account, await stage.textOf(one)] as const),
  )
  return new Set(texts.flatMap(([account, text]) => (standing.has(text) ? [account] : [])))
}

async function perform(
  stage: Stage,
  world: {
    readonly people: Readonly<Record<'ada' | 'eve', Caller>>
    readonly owned: Readonly<Record<'ada' | 'eve', readonly string[]>>
  },
  one: Step,
): Promise<void> {
  if ('minutes' in one) return stage.pass(one.minutes * minute, Math.max(minute, (one.minutes * minute) / 4))
  if ('on' in one) {
    stage.zones.isSilent = one.on
    return
  }
  const caller = world.people[one.who as 'ada' | 'eve']
  const tunnel = 'which' in one ? (world.owned[one.who as 'ada' | 'eve'][one.which] ?? '') : ''
  switch (one.do) {
    case 'add':
      await stage.add(caller)
      return
    case 'put':
      return stage.put(caller)
    case 'take':
      return stage.take(caller)
    case 'remove':
      return removeDomain(stage.control, caller, { host })
    case 'look':
      return stage.look(caller)
    case 'bind':
      await bindName(stage.control, domainId(caller.account, host))
      return
    case 'give':
      await giveDomain(stage.control, caller, { host, tunnel })
      return
    default:
      await deleteTunnel(controlOf(stage.control, caller.account), caller, { id: tunnel })
  }
}

/** Refused actions must change nothing, which is checked. */
async function quietly(run: () => Promise<void>): Promise<void> {
  try {
    await run()
  } catch (error) {
    if (!isFailure(error)) throw error
  }
}

async function check(
  stage: Stage,
  {
    before,
    stood,
    step: done,
  }: {
    readonly before: string | undefined
    readonly stood: ReadonlyMap<string, number>
    readonly step: Step
  },
): Promise<string | undefined> {
  const holder = await stage.holder()
  const name = (await stage.store.get(names.ref(host)))?.data
  if (name?.state === 'active') {
    const tunnel = await stage.store.get(tunnels.ref(name.tunnel))
    expect([tunnel?.data.account, name.account]).toEqual([holder, holder])
    expect(tunnel?.data.names?.map((one) => one.host)).toEqual([host])
  }
  if (holder === before) return holder
  const goneMs = (account: string) => stage.clock.now() - (stood.get(account) ?? Number.NEGATIVE_INFINITY)
  if (holder !== undefined)
    expect(await recordsOf(stage), 'an account that gets a host has a record').toContain(holder)
  if (before !== undefined && done.do !== 'remove')
    expect(
      goneMs(before),
      'nobody loses a host before its record was gone for an hour',
    ).toBeGreaterThanOrEqual(60 * minute)
  return holder
}

test('a host leads to a tunnel of the account that has it, and nobody loses it while its record stands', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), (steps) => play(steps)),
    { numRuns: isWhole ? 100 : 20 },
  )
}, 180_000)

test('a doubt of hours ago counts no more, though nobody looked while the record was back', async () => {
  const steps: readonly Step[] = [
    { do: 'take', who: 'ada' },
    { do: 'pass', minutes: 1 },
    { do: 'take', who: 'eve' },
    { do: 'pass', minutes: 600 },
    { do: 'put', who: 'eve' },
    { do: 'put', who: 'ada' },
    { do: 'pass', minutes: 1 },
    { do: 'silence', on: false },
    { do: 'take', who: 'ada' },
    { do: 'pass', minutes: 10 },
  ]
  // Whether somebody looks meanwhile is left to chance.
  for (let n = 0; n < 8; n++) await play(steps)
})
