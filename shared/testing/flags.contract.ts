/**
 * Feature flags over any Store: what one instance of the control plane sets, the others know within 30 s, for one read
 * each; and a database that is away takes no feature from anybody.
 */
import { describe, expect } from 'vitest'
import { fail } from '../base/errors.ts'
import { flags } from '../base/flags.ts'
import type { Control } from '../control/control.ts'
import { changeFlag } from '../control/flags.ts'
import { type Cases, casesOn } from './cases.ts'
import { instanceOver } from './claims.contract.ts'
import { countingStore } from './counting-store.ts'
import { FakeClock } from './fake-clock.ts'
import type { MakeStore } from './store.contract.ts'

const flag = 'visitor-http2'
const account = 'acc_1'

async function isOn(control: Control, of = account): Promise<boolean> {
  return (await control.flags.of(of)).includes(flag)
}

export function describeFlags(name: string, make: MakeStore, cases: Cases = 'all'): void {
  describe(`flags on ${name}`, () => {
    const { race, rule } = casesOn(make, (store) => ({ store, clock: new FakeClock(1_000) }), cases)

    rule(
      'a kill is known to its own instance at once, and to others within 30 s',
      async ({ store, clock }) => {
        const [here, there] = [instanceOver(store, clock), instanceOver(store, clock)]
        expect([await isOn(here), await isOn(there)]).toEqual([true, true])
        await changeFlag(here, flag, (_, before) => ({ ...before, in: [account], killed: true }))
        expect([await isOn(here), await isOn(there)]).toEqual([false, true])
        clock.advance(30_000)
        expect(await isOn(there)).toBe(false)
        await changeFlag(there, flag, (_, before) => ({ ...before, percent: 0, killed: false }))
        clock.advance(30_000)
        expect([await isOn(here), await isOn(here, 'acc_2')]).toEqual([true, false])
      },
    )

    rule(
      'asking costs one read in 30 s, for all accounts and however many ask at once',
      async ({ store, clock }) => {
        const { store: counted, counts } = countingStore(store)
        const control = instanceOver(counted, clock)
        for (let second = 0; second < 60; second++) {
          await Promise.all(Array.from({ length: 5 }, (_, n) => isOn(control, `acc_${n}`)))
          clock.advance(1_000)
        }
        expect(counts).toEqual({ reads: 2, writes: 0, deletes: 0 })
      },
    )

    race('two changes at once are both kept', async ({ store, clock }) => {
      const controls = [instanceOver(store, clock), instanceOver(store, clock)]
      await Promise.all(
        controls.map((control, n) =>
          changeFlag(control, flag, (_, before) => ({ ...before, out: [...before.out, `acc_${n}`] })),
        ),
      )
      const states = await instanceOver(store, clock).flags.states()
      expect(states[flag]?.out.toSorted()).toEqual(['acc_0', 'acc_1'])
    })

    rule(
      'while the database is away, flags stay as they were known, else as the code says',
      async ({ store, clock }) => {
        let isAway = false
        const flaky = new Proxy(store, {
          get: (target, key) => {
            if (key === 'get' && isAway) return () => Promise.reject(fail('store.unavailable'))
            const value = Reflect.get(target, key, target)
            return typeof value === 'function' ? value.bind(target) : value
          },
        })
        const control = instanceOver(flaky, clock)
        await changeFlag(control, flag, (_, before) => ({ ...before, percent: 0 }))
        expect(await isOn(control)).toBe(false)
        isAway = true
        clock.advance(3_600_000)
        expect(await isOn(control)).toBe(false)
        expect(await isOn(instanceOver(flaky, clock))).toBe(flags[flag].default)
        isAway = false
        await changeFlag(control, flag, (_, before) => ({ ...before, percent: 100 }))
        expect(await isOn(control)).toBe(true)
      },
    )
  })
}
