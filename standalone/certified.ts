/** The server's own certificate for its TLS. It is read when it changes; open connections keep theirs. */
import { createSecureContext } from 'node:tls'
import { certificates } from '@porttunneler/shared/control/certificate-documents'
import type { Control } from '@porttunneler/shared/control/control'

/** PEM. Another certificate is another object. */
export type ServerCertificate = { readonly cert: string; readonly key: string }

export class Certified {
  readonly #control: Pick<Control, 'store' | 'vault' | 'log'>
  readonly #host: string
  #version = 0
  #certificate: ServerCertificate | undefined

  constructor(control: Pick<Control, 'store' | 'vault' | 'log'>, host: string) {
    this.#control = control
    this.#host = host
  }

  /** undefined until the first one is there. */
  get certificate(): ServerCertificate | undefined {
    return this.#certificate
  }

  /** Never rejects: on failure the certificate in use stays. */
  async read(): Promise<void> {
    const { store, vault, log } = this.#control
    try {
      const doc = (await store.get(certificates.ref(this.#host)))?.data
      if (!doc || doc.version <= this.#version) return
      const key = await vault.unwrap(doc.wrappedKey)
      const certificate = { cert: doc.chain, key: key.reveal() }
      // A bad one is refused now, not at the next connection.
      createSecureContext(certificate)
      this.#certificate = certificate
      this.#version = doc.version
    } catch (error) {
      log.error({ error, host: this.#host }, 'the certificate of the console cannot be read')
    }
  }
}
