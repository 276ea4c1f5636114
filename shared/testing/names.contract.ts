/**
 * What names of tunnels promise over any Store: one holder however many race, a tunnel's list that agrees with the
 * name's document, and no new holder before the old one's tickets and relays are done with it.
 */
import { describe, expect } from 'vitest'
import { silentLog } from '../base/log.ts'
import type { Caller } from '../control/caller.ts'
import { ensureCell } from '../control/cells.ts'
import type { Control } from '../control/control.ts'
import { type RelayDoc, relays, type TunnelDoc, tunnels } from '../control/documents.ts'
import { names } from '../control/name-documents.ts'
import type { Store } from '../control/platform.ts'
import { Cells } from '../control/recent-cells.ts'
import { addName, removeName } from '../control/tunnel-names.ts'
import { namesMax } from '../protocol/endpoint.ts'
import { limits } from '../protocol/limits.ts'
import { outcome } from './callers.ts'
import { type Cases, casesOn } from './cases.ts'
import { FakeClock } from './fake-clock.ts'
import type { MakeStore } from './store.contract.ts'

const host = 'shop.example.org'
const hour = 3_600_000

function makeStage(store: Store) {
  const clock = new FakeClock()
  const cells = new Cells(store, clock)
  const bus = { publish: async () => {} }
  const control = { store, clock, cells, bus, random: Math.random, log: silentLog } as unknown as Control
  const caller = (account: string) =>
    ({
      account,
      actor: `usr_${account}`,
      from: '',
      permissions: new Set(['tunnels.write']),
    }) as unknown as Caller
  return {
    store,
    clock,
    async tunnel(id: string, account: string, cell = 'north', more: Partial<TunnelDoc> = {}) {
      const fresh = { agents: 'one', generated: false, policy: {}, policyVersion: 1, revision: 1 } as const
      const place = { endpoint: `host:${id}.test`, cell, agent: '' }
      const times = { createdAt: clock.now(), updatedAt: clock.now() }
      await store.set(tunnels.ref(id), {
        account,
        name: id,
        kind: 'http',
        ...fresh,
        ...place,
        ...times,
        ...more,
      })
    },
    /** A relay reports that it has applied everything up to now. */
    async relay(id: string, cell = 'north', more: Partial<RelayDoc> = {}) {
      const now = clock.now()
      await store.set(relays.ref(`${id}:r`), {
        relay: id,
        instance: 'r',
        cell,
        boot: 'b',
        bootAt: 0,
        version: '1',
        state: 'ready',
        agentAddress: { host: 'h', port: 1, sni: 's', certificate: '' },
        watchUrl: '',
        load: { sessions: 0, streams: 0, cpu: 0, rssBytes: 0 },
        seenAt: now,
        appliedAt: now,
        boundHash: '',
        boundChunks: 0,
        ...more,
      })
    },
    openCell: (id: string) =>
      ensureCell(control, {
        id,
        host: `${id}.test`,
        domain: `${id}.test`,
        portFrom: 20_000,
        portTo: 20_001,
        httpScheme: 'http',
        httpPort: 80,
        tlsPort: 443,
      }),
    add: (account: string, tunnel: string, name = host) =>
      outcome(addName(control, caller(account), { tunnel, host: name })),
    remove: (account: string, tunnel: string) =>
      outcome(removeName(control, caller(account), { tunnel, host })),
    listOf: async (id: string) => (await store.get(tunnels.ref(id)))?.data.names ?? [],
    doc: async (name = host) => (await store.get(names.ref(name)))?.data,
  }
}

