/** The past of a tunnel: what the control plane keeps, and what relays still remember of the last hours. */
import type { LiveHistory } from '@porttunneler/shared/api/schemas/tunnels'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useMemo, useRef } from 'preact/hooks'
import { ranges, type ShownSpan, spanOf, type TimeRange } from '../charts/time-range.ts'
import { gridOf, resultsOf, trafficOf } from '../charts/timeline.ts'
import { failureOf } from './failure.ts'
import { useMe } from './queries.ts'
import { useServices } from './services.tsx'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const tenMs = 10_000
/** Relays remember results by ten seconds for this long. */
const tensMs = 10 * minuteMs
/** Each look at a day reads some dozens of documents. */
const keptEveryMs = 5 * minuteMs
/** Relays remember this long. */
const relaysMs = 6 * hourMs
/** A step is read again a little before its end, since the newest one grows while it lasts. */
const overlapMs = 20_000
const relayDeadlineMs = 10_000

/** What the charts of a page show, drawn anew as it comes. */
export function useTimeline(tunnel: string, range: TimeRange) {
  const { clock } = useServices()
  const kept = useKept(tunnel, range)
  const relays = useRelays(tunnel, range)
  const drawn = useMemo(() => {
    const span: ShownSpan = spanOf(range, clock.now())
    const { from, to, stepMs } = span
    const resultStep = resultStepOf(span, relays.data ?? [], clock.now())
    return {
      span,
      resultStepMs: resultStep,
      traffic: trafficOf(gridOf(from, to, stepMs), kept.data, relays.data ?? []),
      results: resultsOf(gridOf(from, to + resultStep, resultStep), kept.data, relays.data ?? []),
      relayStarts: kept.data?.relayStarts ?? [],
      relayUpdates: kept.data?.relayUpdates ?? [],
      total: kept.data?.total,
    }
  }, [kept.data, relays.data, range.name, range.zoom?.from, range.zoom?.to])
  return { ...drawn, query: kept }
}

/** Results by ten seconds, where every relay that answered has them for all that is shown. */
function resultStepOf({ from, stepMs }: ShownSpan, relays: readonly LiveHistory[], nowMs: number): number {
  const isKept = relays.length > 0 && relays.every(({ resultTens }) => resultTens !== undefined)
  const isFine = isKept && stepMs < tenMs && nowMs - from <= tensMs + tenMs
  return isFine ? tenMs : Math.max(minuteMs, stepMs)
}

function useKept(tunnel: string, range: TimeRange) {
  const { calls, clock } = useServices()
  return useQuery({
    queryKey: ['history', tunnel, range],
    queryFn: ({ signal }) => {
      const { from, to, stepMs } = spanOf(range, clock.now())
      const step = Math.max(minuteMs, stepMs)
      return calls.history({ tunnel, from: Math.floor(from), to: Math.ceil(to), step }, signal)
    },
    placeholderData: keepPreviousData,
    // Relays tell what is newer, or the step is long.
    refetchInterval: range.zoom ? false : Math.max(keptEveryMs, ranges[range.name].stepMs),
  })
}

/** Asks each relay of the live feed; one that does not answer is left out. */
function useRelays(tunnel: string, range: TimeRange) {
  const { live, clock, view } = useServices()
  const known = useRef(new Map<string, LiveHistory>())
  const { from, stepMs } = spanOf(range, clock.now())
  const mayWatch = useMe().data?.permissions.includes('live.read') ?? false
  return useQuery({
    queryKey: ['relay-history', tunnel],
    // A view of an operator shows what the control plane has.
    enabled: mayWatch && !view.now && clock.now() - from <= relaysMs + minuteMs,
    queryFn: async ({ signal }) => {
      const { ticket, sources } = await live.grant(signal)
      const answers = await Promise.all(
        sources.map(async (source) => {
          const before = known.current.get(source)
          const since = before ? before.at - overlapMs : 0
          try {
            const found = await readRelay(`${source}/history?tunnel=${tunnel}&since=${since}`, ticket, signal)
            const all = before && before.since === found.since ? joined(before, found, since) : found
            // What began anew meanwhile is asked for all that it has.
            if (before && before.since !== found.since) known.current.delete(source)
            else known.current.set(source, all)
            return all
          } catch {
            return undefined
          }
        }),
      )
      return answers.filter((answer) => answer !== undefined)
    },
    refetchInterval: range.zoom ? false : Math.max(2_000, stepMs),
  })
}

async function readRelay(url: string, ticket: string, signal: AbortSignal): Promise<LiveHistory> {
  const answer = await fetch(url, {
    headers: { authorization: `Bearer ${ticket}`, accept: 'application/json' },
    signal: AbortSignal.any([signal, AbortSignal.timeout(relayDeadlineMs)]),
    credentials: 'omit',
    cache: 'no-store',
  })
  if (!answer.ok) throw await failureOf(answer)
  return (await answer.json()) as LiveHistory
}

/** The steps that came with `since` stand for the older ones of the same time. */
function joined(before: LiveHistory, after: LiveHistory, since: number): LiveHistory {
  const rows = (old: LiveHistory['tens'], fresh: LiveHistory['tens'], keptMs: number) => [
    ...old.filter(([at]) => at <= since && at > after.at - keptMs),
    ...fresh,
  ]
  const steps = (old: LiveHistory['minutes'], fresh: LiveHistory['minutes'], keptMs: number) => {
    const known = new Set(fresh.map(({ at }) => at))
    return [...old.filter(({ at }) => !known.has(at) && at > after.at - keptMs), ...fresh]
  }
  const { resultTens } = after
  return {
    ...after,
    seconds: rows(before.seconds, after.seconds, 10 * minuteMs),
    tens: rows(before.tens, after.tens, relaysMs),
    minutes: steps(before.minutes, after.minutes, hourMs),
    ...(resultTens && { resultTens: steps(before.resultTens ?? [], resultTens, tensMs) }),
  }
}
