/**
 * A control plane whose clock ran a year ahead and was set back, or jumped there and back. Nothing stored meanwhile
 * blocks anybody for longer than such things last anyway. Every stored time that something waits for has a row.
 */
import { once } from '@porttunneler/shared/api/idempotency'
import type { AccountCall, ApiContext } from '@porttunneler/shared/api/kit'
import type { Lease } from '@porttunneler/shared/api/schemas/tunnels'
import { isFailure } from '@porttunneler/shared/base/errors'
import { newId } from '@porttunneler/shared/base/ids'
import { setAccountStatus } from '@porttunneler/shared/control/accounts'
import type { Caller } from '@porttunneler/shared/control/caller'
import { directoryOf } from '@porttunneler/shared/control/cells'
import { claimLeases, renewLeases } from '@porttunneler/shared/control/claims'
import { authorizeDevice, decideDevice, pollDevice } from '@porttunneler/shared/control/devices'
import { jobs } from '@porttunneler/shared/control/documents'
import { look } from '@porttunneler/shared/control/jobs/jobs'
import { mailWish } from '@porttunneler/shared/control/mail/sending'
import { syncRelay } from '@porttunneler/shared/control/relays'
import { releaseLeases } from '@porttunneler/shared/control/releases'
import { addName, removeName } from '@porttunneler/shared/control/tunnel-names'
import { deleteTunnel } from '@porttunneler/shared/control/tunnels'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, quietSync, type TestControl } from './testing/control.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const year = 365 * day
const laptop = newId('agt', 1)
const desktop = newId('agt', 2)
const from = { from: '192.0.2.1' }
const credentials = { email: 'ada@example.com', password: 'correct horse battery' }

type Stage = { readonly t: TestControl; readonly ada: Caller; readonly eve: Caller }
type Row<State = unknown> = {
  readonly what: string
  /** How long things of this kind last, plus the looks that find them. */
  readonly withinMs: number
  readonly stepMs?: number
  /** Done while the clock is wrong. */
  act(stage: Stage): Promise<State>
  /** Done when it is right again: throws, or returns false, until it works. */
  works(stage: Stage, state: State): Promise<unknown>
}
const row = <State>(one: Row<State>): Row => one as Row

type Wish = { readonly name?: string; readonly agent?: string; readonly kind?: 'tcp' | 'http'; port?: number }

async function claim({ t }: Stage, caller: Caller, wish: Wish = {}): Promise<Lease> {
  const { agent = laptop, name = 'db', kind = 'tcp', ...more } = wish
  const tunnels = [{ kind, name, ...more }]
  const { results } = await claimLeases(t.control, caller, { agent, tunnels, takeover: false })
  const [result] = results
  if (!result || !('lease' in result)) throw new Error(JSON.stringify(result))
  return result.lease
}
const release = ({ t }: Stage, { tunnel }: Lease, caller: Caller) =>
  releaseLeases(t.control, caller, { agent: laptop, tunnels: [tunnel] })

async function login({ t }: Stage, userCode: string, deviceCode: string, caller: Caller) {
  await decideDevice(t.control, caller, { userCode, approve: true })
  return 'created' in (await pollDevice(t.control, deviceCode, from.from))
}
const authorize = ({ t }: Stage) =>
  authorizeDevice(t.control, { device: 'laptop', scope: undefined, ...from })

/** The same key with this body. */
const ask = ({ t, ada }: Stage, body: string) => {
  const req = { header: () => 'key-1', method: 'POST', path: '/v1/tunnels', text: async () => body }
  const call = { caller: ada, control: t.of(ada) } as unknown as AccountCall
  return once({ req } as unknown as ApiContext, call, (record) =>
    t.control.store.transact(async (tx) => {
      record(tx, { body })
      return body
    }),
  )
}
const jobOf = async ({ t }: Stage, id: string) => (await t.control.store.get(jobs.ref(id)))?.data
const r2 = { ...quietSync, boot: { ...quietSync.boot, instance: 'r2', boot: '01k000000000000000000boot2' } }

