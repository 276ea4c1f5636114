/** A local identity over a store in memory, with a clock that the test moves, cheap hashes, and a list of mails. */
import { silentLog } from '@porttunneler/shared/base/log'
import { Secret } from '@porttunneler/shared/base/secret'
import type { Control } from '@porttunneler/shared/control/control'
import { Worker } from '@porttunneler/shared/control/jobs/worker'
import { notifyPeople } from '@porttunneler/shared/control/mail/notices'
import { OffLinks } from '@porttunneler/shared/control/mail/off-links'
import { sendMails } from '@porttunneler/shared/control/mail/sending'
import type { Doc, KeyVault, Mail } from '@porttunneler/shared/control/platform'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { localIdentity } from '../platform/identity.local.ts'
import type { LocalIdentityOptions } from '../platform/identity.local.types.ts'
import { openMemoryStore } from './memory-store.ts'

/** Only hides what it wraps from a plain search; the vault's own test checks the wrapping. */
const testVault: KeyVault = {
  wrap: async (plain) => Buffer.from(plain.reveal()).toString('base64url'),
  unwrap: async (wrapped) => new Secret(Buffer.from(wrapped, 'base64url').toString()),
}

export function makeLocalIdentity({
  mail: given,
  sendsNotices = false,
  ...changes
}: Partial<LocalIdentityOptions> & {
  readonly mail?: Mail
  /** Whether people are also told what was done in their name. */
  readonly sendsNotices?: boolean
} = {}) {
  const clock = changes.clock instanceof FakeClock ? changes.clock : new FakeClock()
  const store = changes.store ?? openMemoryStore().store
  const mails: Parameters<Mail['send']>[0][] = []
  const mail: Mail = given ?? { send: async (message) => void mails.push(message) }
  const kicked: string[] = []
  const options: LocalIdentityOptions = {
    store,
    vault: testVault,
    issuer: 'https://tunnel.example.com',
    registerUrl: (token) => `https://tunnel.example.com/register#${token}`,
    signInUrl: 'https://tunnel.example.com/sign-in',
    returnUrl: (provider) => `https://tunnel.example.com/sign-in/with/${provider}`,
    resetUrl: (token) => `https://tunnel.example.com/reset#${token}`,
    kick: async (ids) => void kicked.push(...ids),
    passwordCost: { log2N: 4, r: 1, p: 1 },
    clock,
    ...changes,
  }
  const identity = localIdentity(options)
  const { vault } = options
  const url = options.issuer
  const settings = { issuer: url, consoleUrl: url } as Control['settings']
  const offLinks = new OffLinks({ store, vault })
  const around = { clock: options.clock, random: Math.random, log: silentLog }
  const bus = { publish: async (_: string, { ids }: Doc) => void kicked.push(...(ids as string[])) }
  const parts = { store, vault, mail, settings, offLinks, bus, ...around }
  const control = parts as unknown as Control
  const notices = sendsNotices ? [notifyPeople(control)] : []
  const kinds = [sendMails(parts), ...notices, ...identity.jobs]
  const worker = new Worker({ control, kinds, atOnce: 4 })
  return {
    clock,
    store,
    mail,
    mails,
    options,
    identity,
    kicked,
    /** Runs the work that sign-in left for later, and the work that this leaves. */
    async work(): Promise<void> {
      clock.advance(1_000)
      await new Promise((resolve) => setImmediate(resolve))
      for (let ids = kicked.splice(0); ids.length > 0; ids = kicked.splice(0)) await worker.take(ids)
    },
  }
}
