/**
 * Devices that a person signed in on before, told by a cookie. It grants nothing but failures that are counted apart
 * from everybody else's and a place of its own in the line. Whatever ends all sessions of a person makes their devices
 * strangers again: one of them may be in other hands.
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
   * The work is the same for every secret and user.
   * @returns the document id of the device if `secret` is one that the user signed in on, and nothing ended it since
   */
  async find(
    secret: string | undefined,
    { user, validSince }: { readonly user: string | undefined; readonly validSince: number },
  ): Promise<string | undefined> {
    if (secret === undefined) return undefined
    const id = hashSecret(secret)
    const device = (await this.#store.get(devices.ref(id)))?.data
    const isKnown = device !== undefined && device.user === user && device.ttl.getTime() > this.#clock.now()
    // Devices of earlier releases do not say: they count until the person's next change.
    return isKnown && (device.validSince ?? validSince) >= validSince ? id : undefined
  }
}
