/** Every pool of a relay, filled by one tenant while another comes: each row keeps the promise of the table. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sourcePath } from '@porttunneler/shared/base/addresses'
import { silentLog } from '@porttunneler/shared/base/log'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { describe, expect, test } from 'vitest'
import { relayConfigSchema } from '../config.ts'
import { fairLog } from './fair-log.ts'
import { FairRates } from './fair-rates.ts'
import { budgets, type Holder, makePool, type PoolName, pools, rates } from './pools.ts'

const root = join(import.meta.dirname, '..')
const sources = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !/(\.test\.ts|testing|node_modules|dist)/.test(path))
  .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))

/** The holders of tenant `name` at each level; `n` tells its members apart at the last. */
function pathOf(share: readonly Holder[], name: string, n: number): string[] {
  const net = name === 'hog' ? `192.0.2.${n % 250}` : `198.51.100.${n % 250}`
  return share.flatMap((holder, at) =>
    holder === 'source' ? sourcePath(net) : at === 0 ? [name] : [`${name} ${n}`],
  )
}

describe('pools of the relay', () => {
  test.each(Object.entries(pools))('%s: a tenant that holds it all yields to another', (name, row) => {
    const limit = 100
    const pool = makePool<string>(name as PoolName, limit, new FakeClock())
    const dropped: string[] = []
    const turns: number[] = []
    const add = (tenant: string, n: number) => {
      const member = `${tenant} ${n}`
      const isIn = pool.add(member, pathOf(row.share, tenant, n), () => dropped.push(member)) === undefined
      if (!isIn) dropped.push(member)
    }
    for (let n = 0; n < 3 * limit; n++) add('hog', n)
    expect(pool.size).toBe(limit)
    dropped.length = 0
    // The large tenant goes on asking, ten times as often as the guest.
    for (let n = 0; n < limit / 4; n++) {
      for (let again = 0; again < 10; again++) add('hog', 1_000 + 10 * n + again)
      add('guest', n)
      turns.push(dropped.filter((member) => member.startsWith('guest')).length)
    }
    if (row.share.length > 0) {
      expect(turns.at(-1), 'none of the guest’s is refused or yields').toBe(0)
      expect(pool.count(pathOf(row.share, 'guest', 0).slice(0, 1))).toBeGreaterThan(0)
    }
    expect(pool.size).toBe(limit)
  })

  test.each(Object.entries(pools))('%s: alone, a tenant has all of it', (name, row) => {
    const pool = makePool<number>(name as PoolName, 50, new FakeClock())
    let lost = 0
    for (let n = 0; n < 50; n++)
      if (pool.add(n, pathOf(row.share, 'one', n), () => lost++) !== undefined) lost++
    expect([pool.size, lost]).toEqual([50, 0])
  })

  test.each(Object.entries(rates))(
    '%s: a tenant that asks for all of it leaves enough to another',
    (name, row) => {
      const clock = new FakeClock()
      const fair = new FairRates(clock, { keysMax: 10 })
      const rate = { perMinute: 600, burst: 600 }
      const path = (tenant: string, n: number) => pathOf(row.share, tenant, n)
      let refused = 0
      let hogs = 0
      for (let second = 0; second < 300; second++) {
        for (let n = 0; n < 50; n++) if (fair.take(name, rate, path('hog', n))) hogs++
        for (let n = 0; n < 2; n++) if (!fair.take(name, rate, path('guest', 2 * second + n))) refused++
        clock.advance(1_000)
      }
      expect(refused, 'of 600').toBe(0)
      expect(hogs, 'and the rest is not wasted').toBeGreaterThan(2_000)
    },
  )

  test('log lines: who causes most has the fewest written, and the number left out is logged', () => {
    const clock = new FakeClock()
    const lines: { readonly fields: object }[] = []
    const log = fairLog({ ...silentLog, info: (fields) => void lines.push({ fields }) }, clock)
    for (let n = 0; n < 100_000; n++) log.info(['hog', 'agent'], {}, 'An agent came')
    expect(lines.length).toBeLessThanOrEqual(20_000)
    log.info(['guest', 'agent'], { who: 'guest' }, 'An agent came')
    expect(lines.at(-1)?.fields).toEqual({ who: 'guest', linesLeftOut: 100_001 - lines.length })
  })

  test('no pool is missing in the table: each is made from a row, and each row is used', () => {
    const made = sources.flatMap(({ text }) => [...text.matchAll(/makePool(?:<[^(]*>)?\(\s*'(\w+)'/g)])
    const used = made.map(([, name]) => name)
    const handshakes = ['agentHandshakes', 'visitorHandshakes']
    expect([...used, ...handshakes].toSorted()).toEqual(Object.keys(pools).toSorted())
    const direct = sources.filter(({ text }) => /new FairPool\b/.test(text)).map(({ path }) => path)
    expect(direct).toEqual(['policy/pools.ts'])
  })

  test('no limit is missing in the table: other numbers compared with a count are listed here with reasons', () => {
    const lines = sources.flatMap(({ path, text }) =>
      text
        .split('\n')
        .filter((line) => /(\.size|\.length|#\w*(?:count|asks|running)\w*) >=? /.test(line))
        .filter((line) => !/> 0\b|>= 0\b|> 1\b/.test(line))
        .map((line) => `${path}: ${line.trim()}`),
    )
    const unknown = lines.filter((line) => !notShared.some((known) => line.includes(known)))
    expect(unknown, 'a new pool? give it a row in pools.ts, or say here why nobody shares it').toEqual([])
  })

  test('docs/relay.md shows the table as it is', () => {
    const page = readFileSync(join(root, '../docs/relay.md'), 'utf8')
    const rows = Object.values({ ...pools, ...rates, ...budgets }).map(rowOf)
    for (const row of rows) expect(page).toContain(row)
  })

  test('limits with a name show their defaults', () => {
    const { limits } = relayConfigSchema.parse(smallestConfig)
    const count = (value: number) => value.toLocaleString('en')
    const pace = ({ perMinute, burst }: { perMinute: number; burst: number }) =>
      `${count(perMinute / 60)} a second, burst ${count(burst)}`
    const { handshakes } = limits
    expect([pools.header, pools.silent, pools.carriers].map(({ limit }) => limit)).toEqual(
      Array(3).fill(`strangersMax (${count(limits.strangersMax)})`),
    )
    expect(pools.sockets.limit).toBe(`visitorsMax (${count(limits.visitorsMax)})`)
    expect(pools.visitorHandshakes.limit).toBe(`handshakes.running (${count(handshakes.running)})`)
    expect(pools.agentHandshakes.limit).toBe(pools.visitorHandshakes.limit)
    expect(pools.sessions.limit).toBe(`sessionsMax (${count(limits.sessionsMax)})`)
    expect(pools.feeds.limit).toBe(`watchersMax (${count(limits.watchersMax)})`)
    expect(pools.feeds.holds).toContain(`watchersPerAccount (${count(limits.watchersPerAccount)})`)
    expect(rates.accept.limit).toBe(`source (${pace(limits.source)})`)
    expect(rates.visitorHandshakeRate.limit).toBe(`handshakes.visitors (${pace(handshakes.visitors)})`)
    expect(rates.agentHandshakeRate.limit).toBe(`handshakes.agents (${pace(handshakes.agents)})`)
    expect(rates.account.limit).toBe(`account (${pace(limits.account)}), or its plan’s`)
  })
})

const smallestConfig = {
  instance: 'r1',
  dataDir: '/var/lib/relay',
  controlUrl: 'https://console.example.com',
  listen: { tls: { port: 443 }, http: { port: 80 } },
  public: { agentHost: 'r1.example.com', agentSni: 'r1.example.com', names: ['r1.example.com'] },
}

function rowOf({
  holds,
  limit,
  share,
  yields,
  code,
}: (typeof pools)[PoolName] | typeof budgets.streams | (typeof rates)[keyof typeof rates]) {
  return `| ${holds} | ${limit} | ${share.join(', ') || 'nobody'} | ${yields} | \`${code}\` |`
}

/**
 * Counts that strangers do not share: those of one connection, session or file, or of caches that forget the oldest.
 */
const notShared: readonly string[] = [
  // What one account carried since its last tickets: as many marks as relays count in a while, for each account its
  // own.
  'this.#marks.length > marksMax',
  // The pool is half full: everybody reports what they have.
  'meters/connection-log.ts: const isCrowded = this.#places.size > crowdedAt',
  // Names of bound tunnels, which plans limit, and a cache of what is made again.
  'certificates.ts: if (this.#wishes.size >= certificateLimits.wishes)',
  'tls-contexts.ts: if (this.#contexts.size > this.#max && oldest !== undefined)',
  // A file of the operator's own, read for the metrics.
  'meters/admin.ts: if ((await stat(path)).size > figuresBytesMax)',
  // What the relay itself says, and one line of it; the newest go, and are counted.
  'platform/logs.google.ts: if (this.#isClosed || this.#queue.length >= queuedMax)',
  'platform/logs.google.ts: } = clean.length > lineMax',
  // One connection's or one session's own.
  'http2/head.ts: return text.length > limits.requestHeadBytes',
  'http2/upstreams.ts: if (next < 0 || this.#busy.size >= usualMax)',
  'siblings.ts: if (chunk.length > taken.length)',
  'listeners/origins.ts: if (seen.length > verdict.length)',
  'listeners/sniff.ts: ',
  'session-bindings.ts: if (this.#bound.size >= limits.bindsPerSession',
  'binding-queue.ts: if (this.#waiting.size > waitingMax)',
  'sessions.ts: if (idle.length >= unboundMax)',
  // Only the control plane adds to them, and the one untouched for longest is forgotten.
  'sessions.ts: if (this.#told.size > toldMax',
  'name-knowledge.ts: if (this.#past.size <= pastMax',
  'taken-down.ts: if (this.#takedowns.size > takedownsMax',
  'meters/shares.ts: if (this.#shares.size > accountsMax',
  // Remembers who came lately: a forgotten one begins anew.
  'policy/fair-rates.ts: ',
]
