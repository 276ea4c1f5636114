/** What people tell the operator: a text, with the few facts that they were shown before they sent it. */
import { newId } from '../base/ids.ts'
import type { Caller } from './caller.ts'
import type { Control } from './control.ts'
import { collection } from './names.ts'
import { countEvent } from './rates.ts'

const dayMs = 24 * 3_600_000
const keptMs = 400 * dayMs
const perAccount = { scope: 'feedback', max: 20, windowMs: dayMs }

type FeedbackDoc = {
  readonly account: string
  /** The key or person that sent it. */
  readonly actor: string
  readonly text: string
  readonly attached: { readonly [fact: string]: string }
  readonly at: number
  readonly ttl: Date
}

export const feedback = collection<FeedbackDoc>('feedback')

/** @throws api.rate */
export async function sendFeedback(
  control: Control,
  { account, actor }: Pick<Caller, 'account' | 'actor'>,
  {
    text,
    attached,
  }: { readonly text: string; readonly attached: Readonly<Record<string, string | undefined>> },
): Promise<void> {
  await countEvent(control, perAccount, { subject: account, key: 'api.rate' })
  const at = control.clock.now()
  const facts = Object.entries(attached).flatMap(([fact, value]) => (value ? [[fact, value]] : []))
  const document = {
    account,
    actor,
    text,
    attached: Object.fromEntries(facts),
    at,
    ttl: new Date(at + keptMs),
  }
  await control.store.create(feedback.ref(newId('fbk', at)), document)
}
