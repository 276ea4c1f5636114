/** A local identity over a store in memory, with time in the test's hand, cheap hashes, and mails kept in a list. */
import { Secret } from '@porttunneler/shared/base/secret'
import type { KeyVault, Mail } from '@porttunneler/shared/control/platform'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { type LocalIdentityOptions, localIdentity } from '../platform/identity.local.ts'
import { openSqliteStore } from '../platform/store.sqlite.ts'

/** Hides nothing: what wrapping does is the vault's own test. */
const openVault: KeyVault = {
  wrap: async (plain) => plain.reveal(),
  unwrap: async (wrapped) => new Secret(wrapped),
}

export function makeLocalIdentity(changes: Partial<LocalIdentityOptions> = {}) {
  const clock = new FakeClock()
  const store = openSqliteStore(':memory:', { queries: [] })
  const mails: Parameters<Mail['send']>[0][] = []
  const backgroundErrors: unknown[] = []
  const options: LocalIdentityOptions = {
    store,
    clock,
    vault: openVault,
    mail: { send: async (message) => void mails.push(message) },
    issuer: 'https://tunnel.example.com',
    resetUrl: (token) => `https://tunnel.example.com/reset#${token}`,
    onBackgroundError: (_task, error) => backgroundErrors.push(error),
    passwordCost: { log2N: 4, r: 1, p: 1 },
    ...changes,
  }
  return { clock, store, mails, backgroundErrors, options, identity: localIdentity(options) }
}
