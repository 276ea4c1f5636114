/**
 * The waiting list of a beta: addresses of people who want to come in, proven by the link of a mail where there is
 * mail. Nobody learns whether an address is on the list or has an account: a request leaves a job for the worker's next
 * round, and is answered before anything is looked up. operator/wait-list.ts invites the next.
 */
import { z } from 'zod'
import { sourceOf } from '../base/addresses.ts'
import { fail, isFailure } from '../base/errors.ts'
import { hashSecret, newSecret } from '../base/ids.ts'
import { Secret } from '../base/secret.ts'
import type { Control } from './control.ts'
import { type JobKind, look, type RunningJob, type Wish } from './jobs/jobs.ts'
import { kick } from './jobs/kick.ts'
import { linkOf } from './mail/links.ts'
import { leaveMails, mailWish } from './mail/sending.ts'
import { globalCollection } from './names.ts'
import type { Ref, Transaction } from './platform.ts'
import { countEvent } from './rates.ts'
import { isStillOn } from './stored-times.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
/** How long the link of the mail works, and the address of somebody who does not follow it is kept. */
const askedMs = 7 * dayMs
const waitingMs = 400 * dayMs
/** After their person has come. */
const cameMs = 90 * dayMs
/** A network, by its source. */
const perSource = { scope: 'waitlist', max: 10, windowMs: hourMs }
const perSourceDay = { scope: 'waitlist.day', max: 20, windowMs: dayMs }
/** An address is counted once a day in what all may ask for together: it brings one mail and one entry at most. */
const perAddress = { scope: 'waitlist.address', max: 1, windowMs: dayMs }
const together = { scope: 'waitlist.all', max: 5_000, windowMs: dayMs }

/** Id: SHA-256 of the address. */
export type WaitingDoc = {
  readonly email: string
  /** asked: the address is not proven yet. */
  readonly state: 'asked' | 'waiting' | 'invited' | 'came'
  /** When it got into this state. */
  readonly at: number
  /** SHA-256 of the secret in the mail; '' = none was sent. */
  readonly proof: string
  /** The invite that was sent, and the account that came; '' = none. */
  readonly invite: string
  readonly cameAs: string
  readonly ttl: Date
}

export const waitList = globalCollection<WaitingDoc>('waitList')

export function waitingRef(email: string): Ref<WaitingDoc> {
  return waitList.ref(hashSecret(normalise(email)))
}

function normalise(email: string): string {
  return email.trim().toLowerCase()
}

const joinBodySchema = z.object({ email: z.string() })
const letterBodySchema = z.object({ to: z.string(), code: z.string(), until: z.int() })

/** @throws api.not_found without a beta; api.rate; never because of the address */
export async function joinWaitList(
  control: Control,
  { email, from }: { readonly email: string; readonly from: string },
): Promise<void> {
  if (control.settings.registration !== 'beta')
    throw fail('api.not_found', 'This service has no waiting list.')
  for (const limit of [perSource, perSourceDay])
    await countEvent(control, limit, { subject: sourceOf(from), key: 'api.rate' })
  const address = normalise(email)
  await countTogether(control, address)
  const wish = { kind: 'waitlist.join', subject: hashSecret(address), account: '', body: { email: address } }
  await control.store.transact(async (tx) => (await look(tx, wish, control.clock.now()))())
}

/** When the day is used up, repeats are refused too: otherwise they would show who has asked. @throws api.rate */
async function countTogether(control: Control, address: string): Promise<void> {
  const takeBack = await countEvent(control, together, { subject: 'all', key: 'api.rate' })
  try {
    await countEvent(control, perAddress, { subject: address, key: 'api.rate' })
  } catch (error) {
    if (!isFailure(error, 'api.rate')) throw error
    await takeBack()
  }
}

export function takeWaiting(control: Control): JobKind {
  return { name: 'waitlist.join', attemptsMax: 12, run: (job) => take(control, job) }
}

