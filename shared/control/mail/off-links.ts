/**
 * Links that turn mails of one purpose off for one address (RFC 8058): signed, so that only a reader of the mail can,
 * and without the address in them. They work for ever: people open old mails.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Secret } from '../../base/secret.ts'
import type { Control } from '../control.ts'
import { serviceSecret } from '../service-secrets.ts'
import { addressId } from './addresses.ts'
import { canBeTurnedOff, type Purpose, purposes } from './templates.ts'

export class OffLinks {
  readonly #control: Pick<Control, 'store' | 'vault'>
  #key: Promise<Secret> | undefined

  constructor(control: Pick<Control, 'store' | 'vault'>) {
    this.#control = control
  }

  async write(email: string, purpose: Purpose): Promise<string> {
    const body = `${purpose}.${addressId(email)}`
    return `${body}.${(await this.#sign(body)).toString('base64url')}`
  }

  /** @returns undefined for anything that we did not sign */
  async read(token: string): Promise<{ readonly id: string; readonly purpose: Purpose } | undefined> {
    const [, named = '', id = '', signature = ''] =
      /^([a-z]{1,20})\.([0-9a-f]{64})\.([\w-]{43})$/.exec(token) ?? []
    const purpose = purposes.find((one) => one === named)
    if (purpose === undefined || !canBeTurnedOff(purpose)) return undefined
    const given = Buffer.from(signature, 'base64url')
    const right = await this.#sign(`${purpose}.${id}`)
    return given.length === right.length && timingSafeEqual(given, right) ? { id, purpose } : undefined
  }

  async #sign(body: string): Promise<Buffer> {
    const key = await this.#secret()
    return createHmac('sha256', key.reveal()).update(body).digest()
  }

  async #secret(): Promise<Secret> {
    this.#key ??= serviceSecret(this.#control, 'mails')
    try {
      return await this.#key
    } catch (error) {
      // Do not keep the failure: the next mail tries again.
      this.#key = undefined
      throw error
    }
  }
}
