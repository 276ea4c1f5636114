/**
 * Watches a new version and says when it does worse: calls that fail and how long calls take, by revision, from Cloud
 * Monitoring; and tunnels, by opening one in each cell. The bounds are those of the SLO and its alerts.
 */
import { sleep } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { z } from 'zod'
import { answeredGoal, fastBurn } from '../cdktf/alerts.ts'
import { releaseSecrets } from '../cdktf/names.ts'
import { ask, type Command, curlFlags } from './command.ts'
import type { Release } from './release.ts'
import { services } from './traffic.ts'

const roundMs = 60_000
/** With fewer calls, one that fails by chance would look like a fault. */
const callsMin = 50
/** Slower than twice the old one's and by at least this: Cloud Run's own noise is less. */
const slowerMs = 250

export type Figures = {
  readonly calls: number
  readonly failed: number
  /** Milliseconds, 99 of 100 calls took at most this. */
  readonly slowestMs?: number
}
export type FiguresByRevision = ReadonlyMap<string, Figures>

/** @returns what is wrong with the new revision, or undefined */
export function fault(fresh: Figures | undefined, old: Figures | undefined): string | undefined {
  if (fresh === undefined || fresh.calls < callsMin) return undefined
  const burn = fresh.failed / fresh.calls / (1 - answeredGoal)
  if (burn > fastBurn)
    return `${fresh.failed} of ${fresh.calls} calls failed, ${burn.toFixed(1)} times what the goal of ${answeredGoal * 100} % allows`
  const [slow, usual] = [fresh.slowestMs, old?.slowestMs]
  if (slow === undefined || usual === undefined || (old?.calls ?? 0) < callsMin) return undefined
  return slow > 2 * usual && slow > usual + slowerMs
    ? `99 of 100 calls took up to ${Math.round(slow)} ms, with the old revision ${Math.round(usual)} ms`
    : undefined
}

/**
 * Looks once a minute.
 * @throws release.watch, release.smoke
 */
export async function watch(release: Release, minutes: number): Promise<void> {
  const { clock, signal, say, state } = release
  const from = clock.now()
  for (let minute = 1; minute <= minutes; minute++) {
    await sleep(clock, roundMs, signal)
    await tryTunnels(release)
    const figures = await figuresSince(release, from)
    for (const service of services) {
      const [fresh, old] = [state.revisions[service], state.before?.revisions[service]]
      if (fresh === undefined || fresh === old) continue
      const wrong = fault(figures.get(fresh), old === undefined ? undefined : figures.get(old))
      if (wrong !== undefined) throw fail('release.watch', `${fresh}: ${wrong}`)
    }
    const calls = Object.values(state.revisions).reduce(
      (sum, name) => sum + (figures.get(name)?.calls ?? 0),
      0,
    )
    say(`minute ${minute} of ${minutes}: ${calls} calls to the new revisions, nothing is wrong`)
  }
}

/**
 * Opens a tunnel in each cell and visits it.
 * @throws release.smoke
 */
export async function tryTunnels(release: Release): Promise<void> {
  const { environment, run } = release
  const key = await run({
    program: 'gcloud',
    args: [
      'secrets',
      'versions',
      'access',
      'latest',
      `--secret=${releaseSecrets.smokeKey}`,
      `--project=${environment.project}`,
    ],
    printsSecrets: true,
    why: 'the key of the account that tries tunnels',
  })
  for (const { id } of environment.cells) {
    const command: Command = {
      program: 'node',
      args: ['release/smoke.ts', '--server', `https://${environment.consoleHost}`, '--cell', id],
      secrets: { PTUN_KEY: key.trim() },
      why: `a tunnel in cell ${id}`,
    }
    const first = await attempt(release, command)
    if (first === undefined) continue
    // The way from here to there may fail too; a fault of the service shows again.
    release.say(`${first}\nOnce more.`)
    const second = await attempt(release, command)
    if (second !== undefined) throw fail('release.smoke', `Cell ${id}, twice: ${second}`)
  }
}

