/** The part of `sync` about TLS: how relays answer HTTP-01, and the secret of their session ticket keys. */
import { hkdfSync } from 'node:crypto'
import type { SyncAnswer } from '../../api/schemas/relays.ts'
import type { KeyVault, Store } from '../platform.ts'
import { serviceSecret } from '../service-secrets.ts'
import { acmeKey, thumbprintOf } from './account-key.ts'

type TlsOfRelay = NonNullable<SyncAnswer['tls']>

/** Read once a process, because every relay asks twice a minute. */
export class RelaySecrets {
  readonly #platform: { readonly store: Store; readonly vault: KeyVault }
  #known: Promise<{ readonly thumbprint: string; readonly tickets: string }> | undefined

  constructor(platform: { readonly store: Store; readonly vault: KeyVault }) {
    this.#platform = platform
  }

  async read(cell: string): Promise<TlsOfRelay> {
    this.#known ??= this.#read()
    try {
      const { thumbprint, tickets } = await this.#known
      const ticketSecret = Buffer.from(hkdfSync('sha256', tickets, cell, 'session tickets', 32)).toString(
        'base64url',
      )
      return { thumbprint, ticketSecret }
    } catch (error) {
      this.#known = undefined
      throw error
    }
  }

  async #read() {
    const thumbprint = await thumbprintOf(await acmeKey(this.#platform))
    const tickets = (await serviceSecret(this.#platform, 'tickets')).reveal()
    return { thumbprint, tickets }
  }
}
