/** Secrets that the service makes for itself once and keeps wrapped, such as the key that signs cursors. */

import { randomBytes } from 'node:crypto'
import { isFailure } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'
import type { Control } from './control.ts'
import { serviceSecrets } from './documents.ts'

/** 32 random bytes in base64url, the same for every process. */
export async function serviceSecret({ store, vault }: Control, purpose: 'cursors'): Promise<Secret> {
  const ref = serviceSecrets.ref(purpose)
  const known = await store.get(ref)
  if (known) return vault.unwrap(known.data.wrapped)
  const fresh = new Secret(randomBytes(32).toString('base64url'))
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
