/**
 * Tells an account's people, in one mail, of all that is new since the last one: a job that the first news asks for,
 * due a minute later. The alerts are marked in the transaction that leaves the mails, so nobody is told twice.
 */
import { permissionsOf } from '../../api/schemas/access.ts'
import { linkTo } from '../../base/console-pages.ts'
import { roleOf } from '../caller.ts'
import { queryAll } from '../cells.ts'
import type { Control } from '../control.ts'
import { accounts, users } from '../documents.ts'
import { type JobKind, look, type RunningJob } from '../jobs/jobs.ts'
import { kick } from '../jobs/kick.ts'
import { type Addressed, mailWish } from '../mail/sending.ts'
import type { Snapshot } from '../platform.ts'
import { queries } from '../query-table.ts'
import { type AlertDoc, type AlertRulesDoc, alertRef, noRules, rulesRef } from './alert-documents.ts'
import { describeAlert } from './alerting.ts'
import { lookToDeliver } from './delivering.ts'
import { kindTable, maintenanceEnd, ruleFor } from './kinds.ts'
import type { Told } from './payloads.ts'
import type { WebhookDoc } from './webhook-documents.ts'
import { webhooksMax } from './webhooks.ts'

const hourMs = 3_600_000
/** A mail about a state of that long ago would only confuse. */
const usefulMs = 24 * hourMs
/** A mail that names more is not read, and a transaction has room for 60 documents. */
const namedMax = 20
/** 20 alerts, 15 mails, and a delivery with its job for each of 5 webhooks, besides this job. */
const readersMax = 15
/** Read at a time, to say how many more there are. */
const newsMax = 200
/** Held back while there is maintenance; at least this often it is looked whether that was taken back. */
const holdMs = hourMs

export function tellOfAlerts(control: Control): JobKind {
  return { name: 'alert.tell', attemptsMax: 12, waitsMs: holdMs, run: (job) => tell(control, job) }
}

async function tell(control: Control, job: RunningJob): Promise<void> {
  const { store, clock } = control
  const { account } = job
  const nowMs = clock.now()
  const { items } = await store.query(queries.untoldAlerts, { where: { account, untold: 1 }, limit: newsMax })
  const rules = (await store.get(rulesRef(account)))?.data ?? noRules(account)
  const ends = items.flatMap(({ data }) => maintenanceEnd(rules, { subject: data.subject, nowMs }) ?? [])
  const open = items.filter(
    ({ data }) => maintenanceEnd(rules, { subject: data.subject, nowMs }) === undefined,
  )
  const unwanted = open.filter(({ data }) => isUnwanted(data, rules))
  const loud = open.filter((one) => !unwanted.includes(one))
  for (let start = 0; start < unwanted.length; start += namedMax)
    await hush(job, unwanted.slice(start, start + namedMax))
  if (loud.length > 0) {
    const mailed = loud.filter(({ data }) => !kindTable[data.kind].hasOwnMail)
    const owner = account === '' ? undefined : (await store.get(accounts.ref(account)))?.data
    const to = mailed.length === 0 ? [] : await readersOf(control, account)
    const letter = letterOf(mailed, { account: owner?.name ?? '', link: alertsLink(control, account) })
    const wishes = await Promise.all(
      to.map((address) =>
        mailWish(control.vault, { ...letter, to: address }, { account, until: nowMs + usefulMs }),
      ),
    )
    const hooks = await webhooksOf(control, account)
    await mark(control, job, { told: loud.slice(0, namedMax), wishes, hooks, nowMs })
    for (let start = namedMax; start < loud.length; start += namedMax)
      await mark(control, job, { told: loud.slice(start, start + namedMax), wishes: [], hooks, nowMs })
  }
  if (ends.length > 0) await job.pause({}, Math.min(nowMs + holdMs, ...ends))
  else if (items.length === newsMax) await job.pause({}, nowMs)
}

/**
 * The account has turned this kind off, so it stays in the list and nobody is told; who heard of its beginning hears
 * of its end. Kinds that tunnels are looked at for are not made at all when they are off (checking.ts).
 */