async function take(control: Control, job: RunningJob): Promise<void> {
  const { store, clock, vault, mail, settings } = control
  const { email } = joinBodySchema.parse(job.body)
  const ref = waitingRef(email)
  const nowMs = clock.now()
  const found = await store.get(ref)
  if (found && isTaken(found.data, nowMs)) return
  const blank = { email, at: nowMs, invite: '', cameAs: '' }
  if (mail.isAbsent) {
    const ttl = new Date(nowMs + waitingMs)
    await job.finish(async (tx) => tx.set(ref, { ...blank, state: 'waiting', proof: '', ttl }))
    return
  }
  const secret = newSecret('ptw')
  const link = linkOf(settings, 'wait-list-proof', { token: `${ref.id}.${secret}` })
  const letter = { to: email, template: 'wait-list-proof', data: { link } } as const
  const wish = await mailWish(vault, letter, { account: '', until: nowMs + askedMs })
  const asked: string[] = []
  await job.finish(async (tx) => {
    // An earlier link was followed meanwhile, or an operator was faster.
    if ((await tx.get(ref))?.version !== found?.version) return
    const ask = await look(tx, wish, nowMs)
    const ttl = new Date(nowMs + askedMs)
    tx.set(ref, { ...blank, state: 'asked', proof: hashSecret(secret), ttl })
    asked.splice(0, 1, ask())
  })
  await kick(control, asked)
}

/** Repeated requests do not fill a mailbox, nor lose a place in the list. */
function isTaken({ state, at, ttl }: WaitingDoc, nowMs: number): boolean {
  if (ttl.getTime() <= nowMs) return false
  return state !== 'asked' || isStillOn(at + dayMs, { nowMs, lastsMs: dayMs })
}

/** The link of the mail was followed; a second time changes nothing. @throws waitlist.link */
export async function confirmWaiting(
  { store, clock }: Pick<Control, 'store' | 'clock'>,
  token: string,
): Promise<void> {
  const [, id, secret] = /^([0-9a-f]{64})\.(ptw_[\w-]{43})$/.exec(token) ?? []
  if (id === undefined || secret === undefined) throw fail('waitlist.link')
  const proof = hashSecret(secret)
  const nowMs = clock.now()
  const after = await store.change(waitList.ref(id), (entry): WaitingDoc | 'keep' =>
    entry?.state === 'asked' && entry.proof === proof && nowMs < entry.ttl.getTime()
      ? { ...entry, state: 'waiting', at: nowMs, ttl: new Date(nowMs + waitingMs) }
      : 'keep',
  )
  if (after?.proof !== proof || after.state === 'asked') throw fail('waitlist.link')
}

/** If somebody with this address waits or was invited: reads; the returned function writes that they came. */
export async function findWaiting(
  tx: Transaction,
  email: string,
  nowMs: number,
): Promise<((account: string) => void) | undefined> {
  const entry = await tx.get(waitingRef(email))
  if (!entry) return undefined
  const ttl = new Date(nowMs + cameMs)
  return (account) => tx.update(entry.ref, { state: 'came', at: nowMs, cameAs: account, ttl })
}

/** The wish for a mail with the code. The code is wrapped, since whoever has it can use it. */
export async function invitationWish(
  { vault }: Pick<Control, 'vault'>,
  { to, code, until }: { readonly to: string; readonly code: string; readonly until: number },
): Promise<Wish> {
  const body = { to, code: await vault.wrap(new Secret(code)), until }
  return { kind: 'waitlist.letter', subject: hashSecret(code), account: '', body }
}

/** Written where the console's address is known, which ptunctl alone does not know. */
export function sendInvitations(control: Control): JobKind {
  return { name: 'waitlist.letter', attemptsMax: 12, run: (job) => sendInvitation(control, job) }
}

async function sendInvitation(control: Control, job: RunningJob): Promise<void> {
  const { vault, settings, clock } = control
  const { to, code, until } = letterBodySchema.parse(job.body)
  if (until <= clock.now()) return
  const link = linkOf(settings, 'wait-list-invite', { code: (await vault.unwrap(code)).reveal() })
  const day = new Date(until).toISOString().slice(0, 10)
  const letter = { to, template: 'wait-list-invite', data: { link, day } } as const
  await leaveMails(control, job, { letters: [letter], until })
}
