/**
 * Mails of a server without a mail server, for its operators in the console. A mail may hold a link that signs somebody
 * in, so it takes a fresh sign-in to read one, and the audit has it.
 */
import { fail } from '../../base/errors.ts'
import type { Person } from '../caller.ts'
import type { Control } from '../control.ts'
import type { KeptMail, KeptMails } from '../platform.ts'
import { requireFresh } from '../sign-ins/fresh.ts'
import { recordAct } from './act.ts'
import { operators } from './operator-documents.ts'

const listMax = 100

/** Whether the person may act as an operator. */
export async function isOperator(
  { store }: Pick<Control, 'store'>,
  { id, emailVerified }: Person,
): Promise<boolean> {
  return emailVerified && (await store.get(operators.ref(id)))?.data.state === 'active'
}

/** The newest first. @throws auth.scope, api.not_found */
export async function listKeptMails(control: Control, person: Person): Promise<readonly KeptMail[]> {
  return (await requireKept(control, person)).list(listMax)
}

/** @throws auth.scope, auth.stale, api.not_found */
export async function readKeptMail(control: Control, person: Person, id: string) {
  const kept = await requireKept(control, person)
  await requireFresh(control, person)
  const found = await kept.read(id)
  if (!found) throw fail('api.not_found', 'There is no such mail, or it is no longer kept.')
  // Its address and words are nobody's business but the reader's.
  const by = { actor: `operator:${person.id}`, from: '' } as const
  await recordAct(control, by, { action: 'mail.read', target: id })
  return found
}

async function requireKept(control: Control, person: Person): Promise<KeptMails> {
  if (!(await isOperator(control, person)))
    throw fail('auth.scope', 'Only an operator of this server may read its mails.')
  const { kept } = control.mail
  if (!kept) throw fail('api.not_found', 'This server hands its mails to a mail server and keeps none.')
  return kept
}
