/** The past of the mock's tunnels as API and relays would tell it: waves with a pause, a slow hour and some errors. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { historySchema } from '@porttunneler/shared/api/schemas/history'
import { liveHistorySchema } from '@porttunneler/shared/api/schemas/tunnels'
import { timeBucketOf, timeBuckets, timeWithin } from '@porttunneler/shared/base/latency'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const wave = (at: number, periodMs: number) => 1.2 + Math.sin((at / periodMs) * 2 * Math.PI)

/** What was carried in one second around `at`, at one of two relays. */
function secondAt(at: number) {
  const day = wave(at, 24 * hourMs) * (0.6 + 0.4 * wave(at, 37 * minuteMs)) * (0.8 + 0.4 * Math.random())
  return { in: Math.round(40_000 * day), out: Math.round(130_000 * day), open: Math.round(6 * day) }
}

function timesAt(at: number, count: number): number[] {
  const slow = Math.floor(at / hourMs) % 7 === 3 ? 6 : 1
  const counts = new Array<number>(timeBuckets).fill(0)
  for (let n = 0; n < count; n++) {
    const bucket = timeBucketOf(slow * 20 * Math.exp(1.1 * (Math.random() + Math.random() - 0.8)))
    counts[bucket] = (counts[bucket] ?? 0) + 1
  }
  return counts
}

const isBad = (at: number) => Math.floor(at / minuteMs) % 97 < 6

function sendJson(answer: ServerResponse, body: unknown): void {
  answer.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function pointAt(at: number, step: number) {
  const second = secondAt(at)
  const requests = Math.round((step / 4_000) * wave(at, 24 * hourMs))
  const bad = isBad(at) ? Math.round(requests / 5) : 0
  const counts = timesAt(at, Math.min(requests, 300))
  const p = (q: number) => timeWithin(counts, q) ?? 0
  return {
    at,
    in: (second.in * step) / 500,
    out: (second.out * step) / 500,
    opened: Math.round(requests / 3),
    refused: bad,
    open: second.open * 2,
    answers: {
      upgraded: 0,
      successful: requests - bad,
      redirected: Math.round(requests / 9),
      clientError: Math.round(requests / 14),
      serverError: bad,
      unanswered: bad,
    },
    latency: { p50: p(0.5), p95: p(0.95), p99: p(0.99), counts },
    codes: { 404: Math.round(requests / 14), ...(bad > 0 && { 502: bad, 'PT-6040': bad }) },
  }
}

export function sendHistory(answer: ServerResponse, request: IncomingMessage): void {
  const { searchParams } = new URL(request.url ?? '/', 'http://mock')
  const [from, to, step] = ['from', 'to', 'step'].map((name) => Number(searchParams.get(name)))
  if (!from || !to || !step) return void answer.writeHead(400).end()
  const known = { from: Math.max(from, to - 200 * 24 * hourMs), to: Math.min(to, Date.now() - 15 * minuteMs) }
  const points = []
  const paused = (at: number) => Math.floor(at / (step * 40)) % 5 === 1
  for (let at = known.from - (known.from % step); at < known.to; at += step)
    if (!paused(at)) points.push(pointAt(at, step))
  const relayStarts = step < hourMs ? [from + (to - from) / 3] : []
  const relayUpdates = relayStarts.map((at) => ({ at, version: '0.2.0', before: '0.1.0' }))
  const total = { in: 0, out: 0, opened: 0, refused: 0 }
  sendJson(answer, historySchema.parse({ from, to, step, known, points, total, relayStarts, relayUpdates }))
}

/** @param since when this relay began, were it older than the mock */
export function sendRelayHistory(answer: ServerResponse, since: number): void {
  const now = Date.now()
  const rows = (step: number, count: number) =>
    Array.from({ length: count }, (_, n) => {
      const at = (Math.floor(now / step) - count + 1 + n) * step
      const { in: bytes, out, open } = secondAt(at)
      return [at, (bytes * step) / 1_000, (out * step) / 1_000, Math.round(step / 8_000), open, open]
    })
  const results = (step: number) =>
    Array.from({ length: 60 }, (_, n) => {
      const at = (Math.floor(now / step) - 59 + n) * step
      const { answers, latency, codes } = pointAt(at, step)
      return { at, answers: Object.values(answers), times: latency.counts, codes }
    })
  sendJson(
    answer,
    liveHistorySchema.parse({
      at: now,
      since: since - 4 * hourMs,
      seconds: rows(1_000, 600),
      tens: rows(10_000, 2_160),
      minutes: results(minuteMs),
      resultTens: results(10_000),
    }),
  )
}
