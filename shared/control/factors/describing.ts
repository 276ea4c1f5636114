/** What a person sees of their factors. */
import type { Factors } from '../../api/schemas/factors.ts'
import type { Control } from '../control.ts'
import { readFactors } from './changing.ts'
import type { RecoveryDoc } from './factor-documents.ts'

/** @param isShown whether this sign-in has shown a factor */
export async function describeFactors(
  { store, clock }: Pick<Control, 'store' | 'clock'>,
  user: string,
  isShown: boolean,
): Promise<Factors> {
  const { doc, passkeys } = await readFactors(store, user)
  const { app, codes, codesAt, recovery } = doc
  return {
    shown: isShown,
    passkeys: passkeys.map(({ ref, data: { name, createdAt, usedAt, isBackedUp } }) => ({
      id: ref.id,
      name,
      createdAt,
      usedAt,
      backedUp: isBackedUp,
    })),
    ...(app && { app: { createdAt: app.createdAt, usedAt: app.usedAt } }),
    codes: { left: codes.length, createdAt: codesAt },
    ...describeRecovery(recovery, clock.now()),
  }
}

/** @returns nothing when there is none, or it is over */
export function describeRecovery(
  recovery: RecoveryDoc | undefined,
  nowMs: number,
): { readonly recovery?: NonNullable<Factors['recovery']> } {
  if (!recovery || recovery.endsAt <= nowMs) return {}
  const { askedAt, readyAt, endsAt, from } = recovery
  return { recovery: { askedAt, readyAt, endsAt, from } }
}
