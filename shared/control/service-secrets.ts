/** Secrets that the service makes once for itself and stores wrapped, such as the key that signs cursors. */

import { randomBytes } from 'node:crypto'
import { isFailure } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'
import type { Control } from './control.ts'
import { serviceSecrets } from './documents.ts'

/** What they are for. An operator who rotates or loses the vault's key has all of them sealed or made again. */
export const secretPurposes = ['cursors', 'acme', 'tickets', 'domains', 'mails', 'factors', 'trials'] as const

/** Made once and then the same for every process; by default 32 random bytes in base64url. */
export async function serviceSecret(
  { store, vault }: Pick<Control, 'store' | 'vault'>,
  purpose: (typeof secretPurposes)[number],
  make: () => Secret = () => new Secret(randomBytes(32).toString('base64url')),
): Promise<Secret> {
  const ref = serviceSecrets.ref(purpose)
  const known = await store.get(ref)
  if (known) return vault.unwrap(known.data.wrapped)
  const fresh = make()
  try {
    await store.create(ref, { wrapped: await vault.wrap(fresh) })
    return fresh
  } catch (error) {
    if (!isFailure(error, 'store.exists')) throw error
    const made = await store.get(ref)
    if (!made) throw error
    return vault.unwrap(made.data.wrapped)
  }
}
