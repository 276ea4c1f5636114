/**
 * Devices that a person signed in on before, recognised by a cookie. It only gives failures their own count, apart from
 * everybody else's, and a place of its own in the line. Everything that ends all sessions of a person makes their
 * devices strangers again, since one of them may be in other hands.
 */
import type { Clock } from '@porttunneler/shared/base/clock'
import { hashSecret, newSecret } from '@porttunneler/shared/base/ids'
import type { Store } from '@porttunneler/shared/control/platform'
import { devices } from './identity.local.documents.ts'

const deviceMs = 180 * 86_400_000

export class Devices {
  readonly #store: Store
  readonly #clock: Clock

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** @returns the secret that the device keeps */
  async make(user: string, validSince: number): Promise<string> {
    const secret = newSecret('ptv')
    const ttl = new Date(this.#clock.now() + deviceMs)
    await this.#store.create(devices.ref(hashSecret(secret)), { user, validSince, ttl })
    return secret
  }

  /**
   * Does the same work for every secret and user.
   * @returns the device's document id if the user signed in on it with `secret` and nothing ended that since
   */
  async find(
    secret: string | undefined,
    { user, validSince }: { readonly user: string | undefined; readonly validSince: number },
  ): Promise<string | undefined> {
    if (secret === undefined) return undefined
    const id = hashSecret(secret)
    const device = (await this.#store.get(devices.ref(id)))?.data
    const isKnown = device !== undefined && device.user === user && device.ttl.getTime() > this.#clock.now()
    // Devices of earlier releases have no date: they count until the person's next change.
    return isKnown && (device.validSince ?? validSince) >= validSince ? id : undefined
  }
}