const rows: readonly Row[] = [
  row({
    what: 'a lease that nobody serves: a stranger gets the only port',
    withinMs: 3 * hour,
    act: (stage) => claim(stage, stage.ada),
    works: (stage) => claim(stage, stage.eve),
  }),
  row({
    what: 'a lease whose agent is gone: another agent of the account takes it over',
    withinMs: 10 * minute,
    act: (stage) => claim(stage, stage.ada),
    works: (stage) => claim(stage, stage.ada, { agent: desktop }),
  }),
  row({
    what: 'a renewed lease: it ends in two hours again',
    withinMs: 30 * minute,
    act: (stage) => claim(stage, stage.ada),
    works: async ({ t, ada }, { tunnel, epoch }) => {
      const leases = [{ tunnel, epoch }]
      const answer = await renewLeases(t.control, ada, { agent: laptop, leases } as never)
      const lease = t.clock.now() + 2 * hour + 6 * minute
      const [found] = await endpointsOf(t)
      return JSON.stringify(answer).includes('lease') && (found?.expiresAt ?? 0) <= lease
    },
  }),
  row({
    what: 'a returned port: the same account gets it for another tunnel',
    withinMs: 30 * minute,
    act: async (stage) => release(stage, await claim(stage, stage.ada), stage.ada),
    works: (stage) => claim(stage, stage.ada, { name: 'other', port: 20_000 }),
  }),
  row({
    what: 'a port that rests: a stranger has it',
    withinMs: 2 * hour,
    act: async (stage) => {
      const lease = await claim(stage, stage.ada)
      await deleteTunnel(stage.t.of(stage.ada), stage.ada, { id: lease.tunnel })
    },
    works: (stage) => claim(stage, stage.eve),
  }),
  row({
    what: 'the pace of new addresses',
    withinMs: 30 * minute,
    act: async (stage) => {
      for (let n = 0; n < 60; n++) {
        const isPaced = await claim(stage, stage.ada, { name: `n${n}`, kind: 'http' }).then(
          async (lease) => {
            await deleteTunnel(stage.t.of(stage.ada), stage.ada, { id: lease.tunnel })
            return false
          },
          () => true,
        )
        if (isPaced) return
      }
      throw new Error('nothing is paced')
    },
    works: (stage) => claim(stage, stage.ada, { name: 'fresh', kind: 'http' }),
  }),
  row({
    what: 'a started device login: it ends as soon as any other, and the next one works',
    withinMs: 0,
    act: async (stage) => ({ ...(await authorize(stage)), begunAt: stage.t.clock.now() }),
    works: async (stage, old) => {
      const isOld = await login(stage, old.userCode, old.deviceCode, stage.ada).catch(() => false)
      const { userCode, deviceCode } = await authorize(stage)
      const isNew = await login(stage, userCode, deviceCode, stage.ada)
      return isNew && (!isOld || stage.t.clock.now() < old.begunAt + 15 * minute)
    },
  }),
  row({
    what: 'too many device logins requested',
    withinMs: hour,
    act: async (stage) => {
      for (let n = 0; n < 70; n++) await authorize(stage).catch(() => undefined)
    },
    works: authorize,
  }),
  row({
    what: 'an idempotency key: it may name another request in a day',
    withinMs: 25 * hour,
    stepMs: hour,
    act: (stage) => ask(stage, 'first'),
    works: async (stage) => 'value' in (await ask(stage, 'second')),
  }),
  row({
    what: 'the wait after wrong passwords',
    withinMs: 16 * minute,
    act: async ({ t }) => {
      await t.identity.register(credentials, from)
      for (let n = 0; n < 20; n++)
        await t.identity.login({ ...credentials, password: 'wrong' }, from).catch(() => undefined)
    },
    works: ({ t }) => t.identity.login(credentials, from),
  }),
  row({
    what: 'a session: it goes on, or ends with the clock that began it, as its access token does',
    withinMs: 0,
    act: async ({ t }) => ({ ...(await t.identity.register(credentials, from)), atMs: t.clock.now() }),
    works: async ({ t }, { tokens, atMs }) => {
      const isOld = await t.identity.verify(tokens.accessToken).then(
        () => true,
        () => false,
      )
      const isOn = await t.identity.refresh(tokens.refreshToken, from).then(
        () => true,
        () => false,
      )
      const next = await t.identity.login(credentials, from)
      await t.identity.verify(next.tokens.accessToken)
      const isOfNow = atMs <= t.clock.now()
      return isOld === isOfNow && isOn === isOfNow
    },
  }),
  row({
    what: 'a key for a relay: it ends as soon as any, and the next one works',
    withinMs: 0,
    act: async ({ t }) => ({ key: await t.relayIdentity.makeKey('home'), atMs: t.clock.now() }),
    works: async ({ t }, { key, atMs }) => {
      const isOld = await t.relayIdentity.enrol(key, 'r9').then(
        () => true,
        () => false,
      )
      await t.relayIdentity.enrol(await t.relayIdentity.makeKey('home'), 'r8')
      return isOld === atMs <= t.clock.now()
    },
  }),
  row({
    what: 'signed out everywhere: signing in works',
    withinMs: 0,
    act: async ({ t }) => {
      const { tokens } = await t.identity.register(credentials, from)
      await t.identity.logout({ refreshToken: tokens.refreshToken, everywhere: true }, from)
    },
    works: async ({ t }) => {
      const { tokens } = await t.identity.login(credentials, from)
      return t.identity.verify(tokens.accessToken)
    },
  }),
  row({
    what: 'jobs: requested ones are done, and recurring ones recur',
    // As long as a try may have to wait for the next.
    withinMs: 70 * minute,
    act: async (stage) => {
      const { control } = stage.t
      const letter = { to: 'a@example.com', template: 'account-link', data: { link: 'https://x/' } } as const
      const until = control.clock.now() + 2 * year
      const wish = await mailWish(control.vault, letter, { account: '', until })
      await control.store.transact(async (tx) => (await look(tx, wish, control.clock.now()))())
    },
    works: async (stage) => {
      const sweep = await jobOf(stage, 'endpoints.sweep:all')
      const isSoon = (sweep?.dueAt ?? Number.NaN) <= stage.t.clock.now() + hour
      return isSoon && stage.t.mails.length > 0
    },
  }),
  row({
    what: 'a job that a process had claimed when it died',
    withinMs: 10 * minute,
    act: async (stage) => {
      await stage.t.runJobs()
      const dueAt = stage.t.clock.now() + minute
      const ref = jobs.ref('endpoints.sweep:all')
      await stage.t.control.store.update(ref, { claim: 'dead', dueAt })
    },
    works: async (stage) => (await jobOf(stage, 'endpoints.sweep:all'))?.claim === '',
  }),
  row({
    what: 'the erasure of a closed account: in 30 days',
    withinMs: 30 * minute,
    act: ({ t, eve }) => setAccountStatus(t.control, eve.account, 'closed'),
    works: async (stage) => {
      const job = await jobOf(stage, `account.erase:${stage.eve.account}`)
      return job !== undefined && job.dueAt <= stage.t.clock.now() + 30 * day + hour
    },
  }),
  row({
    what: 'signing keys take turns by the week',
    withinMs: 8 * day,
    stepMs: 12 * hour,
    act: async ({ t }) => {
      await t.control.signer.rotate()
      return (await t.control.signer.describe()).find(({ state }) => state === 'active')?.kid
    },
    works: async ({ t }, kid) =>
      (await t.control.signer.describe()).find(({ state }) => state === 'active')?.kid !== kid,
  }),
  row({
    what: 'a resting name: another account gets it',
    withinMs: 3 * hour,
    act: async (stage) => {
      const { t, ada } = stage
      const lease = await claim(stage, ada, { kind: 'http' })
      await addName(t.control, ada, { tunnel: lease.tunnel, host: 'shop.example.org' })
      await removeName(t.control, ada, { tunnel: lease.tunnel, host: 'shop.example.org' })
    },
    works: async (stage) => {
      const { t, eve } = stage
      const lease = await claim(stage, eve, { name: 'mine', kind: 'http' })
      await addName(t.control, eve, { tunnel: lease.tunnel, host: 'shop.example.org' })
    },
  }),
  row({
    what: 'a relay that is gone: agents are not sent to it',
    withinMs: 90 * minute,
    act: ({ t }) => syncRelay(t.control, { relay: newId('rel', 2), cell: 'home' }, r2),
    works: async ({ t }) => {
      const known = directoryOf(t.control, await t.control.cells.now('home')).map(({ instance }) => instance)
      return known.includes('r1') && !known.includes('r2')
    },
  }),
  row({
    what: 'commands: a relay gets those from before and after',
    withinMs: 10 * minute,
    act: async (stage) => {
      const { cursor } = await stage.t.sync()
      await release(stage, await claim(stage, stage.ada), stage.ada)
      return { cursor, heard: new Set<string>() }
    },
    works: async (stage, state) => {
      const answer = await stage.t.sync({ cursor: state.cursor })
      state.cursor = answer.cursor
      for (const { kind } of answer.commands) state.heard.add(kind)
      return state.heard.has('revoke')
    },
  }),
]

