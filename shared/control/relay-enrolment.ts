/**
 * RelayIdentity for relays outside Google's, on either platform: an operator makes an enrolment key for one cell, and a
 * relay exchanges it once for its own credential. The cell comes from the key, never from the relay. The store keeps
 * only hashes.
 */
import type { Clock } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import { hashSecret, newId, newSecret } from '../base/ids.ts'
import { globalCollection } from './names.ts'
import type { RelayIdentity, Store } from './platform.ts'
import { isStillOn } from './stored-times.ts'

/** Id: SHA-256 of the key. Using it deletes it. */
type EnrolmentKeyDoc = { readonly cell: string; readonly createdAt: number; readonly ttl: Date }
/** Id: SHA-256 of the credential. */
type RelayCredentialDoc = {
  readonly relay: string
  readonly cell: string
  readonly name: string
  readonly createdAt: number
  /** 0 = valid. */
  readonly revokedAt: number
}

const enrolmentKeys = globalCollection<EnrolmentKeyDoc>('enrolmentKeys')
const relayCredentials = globalCollection<RelayCredentialDoc>('relayCredentials')
/** Id: relay; leads from the id that operators see to the credential. */
const enrolledRelays = globalCollection<{ readonly credential: string }>('enrolledRelays')

const keyLifeMs = 24 * 3_600_000

export interface EnrolledRelayIdentity extends RelayIdentity {
  readonly kind: 'enrolled'
  /** A key for one relay of `cell`, shown only this once; by default valid for a day. */
  makeKey(cell: string, options?: { readonly lifeMs?: number }): Promise<string>
  /**
   * Uses up an enrolment key. If two relays have the same key, one gets in.
   * @throws relay.enrolment for a key that is unknown, expired or used, all alike
   */
  enrol(key: string, name: string): Promise<Enrolled>
  /** Withdraws a relay's credential for good. @throws api.not_found */
  revoke(relay: string): Promise<void>
}

export type Enrolled = { readonly relay: string; readonly cell: string; readonly credential: string }

export function enrolledRelayIdentity({
  store,
  clock,
}: {
  readonly store: Store
  readonly clock: Clock
}): EnrolledRelayIdentity {
  return {
    kind: 'enrolled',
    async makeKey(cell, { lifeMs = keyLifeMs } = {}) {
      const key = newSecret('pte')
      const now = clock.now()
      await store.create(enrolmentKeys.ref(hashSecret(key)), {
        cell,
        createdAt: now,
        ttl: new Date(now + lifeMs),
      })
      return key
    },
    async enrol(key, name) {
      const ref = enrolmentKeys.ref(hashSecret(key))
      const now = clock.now()
      const relay = newId('rel', now)
      const credential = newSecret('ptc')
      const id = hashSecret(credential)
      const cell = await store.transact(async (tx) => {
        const found = (await tx.get(ref))?.data
        // One that a clock made that was ahead ends with it.
        const lifeMs = found ? found.ttl.getTime() - found.createdAt : 0
        if (!found || !isStillOn(found.ttl.getTime(), { nowMs: now, lastsMs: lifeMs }))
          throw fail('relay.enrolment')
        tx.delete(ref)
        tx.create(relayCredentials.ref(id), { relay, cell: found.cell, name, createdAt: now, revokedAt: 0 })
        tx.create(enrolledRelays.ref(relay), { credential: id })
        return found.cell
      })
      return { relay, cell, credential }
    },
    async verify(token) {
      const found = (await store.get(relayCredentials.ref(hashSecret(token))))?.data
      if (found?.revokedAt !== 0) throw fail('relay.unknown')
      return { relay: found.relay, cell: found.cell }
    },
    async revoke(relay) {
      const enrolled = (await store.get(enrolledRelays.ref(relay)))?.data
      if (!enrolled) throw fail('api.not_found')
      await store.update(relayCredentials.ref(enrolled.credential), { revokedAt: clock.now() })
    },
  }
}
