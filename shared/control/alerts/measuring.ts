/**
 * Alerts about errors and slow answers. A report of a relay that shows more of them than the account's rules allow asks
 * for a job, which looks at the rows of all relays, and goes on only while such an alert is open. Reports without
 * trouble cost nothing more than before.
 */
import { eachRows } from '../books/rows.ts'
import type { Control } from '../control.ts'
import { tunnels } from '../documents.ts'
import { type JobKind, look, type RunningJob } from '../jobs/jobs.ts'
import type { UsageHourDoc } from '../usage-documents.ts'
import {
  type AlertDoc,
  type AlertKey,
  type AlertRulesDoc,
  alertRef,
  noRules,
  rulesRef,
} from './alert-documents.ts'
import type { Finding } from './deciding.ts'
import { ruleFor } from './kinds.ts'
import { findingOf, matters, mayMatter, measure, measuredKinds } from './measures.ts'
import { judge } from './raising.ts'

const minuteMs = 60_000
/** Reports come every 15 minutes; looking more often finds the same. */
const pollMs = 10 * minuteMs
const waitsMs = 60 * minuteMs
const rowsMs = 60 * minuteMs
const name = 'alert.measure'

/** What is older than this is a late report, and no news. */
const freshMs = 2 * 60 * minuteMs

export function measureTunnels(control: Control): JobKind {
  return { name, attemptsMax: 100, waitsMs, run: (job) => lookAtRows(control, job) }
}

/** Asks for a look at the tunnels whose reports show trouble. @param rows as they are stored now */
export async function askToMeasure(
  { store, clock }: Pick<Control, 'store' | 'clock'>,
  rows: readonly UsageHourDoc[],
): Promise<void> {
  const nowMs = clock.now()
  // A report has many tunnels of one account.
  const known = new Map<string, AlertRulesDoc>()
  for (const row of rows) {
    if (row.answers === undefined || row.hour < nowMs - freshMs) continue
    const measures = measure([row])
    if (!measures || !mayMatter(measures)) continue
    const { account, tunnel } = row
    const rules = known.get(account) ?? (await store.get(rulesRef(account)))?.data ?? noRules(account)
    known.set(account, rules)
    if (!matters(measures, rules)) continue
    await store.transact(async (tx) => {
      const ask = await look(tx, { kind: name, subject: tunnel, account }, nowMs)
      ask()
    })
  }
}

async function lookAtRows(control: Control, job: RunningJob): Promise<void> {
  const { store, clock } = control
  const { account, subject: id } = job
  const nowMs = clock.now()
  const [tunnel, stored] = await Promise.all([store.get(tunnels.ref(id)), store.get(rulesRef(account))])
  const rules = stored?.data ?? noRules(account)
  const rows: UsageHourDoc[] = []
  for await (const page of eachRows(control, { account, tunnel: id, from: nowMs - rowsMs, to: nowMs }))
    rows.push(...page)
  const measures = measure(rows)
  const isExplained = measures !== undefined && (await hasOtherCause(control, { account, id }, measures.from))
  const dueAts: number[] = []
  for (const kind of measuredKinds) {
    const key: AlertKey = { account, kind, subject: id }
    const about = { id, tags: tunnel?.data.tags }
    const rule = ruleFor(kind, rules, about)
    const known = await store.get(alertRef(key))
    const found = tunnel
      ? findingOf(kind, { name: tunnel.data.name, measures, rule, nowMs })
      : ('stopped' as const)
    const finding = isExplained ? asExplained(found, known?.data) : found
    const dueAt = await judge(control, job, { key, finding, rules, tunnel: about }, { known, nowMs })
    if (dueAt !== undefined) dueAts.push(dueAt)
  }
  if (dueAts.length > 0) await job.pause({}, Math.max(Math.min(...dueAts, nowMs + waitsMs), nowMs + pollMs))
}

/** While its agent or its upstream is away visitors get errors too, and people have heard of that. */
async function hasOtherCause(
  { store }: Pick<Control, 'store'>,
  { account, id }: { readonly account: string; readonly id: string },
  from: number,
): Promise<boolean> {
  const causes = ['tunnel.down', 'tunnel.upstream'] as const
  const known = await store.getAll(causes.map((kind) => alertRef({ account, kind, subject: id })))
  return known.some((alert) => alert && (alert.data.state !== 'resolved' || alert.data.endedAt >= from))
}

/** Trouble with another cause is no news of its own, and no end of what was there before. */
function asExplained(found: Finding, known: AlertDoc | undefined): Finding {
  if (typeof found === 'string') return found
  return known && known.state !== 'resolved' ? 'unclear' : 'well'
}
