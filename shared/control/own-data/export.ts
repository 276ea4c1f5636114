/**
 * An export of all that is stored about a person or an account: one JSON object, written row by row while it is read,
 * so that memory stays the same however much there is. `complete` is its last field: a text that breaks off is no JSON,
 * and nobody takes it for the whole.
 */
import { type AuditCaller, byCaller, writeAudit } from '../audit.ts'
import type { Control } from '../control.ts'
import type { Doc } from '../platform.ts'
import { countEvent } from '../rates.ts'
import { partsOfAccounts } from './of-accounts.ts'
import { partsOfPeople } from './of-people.ts'
import type { Part, Whose } from './parts.ts'

/** It reads everything: enough for somebody who tries again, too few to load the store with. */
const perDay = { max: 5, windowMs: 24 * 3_600_000 }
/** Small rows are gathered up to about this many characters. */
const chunkChars = 32 * 1024

/** The whole text, in pieces. The reader's pace is the pace of reading. */
type ExportText = AsyncGenerator<string, void, undefined>

/** @throws api.rate */
export async function exportPerson(
  control: Control,
  { id, email }: Whose,
  by: Pick<AuditCaller, 'from' | 'userAgent'>,
): Promise<ExportText> {
  await countEvent(control, { scope: 'export.person', ...perDay }, { subject: id, key: 'api.rate' })
  const entry = {
    ...byCaller({ account: '', actor: id, ...by }),
    target: id,
    action: 'person.exported',
  } as const
  await control.store.transact(async (tx) => writeAudit(tx, entry, control.clock.now()))
  return write(control, partsOfPeople, { id, email })
}

/** @param caller may close the account. @throws api.rate */
export async function exportAccount(control: Control, caller: AuditCaller): Promise<ExportText> {
  const { account: id } = caller
  await countEvent(control, { scope: 'export.account', ...perDay }, { subject: id, key: 'api.rate' })
  const entry = { ...byCaller(caller), target: id, action: 'account.exported' } as const
  await control.store.transact(async (tx) => writeAudit(tx, entry, control.clock.now()))
  return write(control, partsOfAccounts, { id, email: '' })
}

async function* write(control: Control, parts: readonly Part[], whose: Whose): ExportText {
  const at = new Date(control.clock.now()).toISOString()
  let text = `{"format":"porttunneler-export-1","of":${JSON.stringify(whose.id)},"at":"${at}"`
  for (const { name, rows } of parts) {
    text += `,\n${JSON.stringify(name)}:[`
    let separator = '\n'
    for await (const row of rows(control, whose)) {
      text += separator + JSON.stringify(row satisfies Doc)
      separator = ',\n'
      if (text.length < chunkChars) continue
      yield text
      text = ''
    }
    text += ']'
  }
  yield `${text},\n"complete":true}\n`
}
