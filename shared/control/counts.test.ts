/**
 * Counts what the control plane asks of Firestore, Functions and Pub/Sub for each tunnel and hour, over a simulated
 * day, and compares it with docs/cost.md. Print the table with PT_PRINT_COUNTS=1.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeTestControl, quietSync } from '../../standalone/testing/control.ts'
import { makeApi } from '../api/app.ts'
import { newId } from '../base/ids.ts'
import { limits } from '../protocol/limits.ts'
import { type CountingStore, countingStore } from '../testing/counting-store.ts'
import { countUsage as countUsageJob } from './books/count.ts'
import { countLate } from './books/late.ts'
import { EndedSignIns } from './ended-sign-ins.ts'
import { roundsMs, Worker } from './jobs/worker.ts'
import { createKey } from './keys.ts'
import { notifyPeople } from './mail/notices.ts'
import { sendMails } from './mail/sending.ts'
import { syncRelay } from './relays.ts'

/** Assumptions about users; the rest follows from the code. Rates are per tunnel and hour. */
const agents = 20
const tunnelsPerAgent = 2
const tunnels = agents * tunnelsPerAgent
const relaysPerCell = 4
const tunnelsPerCell = 5_000
const claimsPerHour = 0.125
const activeShare = 0.2
const relaysPerTunnel = 2
/** A relay reports a running hour every 15 min while it carries; traffic fills about one of them. */
const reportsPerHour = 1.25
const changesPerHour = 0.02
const consoleCallsPerHour = 0.5
const hoursCounted = 8
/** For one cell, as one of three instances sees it. */
const betweenRenewalsMs = (3 * 3_600_000) / (tunnelsPerCell / tunnelsPerAgent) / 2
const hourMs = 3_600_000

/** The figures of docs/cost.md, with a little room. A change that exceeds them has to be worth its price. */
const most = { invocations: 1.8, reads: 19.4, writes: 2.3, messages: 0.15 }

type Row = { invocations: number; reads: number; writes: number; messages: number }
type Agent = {
  readonly id: string
  readonly account: string
  readonly secret: string
  leases: readonly Lease[]
}
type Lease = { readonly tunnel: string; readonly epoch: number; readonly endpoint: { readonly id: string } }

let counting: CountingStore
let published = 0
let invocations = 0
const t = makeTestControl({
  wrapStore(store) {
    counting = countingStore(store)
    return counting.store
  },
})
const { control, clock } = t
const app = makeApi({
  control,
  principals: t.principals,
  addressOf: () => '192.0.2.1',
  enrolment: t.relayIdentity,
})
const rollUps = new Worker({ control, kinds: [countUsageJob(control), countLate(control)], atOnce: 4 })
const mailer = new Worker({ control, kinds: [notifyPeople(control), sendMails(control)], atOnce: 4 })
/** The cost of a roll-up that finds nothing. */
let idle = { reads: 0, writes: 0 }
const people: Agent[] = []
const rows = new Map<string, Row>()

/** Adds the cost of `run` to the row, as each tunnel's share of a day. */
async function count<T>(
  row: string,
  run: () => Promise<T>,
  share = 1 / (tunnels * hoursCounted),
): Promise<T> {
  const before = { ...counting.counts, published, invocations }
  const result = await run()
  const sum = rows.get(row) ?? { invocations: 0, reads: 0, writes: 0, messages: 0 }
  rows.set(row, {
    invocations: sum.invocations + (invocations - before.invocations) * share,
    reads: sum.reads + (counting.counts.reads - before.reads) * share,
    writes: sum.writes + (counting.counts.writes - before.writes) * share,
    // Each relay of the cell gets one publication.
    messages: sum.messages + (published - before.published) * (1 + relaysPerCell) * share,
  })
  return result
}

async function call(
  agent: Agent,
  method: string,
  path: string,
  json?: object,
): Promise<{ readonly results?: readonly { readonly lease: Lease }[] }> {
  invocations++
  const response = await app.request(`https://tunnel.example.com${path}`, {
    method,
    headers: { authorization: `Bearer ${agent.secret}`, ...(json && { 'content-type': 'application/json' }) },
    ...(json && { body: JSON.stringify(json) }),
  })
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
  return response.status === 204 ? {} : ((await response.json()) as object)
}

async function claim(agent: Agent): Promise<void> {
  const wanted = Array.from({ length: tunnelsPerAgent }, (_, n) => ({ name: `t${n}`, kind: 'tcp' }))
  const answer = await call(agent, 'POST', '/v1/leases', {
    agent: agent.id,
    tunnels: wanted,
    takeover: false,
  })
  agent.leases = answer.results?.map(({ lease }) => lease) ?? []
}

async function renew(agent: Agent): Promise<void> {
  const leases = agent.leases.map(({ tunnel, epoch }) => ({ tunnel, epoch }))
  await call(agent, 'POST', '/v1/leases/renew', { agent: agent.id, leases })
}

