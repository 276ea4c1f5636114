/**
 * The job that checks a claim's host again and again: it judges and settles what the DNS says, and the name of the
 * tunnel follows. The job ends with the claim.
 */
import type { Control } from '../control.ts'
import type { JobKind, RunningJob, Wish } from '../jobs/jobs.ts'
import { followByRecords } from '../own-records.ts'
import { bindName } from './binding.ts'
import { type DomainDoc, domains, verified } from './domain-documents.ts'
import { waitsMsMax } from './domain-rules.ts'
import { cellAway } from './following.ts'
import { toldCell } from './places.ts'
import { proofOf, targetUnder } from './proof.ts'
import { settle } from './settle.ts'
import { isGone, judge } from './verdict.ts'

/** The limit of one process: strangers' servers may be silent for seconds, and mails must not wait for them. */
const looksAtOnce = 3
const crowdedMs = 5_000
/** A name that rests, or was another tunnel's, is asked for again so soon. */
const bindAgainMs = 60_000

export function checkWish(id: string, account: string): Wish {
  return { kind: 'domain.check', subject: id, account }
}

export function checkDomains(control: Control): JobKind {
  let looking = 0
  const run = async (job: RunningJob) => {
    const waitMs = crowdedMs * (0.5 + control.random())
    if (looking >= looksAtOnce) return job.pause({}, control.clock.now() + waitMs)
    looking += 1
    try {
      await check(control, job)
    } finally {
      looking -= 1
    }
  }
  // Each look makes progress, so only what kills workers dies.
  return { name: 'domain.check', attemptsMax: 1_000, waitsMs: waitsMsMax, run }
}

async function check(control: Control, job: RunningJob): Promise<void> {
  const { store, clock } = control
  const found = await store.get(domains.ref(job.subject))
  if (!found) return
  const next = await lookAt(control, job, found.data)
  if (!next) return
  const isBound = await bindName(control, job.subject)
  const dueAt = isBound ? next.nextAt : Math.min(next.nextAt, clock.now() + bindAgainMs)
  await job.pause({}, dueAt)
}

/** By their names in CAA records, which an authority of our own does not ask for. */
function issuersFor({ certificates: { issuers, local } }: Control): readonly string[] | undefined {
  if (issuers.length === 0 || local !== undefined) return undefined
  return issuers.flatMap(({ caa }) => caa)
}

async function lookAt(control: Control, job: RunningJob, seen: DomainDoc): Promise<DomainDoc | undefined> {
  const { host, claim } = seen
  const away = await cellAway(control, seen)
  const domain = { ...seen, cellAway: away }
  const cells = await control.cells.open()
  const cellDomains = cells.map((cell) => cell.domain)
  const { token, text, targets } = await proofOf(control, domain, cellDomains)
  const target = targetUnder(token, toldCell(control, domain, cells)?.domain ?? '')
  const present = cells.find(({ id }) => id === (away || domain.cell))
  const leading = [target, ...(present ? [targetUnder(token, present.domain)] : [])]
  const inquiry = { host, domain: domain.domain, target }
  const evidence = await control.inquiries.look(inquiry, job.signal)
  job.signal.throwIfAborted()
  const issuers = issuersFor(control)
  const holder = (await control.store.get(verified.ref(host)))?.data
  const other = holder && holder.claim !== claim ? holder : undefined
  const theirs = other && (await proofOf(control, { ...other, host }, cellDomains))
  const settled = await settle(control, {
    id: job.subject,
    claim,
    cellAway: away,
    verdict: judge(evidence, { host, text, targets, leading, issuers }),
    zone: evidence.zone,
    nameServers: evidence.nameServers.slice(0, 8),
    holder: other && theirs && { claim: other.claim, isGone: isGone(evidence, theirs) },
  })
  const isNew = away !== '' && settled?.state !== seen.state
  if (isNew || away !== (seen.cellAway ?? '')) await followByRecords(control)
  return settled
}