export function describeNames(name: string, make: MakeStore, cases: Cases = 'all'): void {
  const { race, rule } = casesOn(make, makeStage, cases)

  describe(`names of tunnels: ${name}`, () => {
    race('one of many who race for a name gets it, and its list and the document agree', async (stage) => {
      const ids = Array.from({ length: 12 }, (_, n) => `t${n}`)
      for (const id of ids) await stage.tunnel(id, `acc_${id}`)
      const outcomes = await Promise.all(ids.map((id) => stage.add(`acc_${id}`, id)))
      expect(outcomes.filter((one) => one === 'done')).toHaveLength(1)
      expect(new Set(outcomes)).toEqual(new Set(['done', 'name.held']))
      const doc = await stage.doc()
      expect(doc).toMatchObject({ state: 'active', tunnel: ids[outcomes.indexOf('done')] })
      for (const id of ids)
        expect(await stage.listOf(id)).toEqual(id === doc?.tunnel ? [{ host, version: doc.version }] : [])
    })

    rule('within an account and a cell it moves at once, and its version rises', async (stage) => {
      await stage.tunnel('one', 'acc')
      await stage.tunnel('two', 'acc')
      await stage.tunnel('far', 'acc', 'south')
      expect(await stage.add('acc', 'one')).toBe('done')
      const before = (await stage.doc())?.version ?? 0
      expect(await stage.add('acc', 'two')).toBe('done')
      expect((await stage.doc())?.version).toBeGreaterThan(before)
      expect([await stage.listOf('one'), (await stage.listOf('two')).length]).toEqual([[], 1])
      expect(await stage.add('acc', 'far')).toBe('name.held')
      expect(await stage.remove('acc', 'two')).toBe('done')
      expect(await stage.add('acc', 'far')).toBe('name.resting')
      expect(await stage.add('acc', 'one')).toBe('done')
    })

    rule(
      'another account waits for the tickets, and for every relay of the cell that counts',
      async (stage) => {
        await stage.tunnel('one', 'ada')
        await stage.tunnel('two', 'eve')
        await stage.relay('quick')
        await stage.relay('slow')
        await stage.add('ada', 'one')
        expect(await stage.remove('eve', 'two')).toBe('api.not_found')
        expect(await stage.add('eve', 'one')).toBe('api.not_found')
        await stage.remove('ada', 'one')
        expect(await stage.add('eve', 'two')).toBe('name.resting')
        stage.clock.advance(limits.ticketMs + limits.skewMs - 1)
        await stage.relay('quick')
        await stage.relay('slow')
        expect(await stage.add('eve', 'two'), 'a ticket still lives').toBe('name.resting')
        stage.clock.advance(1)
        expect(await stage.add('eve', 'two')).toBe('done')
        expect(await stage.listOf('two')).toHaveLength(1)
      },
    )

    rule(
      'it waits for a silent relay for a day and five minutes, but not for one that has left',
      async (stage) => {
        await stage.tunnel('one', 'ada')
        await stage.tunnel('two', 'eve')
        await stage.relay('silent')
        await stage.relay('gone', 'north', { seenAt: 0 })
        await stage.add('ada', 'one')
        await stage.remove('ada', 'one')
        stage.clock.advance(24 * hour + limits.skewMs)
        expect(await stage.add('eve', 'two')).toBe('name.resting')
        stage.clock.advance(1)
        expect(await stage.add('eve', 'two')).toBe('done')
      },
    )

    rule('for a tunnel that moved it waits for the former cell too', async (stage) => {
      await stage.tunnel('one', 'ada', 'south', { formerCells: { north: stage.clock.now() } })
      await stage.tunnel('two', 'eve')
      await stage.relay('behind', 'north', { appliedAt: 0, seenAt: stage.clock.now() + 2 * hour })
      await stage.add('ada', 'one')
      await stage.remove('ada', 'one')
      stage.clock.advance(2 * hour)
      expect(await stage.add('eve', 'two')).toBe('name.resting')
      await stage.relay('behind', 'north')
      expect(await stage.add('eve', 'two')).toBe('done')
    })

    rule('a list is limited, and no host of the service can be a name', async (stage) => {
      await stage.openCell('north')
      await stage.tunnel('one', 'ada')
      await stage.tunnel('port', 'ada', 'north', { kind: 'tcp' })
      for (let n = 0; n < namesMax; n++)
        expect(await stage.add('ada', 'one', `n${n}.example.org`)).toBe('done')
      expect(await stage.add('ada', 'one', 'more.example.org')).toBe('name.limit')
      expect(await stage.doc('more.example.org')).toBeUndefined()
      expect(await stage.add('ada', 'port')).toBe('name.invalid')
      for (const [bad, key] of [
        ['x.north.test', 'name.invalid'],
        ['north.test', 'name.invalid'],
        ['X.North.Test.', 'name.invalid'],
        ['A.example.org', 'name.invalid'],
        ['192.0.2.1', 'name.address'],
        ['localhost', 'name.suffix'],
        ['co.uk', 'name.suffix'],
        ['a..b.c', 'name.length'],
        ['a.*.example.org', 'name.wildcard'],
        ['*.north.test', 'name.invalid'],
        ['*.co.uk', 'name.suffix'],
        ['*.A.example.org', 'name.invalid'],
        ['аррӏе.com', 'name.look_alike'],
      ] as const)
        expect(await stage.add('ada', 'one', bad), bad).toBe(key)
    })
  })
}
