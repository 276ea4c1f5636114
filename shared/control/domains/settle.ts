/**
 * What a look changes, in one transaction: the claim, who has the host, the name that leads to a tunnel, and the mails
 * to owners. Crosses accounts: the host may have been another's until now. Pure rules decide what to do (`plan`,
 * domain-rules.ts).
 */
import { codes, type ErrorKey } from '../../base/errors.ts'
import { lookToRaise, lookToSettle } from '../alerts/raising.ts'
import { type AuditAction, writeAudit } from '../audit.ts'
import { type Outgoing, publishCommands } from '../commands.ts'
import type { Control } from '../control.ts'
import { look } from '../jobs/jobs.ts'
import { kick } from '../jobs/kick.ts'
import type { Transaction } from '../platform.ts'
import { lookToTake } from '../quota.ts'
import { isAccountHeld } from '../retention/held.ts'
import { isAhead } from '../stored-times.ts'
import { lookToRemoveName } from '../tunnel-names.ts'
import { type DomainDoc, domains, type VerifiedDoc, verified } from './domain-documents.ts'
import { afterLook, decideRight, isDoubt, type Next } from './domain-rules.ts'
import { type Letter, letterWish } from './letters.ts'
import type { Verdict } from './verdict.ts'

/** How often a claim that only a hold keeps is looked at. */
const holdLookMs = 24 * 3_600_000

export type Looked = {
  readonly id: string
  /** The claim as it was when the look began. */
  readonly claim: string
  /** The cell of its tunnel, if that is another than the told one. */
  readonly cellAway: string
  readonly verdict: Verdict
  readonly zone: string
  readonly nameServers: readonly string[]
  /** Another claim that had the host when the look began, and whether its proof is gone. */
  readonly holder?: { readonly claim: string; readonly isGone: boolean } | undefined
}

type Plan = {
  readonly outcome: Next
  /** The right to the host: the new one, nobody's, or unchanged. */
  readonly right: VerifiedDoc | 'delete' | 'keep'
  /** The claim that loses the host, and with it the name of a tunnel: another claim, or this one. */
  readonly loser: VerifiedDoc | undefined
}

/** @returns the present claim; undefined when it is over */
export async function settle(control: Control, looked: Looked): Promise<DomainDoc | undefined> {
  const done = await control.store.transact((tx) => settleIn(control, tx, looked))
  if (!done) return undefined
  await publishCommands(control, done.commands)
  await kick(control, done.jobs)
  return done.outcome.kind === 'gone' ? undefined : done.outcome.next
}

async function settleIn(control: Control, tx: Transaction, looked: Looked) {
  const nowMs = control.clock.now()
  const ref = domains.ref(looked.id)
  const current = (await tx.get(ref))?.data
  if (current?.claim !== looked.claim) return undefined
  const right = verified.ref(current.host)
  const wanted = planFor(current, (await tx.get(right))?.data, { looked, nowMs, random: control.random() })
  const plan = await withHold(tx, current, { wanted, nowMs })
  const { outcome } = plan
  const lose = await lookToLose(tx, { host: current.host, loser: plan.loser, claim: looked.claim })
  const tellOwner = await lookToTell(tx, current, letterOf(current, outcome), nowMs)
  const alert = await lookToAlert(tx, current, { outcome, nowMs })
  const take = outcome.kind === 'gone' ? await lookToTake(tx, current.account) : undefined
  const commands = lose(nowMs)
  if (plan.right === 'delete') tx.delete(right)
  else if (plan.right !== 'keep') tx.set(right, plan.right)
  if (outcome.kind === 'gone') tx.delete(ref)
  else tx.set(ref, outcome.next)
  take?.({ domains: -1 })
  writeChange(tx, current, outcome, nowMs)
  return { outcome, commands: commands.outgoing, jobs: [...commands.jobs, ...tellOwner(), ...alert()] }
}

/** A claim that is over stays while its account is on a legal hold; the right to the host ends all the same. */
async function withHold(
  tx: Transaction,
  current: DomainDoc,
  { wanted, nowMs }: { readonly wanted: Plan; readonly nowMs: number },
): Promise<Plan> {
  if (wanted.outcome.kind !== 'gone') return wanted
  if (!(await isAccountHeld(tx, current.account, nowMs))) return wanted
  const kind = current.state === 'pending' ? 'keep' : 'unbound'
  return { ...wanted, outcome: { kind, next: { ...current, nextAt: nowMs + holdLookMs } } }
}

