/**
 * Looks at the service itself every five minutes and tells its operators, by the same rules as owners are told. It is
 * the alerting's own sign of life, too: after a look that went well the platform hears of it (`heartbeat`), and others
 * can see from outside when these signs stop.
 */
import { z } from 'zod'
import type { AlertKind } from '../../api/schemas/alerts.ts'
import { queryAll } from '../cells.ts'
import type { Control } from '../control.ts'
import { asFailure } from '../failures.ts'
import type { JobKind, RunningJob } from '../jobs/jobs.ts'
import type { Snapshot } from '../platform.ts'
import { queries } from '../query-table.ts'
import { type AlertDoc, type AlertKey, alertRef, noRules, rulesRef } from './alert-documents.ts'
import type { Finding } from './deciding.ts'
import { judge } from './raising.ts'
import type { Found, Sense } from './sense.ts'
import { senseDependencies, senseJobs, senseRelays } from './senses.ts'
import { lookEveryMs, lookedText, lookName } from './sign-of-life.ts'

const minuteMs = 60_000

/** Since when something is so that does not say it itself, by kind and subject. */
const progressSchema = z.object({ pending: z.array(z.object({ of: z.string(), since: z.number() })) })

export function lookAtService(control: Control): JobKind {
  const run = (job: RunningJob) => lookAll(control, job)
  return { name: lookName, attemptsMax: Number.MAX_SAFE_INTEGER, everyMs: lookEveryMs, run }
}

async function lookAll(control: Control, job: RunningJob): Promise<void> {
  const { store, clock } = control
  const nowMs = clock.now()
  const rules = (await store.get(rulesRef('')))?.data ?? noRules('')
  const open = await openAlerts(control)
  const { pending: known = [] } = progressSchema.safeParse(job.progress).data ?? {}
  const before = new Map(known.map(({ of, since }) => [of, since]))
  const pending: { of: string; since: number }[] = []
  const dueAts = [nowMs + lookEveryMs]
  const senses = [
    senseRelays(control, open),
    senseJobs(control, open),
    senseDependencies(control),
    ...(control.senses ?? []),
  ]
  for (const sense of senses) {
    job.signal.throwIfAborted()
    const sensed = await senseAll(control, sense)
    for (const { key, finding } of findingsOf(sense.kinds, { sensed, open, before, nowMs })) {
      if (typeof finding === 'object') pending.push({ of: pendingKey(key), since: finding.since })
      const alert = await store.get(alertRef(key))
      const dueAt = await judge(control, job, { key, finding, rules }, { known: alert, nowMs })
      if (dueAt !== undefined) dueAts.push(Math.max(dueAt, nowMs + minuteMs))
    }
  }
  await control.heartbeat?.({ at: nowMs, open: open.length }, job.signal)
  control.log.info({ open: open.length }, lookedText)
  await job.pause({ pending }, Math.min(...dueAts))
}

type Sensed = { readonly found: readonly Found[]; readonly stopped?: readonly string[] } | 'unclear'

/** A sense that fails says nothing of its kinds; whatever they were, they stay. */
async function senseAll({ log }: Control, sense: Sense): Promise<Sensed> {
  try {
    return await sense.look()
  } catch (thrown) {
    const error = asFailure(thrown)
    log.warn({ kinds: sense.kinds, code: error.code, error }, 'what is wrong here cannot be found out now')
    return 'unclear'
  }
}

type Look = {
  readonly sensed: Sensed
  readonly open: readonly Snapshot<AlertDoc>[]
  readonly before: ReadonlyMap<string, number>
  readonly nowMs: number
}

/** What was found, and what of the open alerts was not found again. */
function findingsOf(
  kinds: readonly AlertKind[],
  { sensed, open, before, nowMs }: Look,
): readonly { readonly key: AlertKey; readonly finding: Finding }[] {
  const mine = open.filter(({ data }) => kinds.includes(data.kind)).map(({ data }) => data)
  if (sensed === 'unclear') return mine.map((key) => ({ key: keyOf(key), finding: 'unclear' }))
  const found = sensed.found.map(({ kind, subject, since, ...words }) => {
    const key: AlertKey = { account: '', kind, subject }
    return { key, finding: { ...words, since: since ?? before.get(pendingKey(key)) ?? nowMs } }
  })
  const still = new Set(found.map(({ key }) => pendingKey(key)))
  const over = mine
    .filter((key) => !still.has(pendingKey(key)))
    .map((key) => {
      const finding: Finding = sensed.stopped?.includes(key.subject) ? 'stopped' : 'well'
      return { key: keyOf(key), finding }
    })
  return [...found, ...over]
}

function keyOf({ kind, subject }: AlertDoc): AlertKey {
  return { account: '', kind, subject }
}

function pendingKey({ kind, subject }: Pick<AlertKey, 'kind' | 'subject'>): string {
  return `${kind} ${subject}`
}

async function openAlerts({ store }: Pick<Control, 'store'>): Promise<readonly Snapshot<AlertDoc>[]> {
  const states = ['firing', 'acknowledged'] as const
  const read = (state: AlertDoc['state']) =>
    queryAll(store, queries.alertsByState, { where: { account: '', state } })
  return (await Promise.all(states.map(read))).flat()
}