/** @returns what went wrong */
async function attempt({ run, signal }: Release, command: Command): Promise<string | undefined> {
  try {
    await run(command)
    return undefined
  } catch (error) {
    if (!isFailure(error, 'release.command') || signal.aborted) throw error
    return String(error.fields.lastWords).trim() || error.detail
  }
}

/** JSON has no number for these, so Google sends words. */
const doubleSchema = z.union([z.number(), z.enum(['NaN', 'Infinity', '-Infinity'])])
const seriesSchema = z.object({
  timeSeries: z
    .array(
      z.looseObject({
        metric: z
          .looseObject({ labels: z.record(z.string(), z.string()).default({}) })
          .default({ labels: {} }),
        resource: z.looseObject({ labels: z.record(z.string(), z.string()).default({}) }),
        points: z.array(
          z.looseObject({
            value: z.looseObject({ int64Value: z.string().optional(), doubleValue: doubleSchema.optional() }),
          }),
        ),
      }),
    )
    .default([]),
  nextPageToken: z.literal('').optional(),
})
type Series = z.output<typeof seriesSchema>['timeSeries'][number]

async function figuresSince(release: Release, from: number): Promise<FiguresByRevision> {
  const token = await release.run({
    program: 'gcloud',
    args: ['auth', 'print-access-token'],
    printsSecrets: true,
    why: 'signs in at Cloud Monitoring',
  })
  const read = (metric: string, aligner: string, reducer: string, ...labels: string[]) =>
    ask(
      release.run,
      seriesSchema,
      monitoringCall(release, { from, token: token.trim(), metric, aligner, reducer, labels }),
    )
  const counts = await read('request_count', 'ALIGN_DELTA', 'REDUCE_SUM', 'metric.labels.response_code_class')
  const times = await read('request_latencies', 'ALIGN_PERCENTILE_99', 'REDUCE_MAX')
  const figures = new Map<string, Figures>()
  for (const series of counts.timeSeries) {
    const { calls, failed } = figures.get(revisionOf(series)) ?? { calls: 0, failed: 0 }
    const sum = sumOf(series)
    const isFailed = series.metric.labels.response_code_class === '5xx'
    figures.set(revisionOf(series), { calls: calls + sum, failed: failed + (isFailed ? sum : 0) })
  }
  for (const series of times.timeSeries) {
    const known = figures.get(revisionOf(series))
    const slowest = series.points.flatMap(({ value }) =>
      typeof value.doubleValue === 'number' ? [value.doubleValue] : [],
    )
    if (known && slowest.length > 0)
      figures.set(revisionOf(series), { ...known, slowestMs: Math.max(...slowest) })
  }
  return figures
}

function revisionOf({ resource }: Series): string {
  return resource.labels.revision_name ?? ''
}

function sumOf({ points }: Series): number {
  return points.reduce((sum, { value }) => sum + Number(value.int64Value ?? 0), 0)
}

type Question = {
  readonly from: number
  readonly token: string
  readonly metric: string
  readonly aligner: string
  readonly reducer: string
  readonly labels: readonly string[]
}

/** The token is in curl's configuration on stdin: other users of a machine see command lines. */
function monitoringCall(release: Release, question: Question): Command {
  const { clock, environment } = release
  const { from, token, metric, aligner, reducer, labels } = question
  const now = clock.now()
  const url = new URL(`https://monitoring.googleapis.com/v3/projects/${environment.project}/timeSeries`)
  const parameters = {
    filter: `resource.type="cloud_run_revision" metric.type="run.googleapis.com/${metric}"`,
    'interval.startTime': new Date(from).toISOString(),
    'interval.endTime': new Date(now).toISOString(),
    'aggregation.alignmentPeriod': `${Math.max(60, Math.ceil((now - from) / 1000))}s`,
    'aggregation.perSeriesAligner': aligner,
    'aggregation.crossSeriesReducer': reducer,
  }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  for (const label of ['resource.labels.revision_name', ...labels])
    url.searchParams.append('aggregation.groupByFields', label)
  return {
    program: 'curl',
    args: [...curlFlags, '--config', '-', url.href],
    input: `header = "Authorization: Bearer ${token}"\n`,
    why: `${metric} by revision since the change`,
  }
}
