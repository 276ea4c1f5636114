/** How a claim goes on when clocks are wrong, and how often it is looked at. */
import { expect, test } from 'vitest'
import type { DomainDoc } from './domain-documents.ts'
import { afterLook } from './domain-rules.ts'

const hour = 3_600_000
const day = 24 * hour
const nowMs = 1_000 * day
const claim: DomainDoc = {
  account: 'acc',
  host: 'app.example.com',
  domain: 'example.com',
  claim: 'c',
  cell: 'home',
  tunnel: '',
  state: 'pending',
  createdAt: nowMs,
  verifiedAt: 0,
  goneAt: 0,
  failingAt: 0,
  checkedAt: 0,
  nextAt: 0,
  askedAt: 0,
  findings: [],
  zone: '',
  nameServers: [],
  revision: 1,
}
const gone = { proof: 'gone', findings: [] } as const
const unknown = { proof: 'unknown', findings: [] } as const
const found = { proof: 'found', findings: [] } as const

function after(changes: Partial<DomainDoc>, verdict: typeof gone | typeof found | typeof unknown) {
  const outcome = afterLook({ ...claim, ...changes }, verdict, { holds: true, nowMs, random: 0.5 })
  if (outcome.kind === 'gone') return 'gone'
  return `${outcome.kind} ${outcome.next.state} in ${(outcome.next.nextAt - nowMs) / hour} h`
}

test.each([
  ['a fresh one each minute', {}, gone, `keep pending in ${1 / 60} h`],
  ['after an hour every ten minutes', { createdAt: nowMs - hour }, gone, `keep pending in ${1 / 6} h`],
  ['after a day each hour', { createdAt: nowMs - day }, unknown, 'keep pending in 1 h'],
  ['after a week no more', { createdAt: nowMs - 7 * day }, unknown, 'gone'],
  ['found', {}, found, 'keep verified in 24 h'],
  ['verified and silent', { state: 'verified' }, unknown, 'keep verified in 24 h'],
  ['said once', { state: 'verified' }, gone, 'keep verified in 1 h'],
  ['said again too soon', { state: 'verified', goneAt: nowMs - hour / 2 }, gone, 'keep verified in 1 h'],
  ['said again', { state: 'verified', goneAt: nowMs - hour }, gone, 'keep failing in 1 h'],
  ['said long after', { state: 'verified', goneAt: nowMs - 4 * hour }, gone, 'keep verified in 1 h'],
  [
    'failing and silent for a month',
    { state: 'failing', failingAt: nowMs - 30 * day },
    unknown,
    'keep failing in 1 h',
  ],
  ['failing for three days', { state: 'failing', failingAt: nowMs - 3 * day }, gone, 'keep suspended in 1 h'],
  ['for seven', { state: 'suspended', failingAt: nowMs - 7 * day }, gone, 'unbound suspended in 24 h'],
  ['for thirty', { state: 'suspended', failingAt: nowMs - 30 * day }, gone, 'gone'],
  ['back again', { state: 'suspended', failingAt: nowMs - 20 * day }, found, 'keep verified in 24 h'],
] as const)('%s: %s', (_, changes, verdict, expected) => expect(after(changes, verdict)).toBe(expected))

test('what a clock a year ahead has stored begins now', () => {
  const ahead = nowMs + 365 * day
  const later = (changes: Partial<DomainDoc>) => {
    const outcome = afterLook({ ...claim, ...changes }, gone, { holds: true, nowMs, random: 0 })
    if (outcome.kind === 'gone') throw new Error('it is over')
    return outcome.next
  }
  expect(later({ createdAt: ahead }).createdAt).toBe(nowMs)
  expect(later({ state: 'verified', goneAt: ahead }).goneAt).toBe(nowMs)
  expect(later({ state: 'failing', failingAt: ahead }).failingAt).toBe(nowMs)
})
