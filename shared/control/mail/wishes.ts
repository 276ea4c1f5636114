/** Which mails a signed-in person gets, and turning each kind off and on again. Only for an address that is theirs. */
import type { MailWishes } from '../../api/schemas/mails.ts'
import { fail } from '../../base/errors.ts'
import { signInWrites } from '../audit/sign-ins.ts'
import type { Person } from '../caller.ts'
import type { Control } from '../control.ts'
import type { Source } from '../sign-ins/beginning.ts'
import { addressRef, hasBounced, type MailAddressDoc, withMails } from './addresses.ts'
import { canBeTurnedOff, type Purpose, purposes, purposeWords } from './templates.ts'

type Parts = Pick<Control, 'store' | 'clock'>

export async function readMailWishes({ store, clock }: Parts, { email }: Person): Promise<MailWishes> {
  return describe((await store.get(addressRef(email)))?.data, clock.now())
}

/** Repeating it changes nothing. @throws auth.unverified, mail.essential */
export async function wishMails(
  { store, clock }: Parts,
  { id: user, email, emailVerified }: Person,
  { purpose, off, source }: { readonly purpose: Purpose; readonly off: boolean; readonly source: Source },
): Promise<MailWishes> {
  if (!emailVerified) throw fail('auth.unverified')
  if (!canBeTurnedOff(purpose)) throw fail('mail.essential')
  const nowMs = clock.now()
  const ref = addressRef(email)
  const event = { action: 'person.mails', user, ...source, details: { purpose, off } } as const
  const told = await signInWrites(store, event, nowMs)
  const after = await store.transact(async (tx) => {
    const before = (await tx.get(ref))?.data
    if ((before?.off.includes(purpose) ?? false) === off) return before
    const next = withMails(before, { purpose, off })
    if (next) tx.set(ref, next)
    else tx.delete(ref)
    for (const entry of told) tx.create(entry.ref, entry.data)
    return next
  })
  return describe(after, nowMs)
}

function describe(address: MailAddressDoc | undefined, nowMs: number): MailWishes {
  const items = purposes.map((purpose) => {
    const isOff = canBeTurnedOff(purpose) && (address?.off.includes(purpose) ?? false)
    return { purpose, about: purposeWords[purpose], essential: !canBeTurnedOff(purpose), off: isOff }
  })
  return { items, refused: hasBounced(address, nowMs) }
}
