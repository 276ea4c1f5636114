/**
 * The promises of wildcards of own domains, for any Store: a proof at the parent or at the asterisk gives all names one
 * level below, a single host needs its own, and no relay gets a wildcard over a name whose TLS ends at an agent.
 */
import { describe, expect } from 'vitest'
import { certificateRequest, newCertificateKey } from '../base/csr.ts'
import { newId } from '../base/ids.ts'
import type { Caller } from '../control/caller.ts'
import { certificates, noCertificate } from '../control/certificate-documents.ts'
import { requestCertificate } from '../control/certificates/agents.ts'
import { delegationUnder } from '../control/certificates/delegating.ts'
import { relayCertificates } from '../control/certificates/serving.ts'
import { claimLeases } from '../control/claims.ts'
import type { Control } from '../control/control.ts'
import { domains, verified } from '../control/domains/domain-documents.ts'
import { giveDomain, readDomain, removeDomain } from '../control/domains/domains.ts'
import { domainId, proofOf } from '../control/domains/proof.ts'
import { isServable } from '../control/domains/servable.ts'
import { names } from '../control/name-documents.ts'
import { noDns } from '../control/own-records.ts'
import type { Store } from '../control/platform.ts'
import { type Cases, casesOn } from './cases.ts'
import { makeDomainStage } from './domains.contract.ts'
import { FakeClock } from './fake-clock.ts'
import { SmallIssuer } from './small-issuer.ts'
import type { MakeStore } from './store.contract.ts'

const wildcard = '*.app.example.com'
const child = 'a.app.example.com'
const minute = 60_000
const agent = newId('agt', 1)

async function makeStage(store: Store) {
  const clock = new FakeClock()
  const issuer = new SmallIssuer({ clock })
  const aliases = new Map<string, string>()
  const stage = await makeDomainStage(store, {
    clock,
    certificates: {
      issuers: [issuer],
      caa: async () => [],
      alias: async (name) => aliases.get(name),
    },
  })
  const dns = { ...noDns, kind: 'cloudflare', put: async () => {}, remove: async () => {} } as const
  Object.assign(stage.control, { dns })
  const { control } = stage
  return {
    ...stage,
    issuer,
    /** A verified domain that leads to a tunnel of this kind which was online. */
    async own(caller: Caller, name: string, kind: 'http' | 'tls' = 'http') {
      const { results } = await claimLeases(control, caller, {
        ...{
          agent,
          tunnels: [{ name: `${kind}-${caller === stage.ada ? 'ada' : 'eve'}`, kind }],
          takeover: false,
        },
      })
      const [first] = results
      if (!first || !('lease' in first)) throw new Error(JSON.stringify(first))
      const { tunnel } = first.lease
      await stage.add(caller, tunnel, name)
      await giveDomain(control, caller, { host: name, tunnel })
      await stage.put(caller, name)
      await stage.pass(minute)
      return tunnel
    },
    /** The record that leads the proofs of certificates to us. */
    async delegate(caller: Caller) {
      const claim = await store.get(domains.ref(domainId(caller.account, wildcard)))
      if (!claim) throw new Error('no claim')
      const { token } = await proofOf(control, claim.data, [])
      const target = delegationUnder(token, 'x.example.net')
      aliases.set('_acme-challenge.app.example.com', target)
      return target
    },
    leadOf: async (name: string) => (await store.get(names.ref(name)))?.data.tunnel,
    relayAsks: async (...hosts: string[]) =>
      (await relayCertificates(control, { relay: 'rel_1', cell: 'home' }, hosts)).map(({ host }) => host),
    doc: async () => (await store.get(certificates.ref(wildcard)))?.data,
    agentAsks: (caller: Caller, host = child) => {
      const text = certificateRequest(newCertificateKey(), [host]).toString('base64')
      const csr = `-----BEGIN CERTIFICATE REQUEST-----\n${text}\n-----END CERTIFICATE REQUEST-----\n`
      return requestCertificate(control as Control, caller, { host, csr })
    },
  }
}

export function describeWildcards(name: string, make: MakeStore, cases: Cases = 'all'): void {
  const { rule } = casesOn(make, makeStage, cases)

  describe(`wildcards of own domains: ${name}`, () => {
    rule('a proven wildcard leads to its tunnel, and is gone when it is removed', async (stage) => {
      const { ada, control, store } = stage
      const tunnel = await stage.own(ada, wildcard)
      expect((await readDomain(control, ada, wildcard)).data.state).toBe('verified')
      expect(await stage.leadOf(wildcard)).toBe(tunnel)
      expect(await isServable(control, wildcard)).toMatchObject({ account: ada.account, tunnel })
      expect(await isServable(control, child), 'the names below have no documents').toBeUndefined()
      await removeDomain(control, ada, { host: wildcard })
      expect(await store.get(verified.ref(wildcard))).toBeUndefined()
      expect((await store.get(names.ref(wildcard)))?.data.state).toBe('resting')
    })

    rule(
      'a host below another account’s wildcard needs a record of its own, and then has it',
      async (stage) => {
        const { ada, eve, control, zones } = stage
        const hers = await stage.own(ada, wildcard)
        await stage.add(eve, undefined, child)
        // The parent's text, and a text for the same host by somebody else, prove nothing.
        zones.texts.set(child, new Set([await stage.textOf(ada, wildcard)]))
        await stage.pass(minute)
        expect((await readDomain(control, eve, child)).data.state).toBe('pending')
        const theirs = await stage.own(eve, child)
        expect([await stage.leadOf(child), await stage.leadOf(wildcard)]).toEqual([theirs, hers])
      },
    )

    rule('its certificate waits for the record that delegates the proof, and says which', async (stage) => {
      const { ada, issuer } = stage
      await stage.own(ada, wildcard)
      const before = issuer.ordered
      await stage.relayAsks(wildcard)
      await stage.pass(minute)
      const target = await stage.delegate(ada)
      expect(await stage.doc()).toMatchObject({
        ...{ state: 'failing', error: 'PT-2609' },
        reason: expect.stringContaining(`_acme-challenge.app.example.com CNAME ${target}`),
      })
      expect(issuer.ordered, 'no order is spent on it').toBe(before)
      await stage.pass(12 * minute, minute)
      expect(await stage.doc()).toMatchObject({ state: 'valid', hosts: [wildcard] })
      expect(await stage.relayAsks(wildcard)).toEqual([wildcard])
    })

    rule('of a wildcard at the relay and end-to-end TLS below it, the later is refused', async (stage) => {
      const { ada, eve, store, clock } = stage
      await stage.own(eve, child, 'tls')
      await stage.agentAsks(eve)
      await stage.pass(minute)
      await stage.own(ada, wildcard)
      await stage.delegate(ada)
      await stage.relayAsks(wildcard)
      await stage.pass(minute)
      expect(await stage.doc()).toMatchObject({
        ...{ state: 'failing', error: 'PT-2610', version: 0 },
        reason: `The TLS of ${child} ends at an agent.`,
      })
      const wild = { ...noCertificate(ada.account, [wildcard]), version: 1 }
      await store.set(certificates.ref(wildcard), { ...wild, notAfter: clock.now() + 86_400_000 })
      await expect(stage.agentAsks(eve)).rejects.toMatchObject({ key: 'certificate.name' })
    })
  })
}
