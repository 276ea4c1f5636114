/**
 * Erasure and export, looked at from outside: traces of two people are planted in every collection, one of them is
 * exported and erased, and a walk over the whole database looks for what is left of the one and gone of the other.
 */
import { freshJob, jobRef } from '@porttunneler/shared/control/jobs/jobs'
import { makeWorker } from '@porttunneler/shared/control/jobs/kinds'
import { partsOfAccounts } from '@porttunneler/shared/control/own-data/of-accounts'
import { partsOfPeople } from '@porttunneler/shared/control/own-data/of-people'
import type { Store } from '@porttunneler/shared/control/platform'
import { terms } from '@porttunneler/shared/control/retention/terms'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { makeTestApi, type TestApi } from './api.ts'
import type { StoredDocument } from './memory-store.ts'
import { type Marks, notPlanted, plantTraces } from './traces.ts'

const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs

/** A store, and a walk over all that it holds; without one, the store in memory. */
export type OpenDatabase = () => Promise<
  { readonly store: Store; documents(): Promise<readonly StoredDocument[]> } | undefined
>

/**
 * What may still name an erased person or account by id, which leads to nobody: bookkeeping, the logs of teams and of
 * the service until their retention ends, and what refuses old tokens and takes late usage until all have come.
 */
const keepsId: Readonly<Record<'person' | 'account', readonly string[]>> = {
  person: ['audit', 'endedSignIns', 'identities', 'knownDevices', 'refreshTokens'],
  account: ['accounts', 'audit', 'deletedTunnels', 'endpoints', 'usageHours', 'usageMonths', 'usagePeriods'],
}
/** They follow time and the DNS, whoever is erased. */
const moving = ['domains', 'endpoints', 'jobs', 'names', 'rates', 'verified', 'auditTallies']

export function describeTraces(platform: string, open: OpenDatabase): void {
  describe(`traces of a person (${platform})`, () => {
    test('are all in the exports, none is left by an erasure, and those of others stay', async () => {
      const database = await open()
      const t = await makeTestApi(
        {},
        { plan: 'unlimited', ...(database && { wrapStore: () => database.store }) },
      )
      // Sign-in of the standalone server keeps its own store, which the cloud does not have.
      const all = async () => (database ? database.documents() : t.documents())
      try {
        const one = await plantTraces(t, 'zqtrace', '203.0.113.77')
        const other = await plantTraces(t, 'zqother', '203.0.113.99')
        const before = await all()
        expectPlantedEverywhere(before, one)
        await expectExported(t, one, other)
        expect((await t.call('DELETE', '/v1/person', { token: one.token })).status).toBe(204)
        await eraseWith(t, one)
        const after = (await all()).filter(({ ttl }) => ttl === null || ttl > t.clock.now())
        expectNothingLeft(after, one, t.owner.account)
        expect(lost(before, after, { of: other, nowMs: t.clock.now() })).toEqual([])
      } finally {
        await t.close()
        await database?.store.close()
      }
    })
  })
}

function mentions(found: readonly StoredDocument[], ...texts: readonly string[]): readonly StoredDocument[] {
  return found.filter(({ id, body }) => texts.some((text) => `${id} ${body}`.includes(text)))
}

function collectionsOf(found: readonly StoredDocument[]): readonly string[] {
  return [...new Set(found.map(({ collection }) => collection))].toSorted()
}

/** A new collection needs a trace in traces.ts, or a reason there. */
function expectPlantedEverywhere(found: readonly StoredDocument[], one: Marks): void {
  const personal = Object.entries(terms).flatMap(([name, { whose }]) => (whose === 'service' ? [] : [name]))
  expect(Object.keys(notPlanted).filter((name) => !personal.includes(name))).toEqual([])
  const planted = collectionsOf(found)
  const hashed = ['rates', 'mailAddresses', 'waitList', 'auditExports', 'usageLate']
  const ofOne = new Set([
    ...collectionsOf(mentions(found, one.tag, one.id, one.account, one.tunnel)),
    ...hashed,
  ])
  const missing = personal.filter(
    (name) => !(name in notPlanted) && !(ofOne.has(name) && planted.includes(name)),
  )
  expect(missing).toEqual([])
}

const exportSchema = z.looseObject({ complete: z.literal(true) })

async function expectExported(
  t: TestApi,
  one: Marks & { readonly token: string },
  other: Marks,
): Promise<void> {
  const headers = { 'porttunneler-account': one.account }
  for (const [path, parts] of [
    ['/v1/person/export', partsOfPeople],
    ['/v1/account/export', partsOfAccounts],
  ] as const) {
    const text = await (await t.call('POST', path, { token: one.token, headers })).text()
    const file = exportSchema.parse(JSON.parse(text))
    const empty = parts.flatMap(({ name }) => {
      const rows = z.array(z.unknown()).parse(file[name])
      return rows.length === 0 && !(name in notPlanted) ? [name] : []
    })
    expect([path, empty]).toEqual([path, []])
    for (const mark of [other.tag, other.id, other.account, other.address])
      expect([path, mark, text.includes(mark)]).toEqual([path, mark, false])
  }
}

/** Two weeks, and what follows: jobs run without those that run for ever, but for the seals that erasing waits for. */
async function eraseWith(t: TestApi, { id, account }: Marks): Promise<void> {
  const { store } = t.control
  const worker = makeWorker(t.control, 16, t.identity.jobs)
  const last = [
    jobRef('person.leave', id),
    jobRef('account.leave', account),
    jobRef('account.erase', account),
  ]
  const seal = { kind: 'audit.seal', subject: 'all', account: '' }
  for (let step = 0; step < 40; step++) {
    t.clock.advance(step < 5 ? 4 * dayMs : 10 * minuteMs)
    await store.set(jobRef(seal.kind, seal.subject), freshJob(seal, t.clock.now()))
    await worker.round(60_000)
    if (step >= 5 && (await store.getAll(last)).every((job) => job === undefined)) return
  }
  throw new Error('the erasure has not come to its end')
}

function expectNothingLeft(after: readonly StoredDocument[], one: Marks, team: string): void {
  expect(collectionsOf(mentions(after, one.email))).toEqual([])
  const elsewhere = mentions(after, one.tag, one.address).filter(({ collection, body }) => {
    // The logs of teams and of the service keep what was done there, and from where.
    if (collection === 'audit') return !['', team].includes(accountSchema.parse(JSON.parse(body)).account)
    // A host rests before anybody else may have it.
    return collection !== 'endpoints' || body.includes(one.tag) || body.includes(one.address)
  })
  expect(elsewhere.map(({ collection, id, body }) => `${collection}: ${id} ${body}`)).toEqual([])
  for (const [whose, id] of [
    ['person', one.id],
    ['account', one.account],
  ] as const)
    expect(collectionsOf(mentions(after, id)).filter((name) => !keepsId[whose].includes(name))).toEqual([])
}

const accountSchema = z.looseObject({ account: z.string() })

/** Documents of somebody who stays that had time left and are not there any more. */
function lost(
  before: readonly StoredDocument[],
  after: readonly StoredDocument[],
  { of, nowMs }: { readonly of: Marks; readonly nowMs: number },
): readonly string[] {
  const there = new Set(after.map(({ collection, id }) => `${collection}: ${id}`))
  return mentions(before, of.tag, of.id, of.account)
    .filter(({ collection, ttl }) => !moving.includes(collection) && (ttl === null || ttl > nowMs))
    .map(({ collection, id }) => `${collection}: ${id}`)
    .filter((name) => !there.has(name))
}