async function endpointsOf({ control }: TestControl) {
  const { queries } = await import('@porttunneler/shared/control/query-table')
  const options = { where: { state: 'leased' }, limit: 10 }
  return (await control.store.query(queries.expiredLeases, options)).items.map(({ data }) => data)
}

let stage: Stage
let cursor: string | undefined
beforeEach(async () => {
  cursor = undefined
  const t = makeTestControl({ plan: 'free' })
  await t.openCell({ portFrom: 20_000, portTo: 20_000 })
  stage = { t, ada: await t.caller('ada@example.org'), eve: await t.caller('eve@example.org') }
})
afterEach(() => stage.t.close())

/** Relays report and workers run, as always. */
async function goOn(ms: number): Promise<void> {
  const { t } = stage
  for (let left = ms; left > 0; left -= 5 * minute) {
    cursor = (await t.sync({ ...(cursor !== undefined && { cursor }) })).cursor
    t.clock.advance(Math.min(left, 5 * minute))
  }
  cursor = (await t.sync({ ...(cursor !== undefined && { cursor }) })).cursor
  await t.runJobs()
}

async function worksIn({ withinMs, stepMs = 5 * minute, works }: Row, state: unknown): Promise<unknown> {
  let last: unknown
  for (let passed = 0; passed <= withinMs; passed += stepMs) {
    try {
      const result = await works(stage, state)
      if (result !== false) return true
      last = 'not yet'
    } catch (error) {
      last = isFailure(error) ? error.key : String(error)
    }
    await goOn(stepMs)
  }
  return last
}

describe('a clock that is wrong by a year', () => {
  test.each(rows)('ran ahead and was set back: $what', async (one) => {
    stage.t.clock.jump(year)
    await goOn(5 * minute)
    const state = await one.act(stage)
    stage.t.clock.jump(-year)
    expect(await worksIn(one, state)).toBe(true)
  })

  test.each(rows)('jumped there and back: $what', async (one) => {
    await goOn(5 * minute)
    const state = await one.act(stage)
    stage.t.clock.jump(year)
    await stage.t.sync()
    stage.t.clock.jump(-year)
    expect(await worksIn(one, state)).toBe(true)
  })
})
