/**
 * What operators do in the console: they search people and accounts, suspend and disable, and keep notes. Each call
 * reads again whether the person is an operator; whatever changes something wants a fresh sign-in.
 */
import { fail } from '../../base/errors.ts'
import { newId } from '../../base/ids.ts'
import type { Person } from '../caller.ts'
import type { Control } from '../control.ts'
import { accounts, type UserDoc, users } from '../documents.ts'
import { normaliseEmail } from '../mail/addresses.ts'
import type { Page, QueryOptions, Snapshot } from '../platform.ts'
import { queries } from '../query-table.ts'
import { type By, writeAct } from './act.ts'
import { isOperator } from './kept-mails.ts'
import { notes } from './operator-documents.ts'
import { membershipsOf } from './people.ts'

/** For one person or account. */
const notesMax = 50

/** @throws auth.scope */
export async function requireOperator(control: Control, person: Person): Promise<By> {
  if (!(await isOperator(control, person)))
    throw fail('auth.scope', 'Only operators of this service may do this.')
  return { actor: `operator:${person.id}`, from: '' }
}

/** Everybody whose address begins with the text, by address; or the person with that id. */
export async function searchPeople(
  { store }: Control,
  who: string,
  page: Pick<QueryOptions, 'limit' | 'after'>,
): Promise<Page<UserDoc>> {
  if (who.startsWith('usr_')) {
    const found = await store.get(users.ref(who))
    return { items: found ? [found] : [] }
  }
  const from = normaliseEmail(who)
  return store.query(queries.usersByAddress, { where: {}, from, to: `${from}\uf8ff`, ...page })
}

export async function describePeople(control: Control, found: readonly Snapshot<UserDoc>[]) {
  return Promise.all(
    found.map(async ({ ref: { id }, data: { email, emailVerified, status, leaving } }) => ({
      id,
      email,
      emailVerified,
      status,
      ...(leaving && { leavingAt: leaving.dueAt }),
      accounts: (await membershipsOf(control, id)).map(({ data }) => data.account),
    })),
  )
}

/** Newest first. */
export async function listNotes({ store }: Control, about: string) {
  const { items } = await store.query(queries.notesAbout, { where: { about }, limit: notesMax })
  return items.map(({ ref, data: { text, by, at } }) => ({ id: ref.id, text, by, at }))
}

/** @throws operator.missing, operator.exists when there are too many */
export async function addNote(
  control: Control,
  by: By,
  { about, text }: { readonly about: string; readonly text: string },
): Promise<void> {
  const nowMs = control.clock.now()
  await control.store.transact(async (tx) => {
    const subject = await (about.startsWith('acc_') ? tx.get(accounts.ref(about)) : tx.get(users.ref(about)))
    if (!subject) throw fail('operator.missing', `There is no "${about}".`)
    const { items } = await tx.query(queries.notesAbout, { where: { about }, limit: notesMax })
    if (items.length >= notesMax)
      throw fail('operator.exists', `There are ${notesMax} notes about it: remove one first.`)
    tx.create(notes.ref(newId('not', nowMs)), { about, text, by: by.actor, at: nowMs })
    // The text is in the note alone, which is erased with its subject.
    writeAct(tx, by, { action: 'note.added', target: about }, nowMs)
  })
}

/** @throws operator.missing */
export async function removeNote(control: Control, by: By, id: string): Promise<void> {
  await control.store.transact(async (tx) => {
    const found = await tx.get(notes.ref(id))
    if (!found) throw fail('operator.missing', 'There is no such note.')
    tx.delete(found.ref)
    writeAct(tx, by, { action: 'note.removed', target: found.data.about }, control.clock.now())
  })
}

/** Notes about a person or an account that is erased. Repeating it changes nothing. */
export async function eraseNotes({ store }: Pick<Control, 'store'>, about: string): Promise<void> {
  const { items } = await store.query(queries.notesAbout, { where: { about }, limit: notesMax })
  if (items.length > 0) await store.batch(items.map(({ ref }) => ({ op: 'delete', ref })))
}