const relayClaims = Array.from({ length: relaysPerCell }, (_, n) => ({
  claims: { relay: newId('rel', n + 1), cell: 'home' },
  boot: { ...quietSync.boot, instance: `r${n}`, boot: `01k000000000000000000${n}boot` },
}))

async function sync(relay: number, usage: readonly object[] = []): Promise<void> {
  const self = relayClaims[relay]
  if (!self) throw new Error('no such relay')
  const leases = people.flatMap((agent) => agent.leases)
  const bound = leases.map(({ tunnel, endpoint, epoch }) => ({ endpoint: endpoint.id, tunnel, epoch }))
  // All that a relay says of itself, which never stays the same, rides on the one write of its report.
  const figures = { memoryBytes: 1e9, loopMs: clock.now() % 7, descriptors: 90, descriptorsMax: 1_024 }
  const load = { ...quietSync.load, ...figures, bytesPerSecond: clock.now() % 999 }
  const request = { ...quietSync, load, boot: self.boot, bound, cursor: `${clock.now()}`, usage: [...usage] }
  invocations++
  await syncRelay(control, self.claims, request as typeof quietSync)
}

/** What the active tunnels carried, as the first two relays of the cell report it. */
function usageOf(relay: number, report: number): readonly object[] {
  const active = people
    .slice(0, agents * activeShare)
    .flatMap(({ account, leases }) => leases.map(({ tunnel }) => ({ account, tunnel })))
  const hour = Math.floor(clock.now() / hourMs) * hourMs
  const counts = { in: (report + 1) * 1_000, out: (report + 1) * 1_000, opened: 1, refused: 0 }
  return active.map((who) => ({ ...who, hour, boot: relayClaims[relay]?.boot.boot, ...counts }))
}

beforeAll(async () => {
  await rollUps.begin()
  await rollUp()
  clock.advance(hourMs)
  idle = await rollUp()
})
beforeAll(async () => {
  const publish = control.bus.publish.bind(control.bus)
  control.bus.publish = async (topic, message) => {
    published++
    await publish(topic, message)
  }
  await t.openCell({ portTo: 20_199 })
  for (let relay = 0; relay < relaysPerCell; relay++) await sync(relay)
  for (let n = 0; n < agents; n++) {
    const caller = await t.caller(`u${n}@example.com`)
    const { secret } = await createKey(t.of(caller), caller, { name: 'agent', scopes: ['admin'] })
    const agent: Agent = { id: newId('agt', n + 1), account: caller.account, secret, leases: [] }
    await claim(agent)
    people.push(agent)
  }
  // Mails about new keys, which are no cost of an hour.
  for (let round = 0; round < 2; round++) await mailer.round(60_000)
})
afterAll(() => t.close())

test('a tunnel-hour costs no more than docs/cost.md says', async () => {
  for (let hour = 0; hour < hoursCounted; hour++) {
    await countHour(hour)
  }
  const total = [...rows.values()].reduce((sum, row) => ({
    invocations: sum.invocations + row.invocations,
    reads: sum.reads + row.reads,
    writes: sum.writes + row.writes,
    messages: sum.messages + row.messages,
  }))
  if (process.env.PT_PRINT_COUNTS) process.stdout.write(tableOf(total))
  for (const name of ['invocations', 'reads', 'writes', 'messages'] as const)
    expect(total[name], name).toBeLessThanOrEqual(most[name])
  const page = pageRows()
  for (const [name, row] of [...rows, ['sum', total] as const])
    for (const [at, what] of (['invocations', 'reads', 'writes', 'messages'] as const).entries()) {
      const told = Number(page.get(name)?.[at])
      // For some, another row counts the calls.
      if (Number.isNaN(told) && what === 'invocations') continue
      expect(Math.abs(told - row[what]), `docs/cost.md: ${what} of ${name}`).toBeLessThanOrEqual(0.1)
    }
  expect([...(page.get("the test's bound") ?? [])].map(Number)).toEqual(Object.values(most))
  expect(total.reads).toBeGreaterThan(1)
  expect(total.writes).toBeGreaterThan(0.5)
})

test('the end of a sign-in is looked up twice a minute, however often the console asks', async () => {
  const ended = new EndedSignIns(counting.store, clock)
  const before = counting.counts.reads
  for (let second = 0; second < 3_600; second += 2) {
    const asks = Array.from({ length: 4 }, () => ended.check('sign-in', { person: 'usr', authTimeMs: 1 }))
    await Promise.all(asks)
    clock.advance(2_000)
  }
  expect(counting.counts.reads - before).toBe(120)
})

/** The rows of the table in docs/cost.md, by name. */
function pageRows(): ReadonlyMap<string, readonly string[]> {
  const text = readFileSync(join(import.meta.dirname, '../../docs/cost.md'), 'utf8')
  const [, table = ''] = text.split('## Counts for a tunnel and hour')
  const lines = table.split('\n').filter((line) => /^\| .*\d/.test(line))
  return new Map(
    lines.map((line) => {
      const [name = '', ...cells] = line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.replace(/[*_]/g, '').trim())
      return [name, cells]
    }),
  )
}

