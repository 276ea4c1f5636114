/**
 * The stage of a game day: the whole control plane of one platform in this process, with its API, jobs, mails and
 * logs, on a clock that is moved by hand, so that an hour or two weeks are over at once. Relays, certificate authority
 * and the receiver of webhooks are played here, because they have to fail when the day wants it.
 */
import { rmSync } from 'node:fs'
import type { SyncRequest } from '@porttunneler/shared/api/schemas/relays'
import { systemClock } from '@porttunneler/shared/base/clock'
import type { Log } from '@porttunneler/shared/base/log'
import { users } from '@porttunneler/shared/control/documents'
import { parseLogQuery } from '@porttunneler/shared/control/logs/query'
import { runAct } from '@porttunneler/shared/control/operator/acts'
import type { PostPublic, Store } from '@porttunneler/shared/control/platform'
import { SmallIssuer } from '@porttunneler/shared/testing/small-issuer'
import { LogIndex } from '@porttunneler/standalone/platform/logs.sqlite'
import { makeTestApi, type TestApi } from '@porttunneler/standalone/testing/api'
import type { StoredDocument } from '@porttunneler/standalone/testing/memory-store'
import { temporaryFolder } from '../harness/standalone.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const renewMs = 30 * minuteMs
/** So short that a failing renewal alarms within a day. */
const certificateLifeMs = 24 * hourMs
const password = 'correct horse battery'
export const operatorAddress = 'grace@example.com'

type Sent = Parameters<PostPublic>[0]

export type Stage = {
  readonly t: TestApi
  readonly issuer: SmallIssuer
  readonly operator: string
  /** What the receiver of webhooks got, also while it was down. */
  readonly sent: readonly Sent[]
  /** What relays report from now on; undefined: none is alive. */
  report: Partial<SyncRequest> | undefined
  isReceiverDown: boolean
  /** What an agent that is alive does every half hour. */
  renew: (() => Promise<unknown>) | undefined
  /** Lets time pass step by step: relays report, and due jobs run. */
  pass(ms: number, stepMs?: number): Promise<void>
  /** Mails since the last call, as `address: subject`. */
  mails(): readonly string[]
  /** How many lines of the log an operator finds by this query, 100 at most. */
  search(query: string): Promise<number>
  documents(): Promise<readonly StoredDocument[]>
  close(): Promise<void>
}

/** A store other than the one in memory, and a walk over all that it holds. */
export type Database = { readonly store: Store; documents(): Promise<readonly StoredDocument[]> }

export async function openStage(database?: Database): Promise<Stage> {
  const logs = openIndex()
  const sent: Sent[] = []
  const issuers: SmallIssuer[] = []
  const t = await makeTestApi(
    {},
    {
      log: logInto(logs.index),
      certificates: { issuers, caa: async () => [] },
      post: async (asked) => {
        sent.push(asked)
        return stage.isReceiverDown ? { status: 503, text: 'down' } : { status: 204, text: '' }
      },
      ...(database && { wrapStore: () => database.store }),
    },
  )
  let renewedAt = t.clock.now()
  const issuer = new SmallIssuer({ clock: t.clock, lifeMs: certificateLifeMs })
  issuers.push(issuer)
  const stage: Stage = {
    t,
    issuer,
    operator: await makeOperator(t),
    sent,
    report: {},
    isReceiverDown: false,
    renew: undefined,
    async pass(ms, stepMs = minuteMs) {
      for (let left = ms; left > 0; left -= stepMs) {
        t.clock.advance(Math.min(left, stepMs))
        if (stage.report) await t.sync(stage.report)
        if (t.clock.now() - renewedAt >= renewMs) {
          renewedAt = t.clock.now()
          await stage.renew?.()
        }
        await t.runJobs()
      }
    },
    mails: () => t.mails.splice(0).map(({ to, subject }) => `${to}: ${subject}`),
    search: async (query) =>
      (await logs.index.search(parseLogQuery(query, t.clock.now()), { limit: 100 })).lines.length,
    documents: async () => [...t.documents(), ...((await database?.documents()) ?? [])],
    close: async () => {
      await t.close()
      await database?.store.close()
      logs.close()
    },
  }
  return stage
}

async function makeOperator(t: TestApi): Promise<string> {
  await t.identity.register({ email: operatorAddress, password }, { from: '' })
  const token = await signIn(t, operatorAddress)
  const { member } = await t.principals.authenticate(token, '')
  const office = { control: t.control, enrolment: t.relayIdentity }
  await runAct(office, { act: 'operators.add', input: { who: member }, operator: 'game-day' })
  await t.control.store.update(users.ref(member), { emailVerified: true })
  t.clock.advance(31_000)
  return member
}

/** A token of somebody, fresh enough for everything. */
async function signIn(t: TestApi, email: string): Promise<string> {
  return (await t.identity.login({ email, password }, { from: '' })).tokens.accessToken
}

/** A call that has to be answered. @throws with the problem */
export async function ask(
  { t }: Pick<Stage, 't'>,
  method: string,
  path: string,
  { as = 'ada@example.com', json }: { readonly as?: string; readonly json?: object } = {},
): Promise<unknown> {
  const answer = await t.call(method, path, { token: await signIn(t, as), ...(json && { json }) })
  const text = await answer.text()
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
  return text === '' ? undefined : JSON.parse(text)
}

/** As the programs of one machine write it, so that operators find it there. */
function logInto(index: LogIndex, more: object = {}): Log {
  const at = (level: string) => (fields: object, msg: string) =>
    index.take({ source: 'control' }, JSON.stringify({ level, ...more, ...fields, msg }))
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => logInto(index, { ...more, ...fields }),
  }
}

function openIndex(): { readonly index: LogIndex; close(): void } {
  const folder = temporaryFolder('game-day')
  const limits = { bytesMax: 64 * 1024 * 1024, ageMaxMs: 365 * 24 * hourMs }
  const index = new LogIndex({
    ...{ folder, clock: systemClock, ...limits },
    onTrouble: (error) => {
      throw error
    },
  })
  return {
    index,
    close: () => {
      index.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
