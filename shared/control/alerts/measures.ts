/**
 * How a tunnel's visitors have fared, from the rows that relays report anyway: a quarter of an hour of minutes. Pure.
 * Rows come every 15 minutes while there is traffic, so an alert about them is half an hour old at most.
 */
import { answerPlaces } from '../../api/schemas/relays.ts'
import { codes } from '../../base/errors.ts'
import { timeWithin } from '../../base/latency.ts'
import { minutesOfRow } from '../books/hours.ts'
import type { Results } from '../books/results.ts'
import type { UsageHourDoc } from '../usage-documents.ts'
import type { AlertRulesDoc } from './alert-documents.ts'
import type { Finding } from './deciding.ts'
import { type Effective, kindTable, ruleFor } from './kinds.ts'

const minuteMs = 60_000
const windowMs = 15 * minuteMs
/** Fewer are chance, or one visitor who reloads a page. */
const answersMin = 20
/** After an hour without visitors nobody can say that it is still so. */
const staleMs = 60 * minuteMs
/** Nineteen of twenty answers begin within it. */
const share = 0.95

export const measuredKinds = ['tunnel.errors', 'tunnel.latency'] as const
export type MeasuredKind = (typeof measuredKinds)[number]

export type Measures = {
  /** The first and the last minute with answers that count. */
  readonly from: number
  readonly at: number
  readonly answers: number
  /** In per cent: answers of 5xx, and requests without an answer. */
  readonly errors: number
  /** In ms; undefined: relays have told no times. */
  readonly slowest: number | undefined
}

/** Measures the last quarter of an hour that has answers. @returns undefined when there are too few to judge */
export function measure(rows: readonly UsageHourDoc[]): Measures | undefined {
  const minutes = rows.flatMap((row) => [...minutesOfRow(row)])
  const answered = minutes.filter(([, { answers }]) => answers !== undefined)
  const at = Math.max(...answered.map(([minute]) => minute))
  const inWindow = answered.filter(([minute]) => minute > at - windowMs)
  const counts = inWindow.map(([, sum]) => countsOf(sum))
  const answers = counts.reduce((sum, one) => sum + one.all, 0)
  if (answers < answersMin) return undefined
  const failed = counts.reduce((sum, one) => sum + one.failed, 0)
  const times: number[] = []
  for (const [minute, { times: more = [] }] of minutes)
    if (minute > at - windowMs && minute <= at)
      for (const [bucket, count] of more.entries()) times[bucket] = (times[bucket] ?? 0) + count
  const slowest = timeWithin(
    Array.from(times, (count) => count ?? 0),
    share,
  )
  const from = Math.min(...inWindow.map(([minute]) => minute))
  return { from, at, answers, errors: (100 * failed) / answers, slowest }
}

function countsOf({ answers = [] }: Results): { readonly all: number; readonly failed: number } {
  const { latency, serverError, unanswered } = answerPlaces
  const all = answers.slice(0, latency).reduce((sum, count) => sum + count, 0)
  return { all, failed: (answers[serverError] ?? 0) + (answers[unanswered] ?? 0) }
}

function figureOf(kind: MeasuredKind, { errors, slowest = 0 }: Measures): number {
  return kind === 'tunnel.errors' ? errors : slowest
}

/** Whether any rule that an account can have would want to hear of it: then it is worth reading its rules. */
export function mayMatter(measures: Measures): boolean {
  return measuredKinds.some((kind) => figureOf(kind, measures) > (kindTable[kind].thresholdMin ?? 0))
}

/** Whether a rule of the account, of any scope, wants to hear of it: then it is worth a job. */
export function matters(measures: Measures, { rules }: Pick<AlertRulesDoc, 'rules'>): boolean {
  return measuredKinds.some((kind) => {
    const own = rules.filter((rule) => rule.kind === kind)
    const effective = [
      ruleFor(kind, { rules }),
      ...own.map((rule) => ruleFor(kind, { rules: [general(rule)] })),
    ]
    return effective.some(({ on, threshold }) => on && figureOf(kind, measures) > threshold)
  })
}

/** The same rule for every tunnel. */
function general({
  tunnel: _,
  tag: __,
  ...rule
}: AlertRulesDoc['rules'][number]): AlertRulesDoc['rules'][number] {
  return rule
}

/** What a look at the rows finds. 'stopped': nobody has visited it for so long that there is nothing to say. */
export function findingOf(
  kind: MeasuredKind,
  {
    name,
    measures,
    rule,
    nowMs,
  }: {
    readonly name: string
    readonly measures: Measures | undefined
    readonly rule: Effective
    readonly nowMs: number
  },
): Finding {
  if (!measures || nowMs - measures.at > staleMs) return 'stopped'
  const value = figureOf(kind, measures)
  if (value <= rule.threshold) return 'well'
  const { cause, cure, code } = codes[kind === 'tunnel.errors' ? 'alert.errors' : 'alert.slow']
  const figure =
    kind === 'tunnel.errors'
      ? `${Math.round(value)} % of ${measures.answers} requests failed in a quarter of an hour.`
      : `One answer in twenty took longer than ${Math.round(value)} ms to begin, of ${measures.answers} in a quarter of an hour.`
  return { since: measures.from, name, cause: `${figure} ${cause}`, cure, code }
}