function isUnwanted({ kind, subject, news, toldAt }: AlertDoc, rules: AlertRulesDoc): boolean {
  const isLooked = kind.startsWith('tunnel.') || kindTable[kind].forMs !== undefined
  if (isLooked || (news === 'ended' && toldAt > 0)) return false
  return !ruleFor(kind, rules, { id: subject }).on
}

async function hush(job: RunningJob, unwanted: readonly Snapshot<AlertDoc>[]): Promise<void> {
  await job.advance({}, async (tx) => {
    const latest = await Promise.all(unwanted.map(({ ref }) => tx.get(ref)))
    for (const [index, found] of latest.entries())
      if (found && found.data.news === unwanted[index]?.data.news)
        tx.set(found.ref, { ...found.data, untold: 0, news: '' })
  })
}

async function mark(
  control: Control,
  job: RunningJob,
  {
    told,
    wishes,
    hooks,
    nowMs,
  }: {
    readonly told: readonly Snapshot<AlertDoc>[]
    readonly wishes: readonly Awaited<ReturnType<typeof mailWish>>[]
    readonly hooks: readonly Snapshot<WebhookDoc>[]
    readonly nowMs: number
  },
): Promise<void> {
  let asked: readonly string[] = []
  await job.advance({}, async (tx) => {
    const latest = await Promise.all(told.map(({ data }) => tx.get(alertRef(data))))
    const asks = await Promise.all(wishes.map((wish) => look(tx, wish, nowMs)))
    const sent = { told: told.map(toldOf), nowMs, url: alertsLink(control, job.account) }
    const sends = await Promise.all(hooks.map((hook) => lookToDeliver(tx, hook, sent)))
    for (const [index, found] of latest.entries()) {
      // Something newer has happened to it: that is told next.
      if (!found || found.data.news !== told[index]?.data.news) continue
      tx.set(found.ref, { ...found.data, untold: 0, news: '', toldAt: nowMs })
    }
    asked = [...asks, ...sends].map((ask) => ask())
  })
  await kick(control, asked)
}

/** Where its people look at them. */
function alertsLink({ settings }: Control, account: string): string {
  return linkTo(settings, account === '' ? 'operatorSystem' : 'alerts')
}

async function webhooksOf({ store }: Control, account: string): Promise<readonly Snapshot<WebhookDoc>[]> {
  const found = await store.query(queries.webhooksOfAccount, { where: { account }, limit: webhooksMax })
  return found.items.filter(({ data }) => data.state === 'active')
}

function toldOf(found: Snapshot<AlertDoc>): Told {
  const { timeline: _, ...alert } = describeAlert(found)
  return { account: found.data.account, news: found.data.news, alert }
}

/** What the mail says of these. */
export function letterOf(
  found: readonly Snapshot<AlertDoc>[],
  { account, link }: { readonly account: string; readonly link: string },
): Pick<Extract<Addressed, { template: 'alerts' }>, 'template' | 'data'> {
  const items = found.slice(0, namedMax).map(({ data }) => {
    const { kind, name, news, cause, cure, code, since, endedAt } = data
    const what = news === '' ? ('begun' as const) : news
    return { title: kindTable[kind].title, name, news: what, cause, cure, code, since, endedAt }
  })
  const more = found.length - items.length
  return { template: 'alerts', data: { account, items, more, link } }
}

/** Those who may change the account, or the operators. */
async function readersOf({ store }: Control, account: string): Promise<readonly string[]> {
  const ids = account === '' ? await operatorIds(store) : await keeperIds(store, account)
  const people = await store.getAll(ids.slice(0, readersMax).map((id) => users.ref(id)))
  return people.flatMap((one) => (one && one.data.email !== '' ? [one.data.email] : []))
}

async function operatorIds(store: Control['store']): Promise<readonly string[]> {
  const found = await queryAll(store, queries.operatorsByState, { where: { state: 'active' } })
  return found.map(({ ref }) => ref.id)
}

async function keeperIds(store: Control['store'], account: string): Promise<readonly string[]> {
  const members = await queryAll(store, queries.membersOfAccount, { where: { account } })
  return members.flatMap(({ data }) =>
    data.status !== 'disabled' && permissionsOf(roleOf(data)).has('account.update') ? [data.user] : [],
  )
}
