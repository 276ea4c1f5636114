/**
 * The promises of certificate orders, for any Store: one order a host however many workers there are, and after a crash
 * at any write the next worker goes on, with the same key.
 */
import { describe, expect } from 'vitest'
import { silentLog } from '../base/log.ts'
import { Secret } from '../base/secret.ts'
import { ensureCell } from '../control/cells.ts'
import { certificates } from '../control/certificate-documents.ts'
import { ensureCertificate, keepCertificates } from '../control/certificates/ordering.ts'
import type { Certificates } from '../control/certificates/role.ts'
import type { Control } from '../control/control.ts'
import { jobs } from '../control/documents.ts'
import { leaseMs } from '../control/jobs/jobs.ts'
import { Worker } from '../control/jobs/worker.ts'
import { noDns } from '../control/own-records.ts'
import type { Store } from '../control/platform.ts'
import { type Cases, casesOn } from './cases.ts'
import { dyingAt } from './dying-store.ts'
import { FakeClock } from './fake-clock.ts'
import { SmallIssuer } from './small-issuer.ts'
import type { MakeStore } from './store.contract.ts'

async function makeStage(store: Store, host = 'tunnels.example.com') {
  const jobId = `certificates.keep:${host}`
  const clock = new FakeClock()
  const issuer = new SmallIssuer({ clock })
  const role: Certificates = { issuers: [issuer], caa: async () => [] }
  const vault = {
    wrap: async (plain: Secret) => `sealed ${plain.reveal()}`,
    unwrap: async (wrapped: string) => new Secret(wrapped.slice('sealed '.length)),
  }
  const bus = { publish: async () => {} }
  const cells = { openIds: async () => ['home'], forget: () => {} }
  const common = {
    clock,
    vault,
    bus,
    cells,
    random: Math.random,
    log: silentLog,
    certificates: role,
    dns: noDns,
  }
  const controlOf = (over: Store) => ({ ...common, store: over }) as unknown as Control
  const ports = {
    portFrom: 20_000,
    portTo: 20_001,
    httpScheme: 'https',
    httpPort: 443,
    tlsPort: 443,
  } as const
  await ensureCell(controlOf(store), { id: 'home', host, domain: host, ...ports })
  const worker = (over = store) => {
    const control = controlOf(over)
    return new Worker({ control, kinds: [keepCertificates(control)], atOnce: 4 })
  }
  await ensureCertificate(controlOf(store), host)
  return {
    clock,
    issuer,
    host,
    take: (over = store) => worker(over).take([jobId]),
    certificate: async () => (await store.get(certificates.ref(host)))?.data,
    job: async () => (await store.get(jobs.ref(jobId)))?.data,
  }
}

export function describeCertificates(name: string, make: MakeStore, cases: Cases = 'all'): void {
  const { race, rule } = casesOn(make, (store) => store, cases)
  describe(`certificates: ${name}`, () => {
    race('several workers at once order a host once', async (store) => {
      const { issuer, take, host, certificate } = await makeStage(store)
      await Promise.all([1, 2, 3].map(() => take()))
      expect(issuer.ordered).toBe(1)
      expect(await certificate()).toMatchObject({ state: 'valid', hosts: [host] })
    })

    rule('after a crash at any write the order goes on, and none is made a third time', async (store) => {
      for (const when of ['before', 'after'] as const)
        for (let n = 1, isWhole = false; !isWhole; n++) {
          const { clock, issuer, take, certificate, job } = await makeStage(store, `${when}${n}.example.com`)
          await take(dyingAt(store, n, when)).catch(() => undefined)
          // After this many crashes the try has reached its last write.
          isWhole = (await certificate())?.state === 'valid' && (await job())?.claim === ''
          for (let tries = 0; tries < 4 && (await certificate())?.state !== 'valid'; tries++) {
            clock.advance(2 * leaseMs)
            await take()
          }
          expect(await certificate()).toMatchObject({ state: 'valid', failures: 0 })
          expect(issuer.ordered).toBeLessThanOrEqual(2)
        }
    })
  })
}
