/**
 * For test files that need Google's emulators; emulators.setup.ts starts them when a test file imports this one.
 *
 *   withEmulators((hosts) => {
 *     describeStore('firestore', () => openIt({ host: hosts.firestore, project: randomProject() }))
 *   })
 */
import { randomBytes } from 'node:crypto'
import { describe, inject } from 'vitest'
import type { EmulatorHosts } from './emulators.ts'

declare module 'vitest' {
  interface ProvidedContext {
    emulators: EmulatorHosts | undefined
  }
}

/** Declares the tests that `declare` makes, or one skipped group when this machine has no emulators. */
export function withEmulators(declare: (hosts: EmulatorHosts) => void): void {
  // A program under test must not look for a metadata server on the link-local address: that takes seconds.
  process.env.METADATA_SERVER_DETECTION = 'none'
  const hosts = inject('emulators')
  describe.skipIf(!hosts)("on Google's emulators", () => declare(hosts ?? nowhere))
}

/** Skipped tests are still declared, so that a run says how many there are. */
const nowhere: EmulatorHosts = { firestore: '127.0.0.1:1', pubsub: '127.0.0.1:1' }

/** Emulators keep projects apart, so a new one has nothing of other tests. */
export function randomProject(): string {
  return `demo-${randomBytes(8).toString('hex')}`
}