function planFor(
  before: DomainDoc,
  holder: VerifiedDoc | undefined,
  { looked, nowMs, random }: { readonly looked: Looked; readonly nowMs: number; readonly random: number },
): Plan {
  const { zone, nameServers, cellAway } = looked
  const current = {
    ...before,
    ...(zone !== '' && { zone, nameServers }),
    ...((cellAway !== '' || before.isAway) && { cellAway, isAway: cellAway !== '' }),
  }
  const { proof, findings } = looked.verdict
  const isMine = holder?.claim === looked.claim
  if (proof === 'found') {
    // Another claim came in between: the next look asks about its proof.
    const isHolderGone = looked.holder?.isGone === true && looked.holder.claim === holder?.claim
    const { kind } = decideRight(holder, { claim: looked.claim, isHolderGone, nowMs })
    if (kind === 'held' || kind === 'doubt') {
      const told = { proof, findings: [claimedBy(current.host), ...findings] }
      const outcome = afterLook(current, told, { holds: false, nowMs, random })
      return {
        outcome,
        right: holder ? doubted(holder, kind === 'doubt' ? nowMs : 0, nowMs) : 'keep',
        loser: undefined,
      }
    }
    const outcome = afterLook(current, looked.verdict, { holds: true, nowMs, random })
    const isAsBefore = isMine && holder.state === 'verified' && holder.goneAt === 0
    const { account, claim } = current
    const fresh = { account, domain: looked.id, claim, state: 'verified', since: nowMs, goneAt: 0 } as const
    return { outcome, right: isAsBefore ? 'keep' : fresh, loser: kind === 'takeOver' ? holder : undefined }
  }
  const outcome = afterLook(current, looked.verdict, { holds: isMine, nowMs, random })
  if (!isMine) return { outcome, right: 'keep', loser: undefined }
  if (outcome.kind !== 'keep') return { outcome, right: 'delete', loser: holder }
  const { state } = outcome.next
  const right = state === 'pending' || state === holder.state ? 'keep' : { ...holder, state, since: nowMs }
  return { outcome, right, loser: undefined }
}

/** When the holder's proof was first missed; 0 = it is there. */
function doubted(holder: VerifiedDoc, goneAt: number, nowMs: number): VerifiedDoc | 'keep' {
  const isOpen = isDoubt(holder.goneAt, nowMs) && !isAhead(holder.goneAt, { nowMs, lastsMs: 0 })
  const isKnown = goneAt > 0 ? isOpen : holder.goneAt === 0
  return isKnown ? 'keep' : { ...holder, goneAt }
}

function claimedBy(host: string) {
  return { key: 'domain.claimed', detail: `Another account has proved that ${host} is its own.` } as const
}

/** The name of its tunnel rests, and if the loser is another claim its owner is told. */
async function lookToLose(
  tx: Transaction,
  {
    host,
    loser,
    claim,
  }: { readonly host: string; readonly loser: VerifiedDoc | undefined; readonly claim: string },
): Promise<(nowMs: number) => { readonly outgoing: readonly Outgoing[]; readonly jobs: readonly string[] }> {
  if (!loser) return () => ({ outgoing: [], jobs: [] })
  const by = { account: loser.account, actor: 'system', from: '' }
  const remove = await lookToRemoveName(tx, by, host)
  const isOther = loser.claim !== claim
  const theirs = isOther ? await tx.get(domains.ref(loser.domain)) : undefined
  const ask = theirs ? await look(tx, letterWish(loser.domain, theirs.data, 'lost'), 0) : undefined
  return (nowMs) => {
    const outgoing = remove?.(nowMs) ?? []
    if (!theirs) return { outgoing, jobs: [] }
    const detail = `Since now another account's record stands at ${host}.`
    const findings = [{ key: 'domain.lost', detail }]
    tx.set(theirs.ref, { ...theirs.data, state: 'suspended', failingAt: nowMs, goneAt: 0, findings })
    writeAudit(tx, { ...by, target: host, action: 'domain.lost' }, nowMs)
    return { outgoing, jobs: ask ? [ask()] : [] }
  }
}

function letterOf({ state }: DomainDoc, outcome: Next): Letter | undefined {
  if (outcome.kind === 'gone' || outcome.next.state === state) return undefined
  return outcome.next.state === 'pending' ? undefined : outcome.next.state
}

async function lookToTell(
  tx: Transaction,
  domain: DomainDoc,
  letter: Letter | undefined,
  nowMs: number,
): Promise<() => readonly string[]> {
  // A person who waits for the verification looks without a mail.
  if (letter === undefined || letter === 'verified') return () => []
  const ask = await look(tx, letterWish(`${domain.account}:${domain.claim}`, domain, letter), nowMs)
  return () => [ask()]
}

/** Its own mails tell the owners; this is for the list of alerts, and for whoever listens to it. */
async function lookToAlert(
  tx: Transaction,
  { account, host, state }: DomainDoc,
  { outcome, nowMs }: { readonly outcome: Next; readonly nowMs: number },
): Promise<() => readonly string[]> {
  const after = outcome.kind === 'gone' ? 'gone' : outcome.next.state
  if (after === state || after === 'pending') return () => []
  const key = { account, kind: 'domain.failing', subject: host } as const
  if (after === 'gone' || after === 'verified') return lookToSettle(tx, key, nowMs)
  const [finding] = outcome.kind === 'gone' ? [] : outcome.next.findings
  const known =
    finding && finding.key in codes ? codes[finding.key as ErrorKey] : codes['domain.record_missing']
  const cause = finding?.detail || known.cause
  const trouble = { since: nowMs, name: host, cause, cure: known.cure, code: known.code }
  return lookToRaise(tx, key, { trouble, nowMs })
}

const audited = {
  pending: undefined,
  verified: 'domain.verified',
  failing: 'domain.failing',
  suspended: 'domain.suspended',
} as const satisfies Record<DomainDoc['state'], AuditAction | undefined>

function writeChange(
  tx: Transaction,
  { account, host, state }: DomainDoc,
  outcome: Next,
  nowMs: number,
): void {
  const entry = { account, actor: 'system', from: '', target: host }
  const action = outcome.kind === 'gone' ? 'domain.removed' : changed(state, outcome.next.state)
  if (action) writeAudit(tx, { ...entry, action }, nowMs)
}

function changed(from: DomainDoc['state'], to: DomainDoc['state']): AuditAction | undefined {
  return from === to ? undefined : audited[to]
}