function tableOf(total: Row): string {
  const lines = [...rows, ['sum', total] as const].map(
    ([name, row]) => `| ${[name, ...Object.values(row).map((count) => count.toFixed(2))].join(' | ')} |`,
  )
  return `\n| what | invocations | reads | writes | messages |\n|---|---|---|---|---|\n${lines.join('\n')}\n`
}

const quarterMs = 15 * 60_000

async function countHour(hour: number): Promise<void> {
  const quarters = hourMs / quarterMs
  for (let quarter = 0; quarter < quarters; quarter++) {
    clock.advance(quarterMs)
    // Each relay reports every 30 s, whether there is anything or not; the cell's tunnels share that cost.
    for (let relay = 0; relay < relaysPerCell; relay++) await countSync(relay, quarterMs / limits.syncMs)
    // Workers look for jobs every minute, once for all cells; a single cell is the most expensive case.
    await countRollUp()
    await count('jobs', () => t.runJobs(), 1 / (tunnelsPerCell * hoursCounted))
    const idleRounds = quarterMs / roundsMs - 1
    await count('jobs', () => t.runJobs(), idleRounds / (tunnelsPerCell * hoursCounted))
    if (quarter % 2 === 0)
      for (const agent of people) {
        clock.advance(betweenRenewalsMs)
        await count('renewal', () => renew(agent))
      }
    if (quarter === 1) await countUsage(hour)
  }
  const claimed = Math.round((claimsPerHour * tunnels) / tunnelsPerAgent)
  for (const agent of rotate(people, hour * claimed).slice(0, claimed)) {
    const ids = agent.leases.map(({ tunnel }) => tunnel)
    await count('claim and release', () =>
      call(agent, 'POST', '/v1/leases/release', { agent: agent.id, tunnels: ids }),
    )
    await count('claim and release', () => claim(agent))
  }
  const asked = consoleCallsPerHour * tunnels
  for (let n = 0; n < asked; n++) await count('console, CLI, API', () => look(n))
  const changed = Math.max(1, Math.round(changesPerHour * tunnels))
  for (const agent of rotate(people, hour).slice(0, changed))
    await count('changes', () => change(agent, hour))
}

async function countSync(relay: number, times: number): Promise<void> {
  await count('relay sync', () => sync(relay), times / (tunnelsPerCell * hoursCounted))
}

/** The cost of a roll-up beyond one that finds nothing, which all cells share. */
async function countRollUp(): Promise<void> {
  const found = await rollUp()
  if (found.writes === 0) return
  const share = 1 / (tunnels * hoursCounted)
  const sum = rows.get('roll-ups') ?? { invocations: 0, reads: 0, writes: 0, messages: 0 }
  rows.set('roll-ups', {
    ...sum,
    reads: sum.reads + (found.reads - idle.reads) * share,
    writes: sum.writes + (found.writes - idle.writes) * share,
  })
}

async function rollUp(): Promise<{ reads: number; writes: number }> {
  const before = { ...counting.counts }
  await rollUps.round(60_000)
  const between = { ...counting.counts }
  // Looking for jobs is counted separately.
  await rollUps.round(60_000)
  const after = counting.counts
  return {
    reads: 2 * between.reads - before.reads - after.reads,
    writes: between.writes - before.writes,
  }
}

/** The call itself is already counted among the syncs. */
async function countUsage(hour: number): Promise<void> {
  for (let relay = 0; relay < relaysPerTunnel; relay++) {
    const alone = { ...counting.counts }
    await sync(relay)
    const empty = counting.counts.reads - alone.reads
    const emptyWrites = counting.counts.writes - alone.writes
    const before = { ...counting.counts }
    await sync(relay, usageOf(relay, hour))
    const share = reportsPerHour / (tunnels * hoursCounted)
    const sum = rows.get('usage') ?? { invocations: 0, reads: 0, writes: 0, messages: 0 }
    rows.set('usage', {
      ...sum,
      reads: sum.reads + (counting.counts.reads - before.reads - empty) * share,
      writes: sum.writes + (counting.counts.writes - before.writes - emptyWrites) * share,
    })
  }
}

async function look(n: number): Promise<void> {
  const agent = people[n % agents]
  if (!agent) return
  const day = `from=${clock.now() - 24 * hourMs}&to=${clock.now()}`
  const paths = ['/v1/tunnels', '/v1/me', `/v1/tunnels/${agent.leases[0]?.tunnel}`, `/v1/usage?${day}`]
  await call(agent, 'GET', paths[Math.floor(n / agents + n) % paths.length] ?? '/v1/me')
}

async function change(agent: Agent, hour: number): Promise<void> {
  const policy = { allow: [`192.0.2.${hour % 200}/32`] }
  await call(agent, 'PATCH', `/v1/tunnels/${agent.leases[0]?.tunnel}`, { policy })
}

function rotate<T>(list: readonly T[], by: number): readonly T[] {
  const at = by % list.length
  return [...list.slice(at), ...list.slice(0, at)]
}
