/**
 * One trial for each card and each mail address, whatever account they come to. What is kept of them is a keyed hash
 * for a while, which leads nobody back to either. docs/decisions/0090
 */
import { createHmac } from 'node:crypto'
import type { Control } from '../control.ts'
import { kick } from '../jobs/kick.ts'
import { normaliseEmail } from '../mail/addresses.ts'
import type { Snapshot } from '../platform.ts'
import { serviceSecret } from '../service-secrets.ts'
import { lookToTellTeam } from '../team/letters.ts'
import { type SubscriptionDoc, trials } from './billing-documents.ts'
import { chooseSubscription } from './following-rules.ts'
import type { CustomerState } from './payments.ts'

const dayMs = 24 * 3_600_000
/** After so long a second trial costs less than remembering people for longer. */
const keepMs = 400 * dayMs

/** Providers that ignore dots in the part before the @. */
const dotless: ReadonlySet<string> = new Set(['gmail.com', 'googlemail.com'])

/** The mailbox behind an address: what follows a `+` only sorts the mail of one person. */
function mailboxOf(email: string): string {
  const address = normaliseEmail(email)
  const at = address.lastIndexOf('@')
  const [local = '', domain = ''] = [address.slice(0, Math.max(0, at)), address.slice(at + 1)]
  const plain = local.split('+')[0] || local
  return dotless.has(domain) ? `${plain.replaceAll('.', '')}@gmail.com` : `${plain}@${domain}`
}

type TrialControl = Pick<Control, 'store' | 'vault' | 'clock'>

async function refOf(control: TrialControl, what: 'mail' | 'card', text: string) {
  const key = await serviceSecret(control, 'trials')
  return trials.ref(createHmac('sha256', key.reveal()).update(`${what}:${text}`).digest('hex'))
}

/** Whether the mailbox has had no trial yet, but for one of this very account. */
export async function mayTry(
  control: TrialControl,
  { account, email }: { readonly account: string; readonly email: string },
): Promise<boolean> {
  const found = await control.store.get(await refOf(control, 'mail', mailboxOf(email)))
  const isOthers = found !== undefined && found.data.account !== account
  return !isOthers || found.data.ttl.getTime() <= control.clock.now()
}

/** @returns false when another account had it before */
async function claim(
  control: TrialControl,
  account: string,
  [what, text]: readonly ['mail' | 'card', string],
): Promise<boolean> {
  const nowMs = control.clock.now()
  const claimed = await control.store.change(await refOf(control, what, text), (current) =>
    current && current.ttl.getTime() > nowMs ? 'keep' : { account, ttl: new Date(nowMs + keepMs) },
  )
  return claimed?.account === account
}

/**
 * Ends a trial that is the second of a card or a mailbox, before anything of it is granted: nobody is charged by
 * surprise, and whoever wants the plan can pay for it from its first day.
 * @returns whether the customer changed and has to be read again
 * @throws billing.unavailable, billing.refused
 */
export async function endSecondTrial(
  control: Control,
  before: Snapshot<SubscriptionDoc>,
  found: CustomerState,
): Promise<boolean> {
  const { account, state } = before.data
  const { chosen } = chooseSubscription(found.subscriptions)
  // One that is granted has its claims.
  if (chosen?.status !== 'trialing' || state === 'trial') return false
  const marks = [
    ...(found.email === '' ? [] : [['mail', mailboxOf(found.email)] as const]),
    ...found.cards.map((card) => ['card', card] as const),
  ]
  let isFirst = true
  for (const mark of marks) isFirst = (await claim(control, account, mark)) && isFirst
  if (isFirst) return false
  control.log.info({ account, subscription: chosen.id }, 'A second trial of a card or a mailbox was ended')
  const nowMs = control.clock.now()
  const job = await control.store.transact(async (tx) => {
    const tell = await lookToTellTeam(tx, { event: 'billing-second', account, user: '' }, nowMs)
    tx.update(before.ref, { hadTrial: true })
    return tell()
  })
  await kick(control, [job])
  await control.payments.endNow(chosen.id, 'trial')
  return true
}
