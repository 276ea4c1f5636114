/** Searching the log, over any home of it: the same query finds the same lines, and no secret is found or shown. */
import { describe, expect, test } from 'vitest'
import type { LogLevel } from '../base/log.ts'
import type { LogOrigin } from '../control/logs/line.ts'
import { parseLogQuery } from '../control/logs/query.ts'
import type { Logs } from '../control/logs/role.ts'

/** What a program logs; it is written in that program's own form. */
export type Said = LogOrigin & {
  readonly at: number
  readonly level: LogLevel
  readonly message: string
  readonly fields?: Readonly<Record<string, unknown>>
}

export type LogStage = {
  readonly logs: Logs
  write(said: Said): void
  close(): Promise<void> | void
}

const start = Date.UTC(2026, 0, 31, 12)
const request = '0b5c2b0e-0000-4000-8000-000000000001'
const account = 'acc_01k00000000000000000000000'

const said: readonly Said[] = [
  {
    source: 'control',
    at: start,
    level: 'info',
    message: 'A command was sent',
    fields: { requestId: request },
  },
  {
    source: 'relay',
    relay: 'r1',
    at: start + 1_000,
    level: 'info',
    message: 'A tunnel was bound',
    fields: { account, tunnel: 'web', requestId: request },
  },
  {
    source: 'relay',
    relay: 'r2',
    at: start + 2_000,
    level: 'warn',
    message: 'Sync failed; tunnels go on',
    fields: { failures: 3, code: 'PT-5108', error: { message: 'connect ECONNREFUSED 127.0.0.1:8400' } },
  },
  {
    source: 'control',
    at: start + 3_000,
    level: 'error',
    message: 'a request failed',
    fields: { code: 'PT-1000', requestId: request, path: '/v1/me', account },
  },
]

export function describeLogs(name: string, open: () => Promise<LogStage> | LogStage): void {
  const withStage = (title: string, run: (stage: LogStage) => Promise<void>) =>
    test(title, async () => {
      const stage = await open()
      try {
        await run(stage)
      } finally {
        await stage.close()
      }
    })
  const find = async ({ logs }: LogStage, query: string, limit = 50) => {
    const { lines } = await logs.search(parseLogQuery(query, start + 3_000), { limit })
    return lines.map(({ message }) => message)
  }
  const all = said.map(({ message }) => message).toReversed()
  const some = (...indexes: number[]) => indexes.map((index) => said[index]?.message)

  describe(`the log in ${name}`, () => {
    withStage('finds lines by words, fields, level and span; the newest first', async (stage) => {
      for (const each of said) stage.write(each)
      expect(await find(stage, '')).toEqual(all)
      expect(await find(stage, 'tunnel BOUND')).toEqual(some(1))
      expect(await find(stage, 'tunnels')).toEqual(some(2))
      expect(await find(stage, '"go on"')).toEqual(some(2))
      expect(await find(stage, '"on go"'), 'in another order').toEqual([])
      expect(await find(stage, 'tun'), 'a part of a word').toEqual([])
      expect(await find(stage, '127.0.0.1'), 'in a field of a field').toEqual(some(2))
      expect(await find(stage, 'code:5108')).toEqual(some(2))
      expect(await find(stage, `request:${request}`)).toEqual(some(3, 1, 0))
      expect(await find(stage, `request:${request} account:${account}`)).toEqual(some(3, 1))
      expect(await find(stage, 'relay:r2')).toEqual(some(2))
      expect(await find(stage, 'source:relay')).toEqual(some(2, 1))
      expect(await find(stage, 'source:control level>=warn')).toEqual(some(3))
      expect(await find(stage, 'level>=warn')).toEqual(some(3, 2))
      expect(await find(stage, 'since:1s')).toEqual(some(3, 2))
      expect(await find(stage, 'until:2026-01-31T12:00:01Z')).toEqual(some(1, 0))
      expect(await find(stage, 'nothing like it')).toEqual([])
    })

    withStage('says of a line all that its program said', async (stage) => {
      for (const each of said) stage.write(each)
      const { lines } = await stage.logs.search({ words: [], relay: 'r2' }, { limit: 1 })
      expect(lines).toEqual([
        expect.objectContaining({
          at: start + 2_000,
          level: 'warn',
          source: 'relay',
          relay: 'r2',
          code: 'PT-5108',
          message: 'Sync failed; tunnels go on',
          fields: expect.objectContaining({ failures: 3 }),
        }),
      ])
    })

    withStage('pages without a gap or a repetition, also while lines come', async (stage) => {
      const count = 25
      for (let n = 0; n < count; n++)
        stage.write({ source: 'control', at: start + n, level: 'info', message: `line ${n}`, fields: { n } })
      const query = parseLogQuery('line until:2026-01-31T12:00:01Z', start)
      const found: string[] = []
      const ids = new Set<string>()
      let after: string | undefined
      do {
        const page = await stage.logs.search(query, { limit: 10, after })
        for (const { message, id } of page.lines) {
          found.push(message)
          ids.add(id)
        }
        after = page.next
        stage.write({
          source: 'control',
          at: start + 60_000,
          level: 'info',
          message: 'line later',
          fields: { n: 1 },
        })
      } while (after !== undefined)
      expect(found).toEqual(Array.from({ length: count }, (_, n) => `line ${count - 1 - n}`))
      expect(ids.size).toBe(count)
    })

    withStage('refuses a position that is not of this query', async (stage) => {
      for (const each of said) stage.write(each)
      await expect(stage.logs.search({ words: [] }, { limit: 1, after: 'nonsense' })).rejects.toMatchObject({
        key: 'api.cursor',
      })
    })

    withStage('looks for signs of the query language as for words', async (stage) => {
      stage.write({
        source: 'control',
        at: start,
        level: 'info',
        message: 'a OR b AND (c) NOT d',
        fields: { n: 1 },
      })
      for (const sly of ['"a OR b"', '"(c)"', 'x`y', 'a\\', "'", '"*"', '"x) OR (y"', 'NOT', '%', 'a*'])
        await parseAndFind(stage, sly)
      expect(await find(stage, 'NOT d')).toHaveLength(1)
      expect(await find(stage, '"b OR a"')).toEqual([])
    })
  })
}

/** It may find nothing and may be refused as a query, but by nothing else. */
async function parseAndFind({ logs }: LogStage, text: string): Promise<void> {
  let query: ReturnType<typeof parseLogQuery>
  try {
    query = parseLogQuery(text, start)
  } catch (error) {
    expect(error).toMatchObject({ key: 'logs.search' })
    return
  }
  await logs.search(query, { limit: 10 })
}
