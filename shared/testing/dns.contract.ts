/**
 * The promises of the role `Dns`, for any provider: steps can be repeated and interrupted, whoever else does the same
 * at the same time harms nothing, and what is not ours stays as it is.
 */
import { describe, expect, test } from 'vitest'
import { isFailure } from '../base/errors.ts'
import type { Dns, ZoneRecord } from '../control/platform.ts'

export type DnsStage = {
  /** Two processes of one installation. Their zone is `example.net`, in which the foreign record stands. */
  readonly dns: Dns
  readonly other: Dns
  /** As `type name value`, sorted; undefined: nothing is kept anywhere. */
  records(): readonly string[] | undefined
  close(): Promise<void>
}
const foreignRecord = 'A www.example.net 192.0.2.1'

const signal = new AbortController().signal
const cell: readonly ZoneRecord[] = ['tunnels.example.net', '*.tunnels.example.net'].flatMap((name) => [
  { type: 'A', name, value: '198.51.100.1' } as const,
  { type: 'AAAA', name, value: '2001:db8::1' } as const,
])
const challenge = '_acme-challenge.tunnels.example.net'

export function describeDns(name: string, open: () => Promise<DnsStage>): void {
  const check = (title: string, run: (stage: DnsStage) => Promise<void>) =>
    test(title, async () => {
      const stage = await open()
      try {
        await run(stage)
      } finally {
        await stage.close()
      }
    })
  /** What is kept is exactly this, and what was there before. */
  const expectRecords = (stage: DnsStage, wanted: readonly ZoneRecord[]) => {
    const kept = stage.records()
    if (!kept) return
    const texts = wanted.map((record) => `${record.type} ${record.name} ${record.value}`)
    expect(kept).toEqual([...texts, foreignRecord].toSorted())
  }

  describe(`dns: ${name}`, () => {
    check('what is wanted is there, and a repetition changes nothing', async (stage) => {
      await stage.dns.keep(cell, signal)
      expectRecords(stage, cell)
      expect(await stage.dns.keep(cell, signal)).toEqual({ made: 0, removed: 0, foreign: [] })
      expect(await stage.other.keep(cell, signal)).toEqual({ made: 0, removed: 0, foreign: [] })
      expectRecords(stage, cell)
    })

    check('what is wanted no longer goes, and an empty list takes nothing away', async (stage) => {
      await stage.dns.keep(cell, signal)
      await stage.dns.keep(cell.slice(1), signal)
      expectRecords(stage, cell.slice(1))
      expect(await stage.dns.keep([], signal)).toEqual({ made: 0, removed: 0, foreign: [] })
      expectRecords(stage, cell.slice(1))
    })

    check('two processes that do the same at the same time both succeed', async (stage) => {
      await Promise.all([stage.dns, stage.other].map((one) => one.keep(cell, signal)))
      expectRecords(stage, cell)
      await Promise.all([stage.dns, stage.other].map((one) => one.keep(cell.slice(2), signal)))
      expectRecords(stage, cell.slice(2))
      await Promise.all([stage.dns, stage.other].map((one) => one.put(challenge, 'abc', signal)))
      expectRecords(stage, [...cell.slice(2), { type: 'TXT', name: challenge, value: 'abc' }])
      await Promise.all([stage.dns, stage.other].map((one) => one.remove(challenge, 'abc', signal)))
      expectRecords(stage, cell.slice(2))
    })

    check('challenges stand beside each other and beside the records of cells', async (stage) => {
      await stage.dns.keep(cell, signal)
      for (const value of ['abc', 'def', 'abc']) await stage.dns.put(challenge, value, signal)
      const texts = (...values: string[]) =>
        values.map((value) => ({ type: 'TXT', name: challenge, value }) as const)
      expectRecords(stage, [...cell, ...texts('abc', 'def')])
      await stage.dns.keep(cell, signal)
      expectRecords(stage, [...cell, ...texts('abc', 'def')])
      await stage.dns.remove(challenge, 'abc', signal)
      expectRecords(stage, [...cell, ...texts('def')])
    })

    check('what is not there is removed without an error, also in a zone of others', async (stage) => {
      await stage.dns.remove(challenge, 'abc', signal)
      await stage.dns.remove('_acme-challenge.elsewhere.example', 'abc', signal)
      expectRecords(stage, [])
    })

    check('a job that has ended changes nothing any more', async (stage) => {
      const stopped = AbortSignal.abort()
      const calls = [
        stage.dns.keep(cell, stopped),
        stage.dns.put(challenge, 'abc', stopped),
        stage.dns.remove(challenge, 'abc', stopped),
      ]
      for (const outcome of await Promise.allSettled(calls))
        if (outcome.status === 'rejected') expect(isFailure(outcome.reason, 'dns.unavailable')).toBe(true)
      expectRecords(stage, [])
    })
  })
}
