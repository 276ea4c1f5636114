import { describe, expect, test } from 'vitest'
import { limits } from '../protocol/limits.ts'
import { Backlog } from './backlog.ts'

/** A path that carries `rate` bytes a ms behind an endless queue, and answers half a round trip after arrival. */
function run({ rate, rttMs, ms }: { rate: number; rttMs: number; ms: number }) {
  const backlog = new Backlog()
  const marks: { ping: number; at: number }[] = []
  const answers: { ping: number; atMs: number }[] = []
  let written = 0
  let through = 0
  let longest = 0
  for (let now = 0; now < ms; now++) {
    for (; answers[0] && answers[0].atMs <= now; answers.shift()) backlog.answered(answers[0].ping, now)
    while (!backlog.isFull && written - through < 4_000_000) {
      written += 16_384
      backlog.sent(16_384)
      if (!backlog.isMarkDue(now)) continue
      marks.push({ ping: marks.length + 1, at: written })
      backlog.marked(marks.length, now, true)
    }
    if (backlog.isMarkDue(now)) {
      marks.push({ ping: marks.length + 1, at: written })
      backlog.marked(marks.length, now, true)
    }
    const before = through
    through = Math.min(written, through + rate)
    for (const mark of marks)
      if (mark.at > before && mark.at <= through) answers.push({ ping: mark.ping, atMs: now + rttMs })
    if (now > ms / 2) longest = Math.max(longest, written - through)
  }
  return {
    share: through / (rate * ms),
    queueMs: longest / rate,
    marksPerMinute: (marks.length * 60_000) / ms,
  }
}

describe('backlog of a shared carrier', () => {
  test('on a slow path the queue stays a fraction of a second, where the kernel would take seconds', () => {
    const { share, queueMs } = run({ rate: 1_250, rttMs: 40, ms: 20_000 })
    expect(queueMs).toBeLessThan(300)
    expect(share).toBeGreaterThan(0.97)
  })

  test.each([
    { rate: 125_000, rttMs: 1, ms: 2_000 },
    { rate: 12_500, rttMs: 100, ms: 20_000 },
    { rate: 40_000, rttMs: 20, ms: 5_000 },
  ])('a path of $rate bytes a ms and $rttMs ms is filled', (path) => {
    expect(run(path).share).toBeGreaterThan(0.9)
  })

  test.each(
    [1_250, 12_500, 125_000, 1_250_000].flatMap((rate) =>
      [1, 3, 10, 30, 100, 300].map((rttMs) => ({ rate, rttMs })),
    ),
  )('$rate bytes a ms over $rttMs ms need no more marks than a receiver accepts', ({ rate, rttMs }) => {
    const { share, marksPerMinute } = run({ rate, rttMs, ms: 3_000 + 40 * rttMs })
    expect(marksPerMinute).toBeLessThan(60_000 / limits.markEveryMs + 100)
    expect(share, 'the time to learn the rate included').toBeGreaterThan(0.75)
  })

  test('an answer to a later PING also answers the mark', () => {
    const backlog = new Backlog()
    backlog.sent(300_000)
    expect([backlog.isFull, backlog.isMarkDue(0)]).toEqual([true, true])
    backlog.marked(7, 0, true)
    backlog.answered(6, 1)
    expect(backlog.isFull).toBe(true)
    backlog.answered(8, 2)
    expect(backlog.isFull).toBe(false)
  })
})
