/**
 * The promises of certificates whose keys agents have, for any Store: only for a reserved name or a verified domain
 * that leads to a tls tunnel of the account, only for a key of its own, and never with a key of ours.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { describe, expect } from 'vitest'
import { certificateRequest, newCertificateKey } from '../base/csr.ts'
import { hashSecret, newId } from '../base/ids.ts'
import type { Secret } from '../base/secret.ts'
import { setAccountStatus } from '../control/accounts.ts'
import type { Caller } from '../control/caller.ts'
import { certificates, noCertificate } from '../control/certificate-documents.ts'
import { readAgentCertificate, requestCertificate } from '../control/certificates/agents.ts'
import { relayCertificates } from '../control/certificates/serving.ts'
import { claimLeases } from '../control/claims.ts'
import { controlOf } from '../control/control.ts'
import { members, rates } from '../control/documents.ts'
import { describeDomains } from '../control/domains/describing.ts'
import { giveDomain, readDomain } from '../control/domains/domains.ts'
import type { Store } from '../control/platform.ts'
import { queries } from '../control/query-table.ts'
import { moveToTunnel } from '../control/reservation-moves.ts'
import { releaseReservation } from '../control/reservations.ts'
import { reserveName } from '../control/reserving.ts'
import { createTunnel, deleteTunnel } from '../control/tunnels.ts'
import { outcome } from './callers.ts'
import { type Cases, casesOn } from './cases.ts'
import { makeDomainStage } from './domains.contract.ts'
import { FakeClock } from './fake-clock.ts'
import { SmallIssuer } from './small-issuer.ts'
import type { MakeStore } from './store.contract.ts'

const domain = 'x.example.net'
const host = `shop.e2e.${domain}`
const ownHost = 'app.example.com'
const agent = newId('agt', 1)
const minute = 60_000
const day = 24 * 60 * minute

async function makeStage(store: Store) {
  const clock = new FakeClock()
  const issuer = new SmallIssuer({ clock })
  const stage = await makeDomainStage(store, {
    clock,
    certificates: { issuers: [issuer], caa: async () => [] },
  })
  const { control } = stage
  const claim = async (caller: Caller, name: string, kind: 'tls' | 'http' = 'tls') => {
    const { results } = await claimLeases(control, caller, {
      ...{ agent, tunnels: [{ name, kind }], takeover: false },
    })
    const [first] = results
    if (!first || !('lease' in first)) throw new Error(JSON.stringify(first))
    return first.lease
  }
  return {
    ...stage,
    issuer,
    claim,
    /** A reserved name with a tunnel that has it. */
    async serve(caller: Caller, name = 'shop') {
      await reserveName(control, caller, { name: `${name}.e2e` })
      return claim(caller, name)
    },
    ask: (
      caller: Caller,
      {
        at = host,
        key = newCertificateKey(),
        replaces,
      }: { at?: string; key?: Secret; replaces?: string } = {},
    ) => requestCertificate(control, caller, { host: at, csr: pem(key, at), replaces }),
    read: (caller: Caller, id: string) => readAgentCertificate(control, caller, id),
    /** An own domain of the account that leads to a tunnel of this kind. */
    async own(caller: Caller, kind: 'tls' | 'http') {
      const made = await createTunnel(controlOf(control, caller.account), caller, {
        ...{ name: `own-${kind}`, kind, policy: {} },
      })
      await stage.add(caller, made.ref.id, ownHost)
      await stage.put(caller, ownHost)
      await stage.look(caller)
      await giveDomain(control, caller, { host: ownHost, tunnel: made.ref.id })
      await claim(caller, `own-${kind}`, kind)
    },
  }
}

function pem(key: Secret, at: string): string {
  const text = certificateRequest(key, [at]).toString('base64')
  return `-----BEGIN CERTIFICATE REQUEST-----\n${text}\n-----END CERTIFICATE REQUEST-----\n`
}

export function describeAgentCertificates(name: string, make: MakeStore, cases: Cases = 'all'): void {
  const { rule } = casesOn(make, makeStage, cases)

  describe(`certificates of agents: ${name}`, () => {
    rule('a reserved name gets one for the key of its agent, and the store has no key', async (stage) => {
      const { ada, store } = stage
      expect((await stage.serve(ada)).endpoint.host).toBe(host)
      const key = newCertificateKey()
      const { id, doc } = await stage.ask(ada, { key })
      expect(doc.state).toBe('ordering')
      await stage.pass(minute)
      const { doc: issued } = await stage.read(ada, id)
      expect(issued).toMatchObject({ state: 'valid', hosts: [host], wrappedKey: '' })
      expect(new X509Certificate(issued.chain).checkPrivateKey(privateOf(key))).toBe(true)
      expect(issued.renewAt).toBeGreaterThan(stage.clock.now() + 50 * day)
      const all = await store.query(queries.certificatesByEnd, { where: {}, limit: 10 })
      expect(all.items.map(({ data }) => data.wrappedKey)).toEqual([''])
      const audit = await store.query(queries.auditByAction, {
        where: { account: ada.account, action: 'certificate.requested' },
        limit: 10,
      })
      expect(audit.items).toHaveLength(1)
    })

    rule(
      'the same request again is the same order, and a relay gets no certificate for it',
      async (stage) => {
        const { ada, control, issuer } = stage
        await stage.serve(ada)
        const key = newCertificateKey()
        const ids = [await stage.ask(ada, { key }), await stage.ask(ada, { key })].map(({ id }) => id)
        expect(new Set(ids).size).toBe(1)
        await stage.pass(minute)
        expect(await relayCertificates(control, { relay: 'rel_1', cell: 'home' }, [host])).toEqual([])
        await stage.pass(minute)
        expect(issuer.ordered).toBe(1)
      },
    )

    rule('other names are refused, whoever has them, and nothing is ordered', async (stage) => {
      const { ada, eve, issuer } = stage
      await stage.serve(ada)
      await stage.claim(ada, 'plain')
      await stage.claim(ada, 'web', 'http')
      expect(await outcome(stage.ask(eve))).toBe('certificate.name')
      expect(await outcome(stage.ask(ada, { at: `other.e2e.${domain}` }))).toBe('certificate.name')
      expect(await outcome(stage.ask(ada, { at: `web.${domain}` }))).toBe('certificate.name')
      expect(await outcome(stage.ask(ada, { at: `plain.${domain}` }))).toBe('certificate.unreserved')
      expect(await outcome(stage.ask(ada, { at: domain }))).toBe('certificate.name')
      const bound = { ...ada, tunnels: new Set(['other']) }
      expect(await outcome(stage.ask(bound))).toBe('certificate.name')
      await stage.pass(minute)
      expect(issuer.ordered).toBe(0)
    })

    rule('a key of another host or account is refused', async (stage) => {
      const { ada, eve } = stage
      await stage.serve(ada)
      await stage.serve(ada, 'second')
      await stage.serve(eve, 'third')
      const key = newCertificateKey()
      await stage.ask(ada, { key })
      const at = (name: string) => ({ at: `${name}.e2e.${domain}`, key })
      expect(await outcome(stage.ask(ada, at('second')))).toBe('certificate.key_known')
      expect(await outcome(stage.ask(eve, at('third')))).toBe('certificate.key_known')
    })

    rule('an own domain gets one when it leads to a tls tunnel, and never beside a relay', async (stage) => {
      const { ada, eve, control } = stage
      await stage.own(ada, 'tls')
      expect(await outcome(stage.ask(eve, { at: ownHost }))).toBe('certificate.name')
      const told = async () =>
        (await describeDomains(control, [await readDomain(control, ada, ownHost)]))[0]?.certificate
      expect(await told()).toBeUndefined()
      const { id } = await stage.ask(ada, { at: ownHost })
      expect(await told()).toEqual({ state: 'ordering', key: 'agent' })
      expect(await relayCertificates(control, { relay: 'rel_1', cell: 'home' }, [ownHost])).toEqual([])
      await stage.pass(minute)
      expect((await stage.read(ada, id)).doc).toMatchObject({ state: 'valid', hosts: [ownHost] })
      const { notAfter } = (await stage.read(ada, id)).doc
      expect(await told()).toMatchObject({ state: 'valid', validUntil: notAfter, key: 'agent' })
      await stage.ask(ada, { at: ownHost })
      expect((await told())?.validUntil).toBe(notAfter)
      await stage.own(ada, 'http')
      expect(await outcome(stage.ask(ada, { at: ownHost }))).toBe('certificate.name')
    })

    rule('a name that a wildcard at the relay covers gets none', async (stage) => {
      const { ada, store, clock } = stage
      await stage.own(ada, 'tls')
      const wild = { ...noCertificate(ada.account, ['example.com', '*.example.com']), version: 1 }
      await store.set(certificates.ref('example.com'), { ...wild, notAfter: clock.now() + day })
      expect(await outcome(stage.ask(ada, { at: ownHost }))).toBe('certificate.name')
      clock.advance(2 * day)
      expect(await outcome(stage.ask(ada, { at: ownHost }))).toBe('done')
    })

    rule('a name under e2e goes to tls tunnels alone, and to the one whose name it is', async (stage) => {
      const { ada, eve, control } = stage
      const before = await stage.claim(ada, 'shop')
      expect(before.endpoint.host).toBe(`shop.${domain}`)
      const id = `host:${host}`
      await reserveName(control, ada, { name: 'shop.e2e' })
      expect((await stage.claim(ada, 'shop')).endpoint.host).toBe(host)
      const web = await createTunnel(controlOf(control, ada.account), ada, {
        ...{ name: 'web', kind: 'http', policy: {} },
      })
      expect(await outcome(moveToTunnel(control, ada, { id, tunnel: web.ref.id }))).toBe('tunnel.kind')
      expect(await outcome(reserveName(control, eve, { name: host }))).toBe('endpoint.name_taken')
      expect((await stage.claim(eve, 'shops')).endpoint.host).toBe(`shops.${domain}`)
      expect(await outcome(reserveName(control, eve, { name: 'e2e' }))).toBe('endpoint.name_denied')
      expect(await outcome(reserveName(control, eve, { name: 'admin.e2e' }))).toBe('endpoint.name_denied')
      expect(await outcome(reserveName(control, eve, { name: 'a.b.e2e' }))).toBe('name.invalid')
    })

    rule('a renewal by its predecessor is exempt, and the old one ends by itself', async (stage) => {
      const { ada, issuer, store } = stage
      issuer.window = [0.6, 0.7]
      await stage.serve(ada)
      let { id } = await stage.ask(ada)
      await stage.pass(minute)
      const first = id
      // Far more than an issuer allows for one set of names, if they were not named as renewals.
      for (let n = 0; n < 4; n++) {
        ;({ id } = await stage.ask(ada, { replaces: id }))
        await stage.pass(minute)
        expect((await stage.read(ada, id)).doc).toMatchObject({ state: 'valid', failures: 0 })
      }
      expect((await stage.read(ada, id)).doc.renewAt).toBeGreaterThan(stage.clock.now())
      await stage.pass(91 * day, 13 * day)
      expect(await store.get(certificates.ref(first))).toBeUndefined()
      expect(issuer.ordered).toBe(5)
    })

    rule('without a predecessor the budget holds it back, and says until when', async (stage) => {
      const { ada } = stage
      await stage.serve(ada)
      const states: string[] = []
      for (let n = 0; n < 5; n++) {
        const { id } = await stage.ask(ada)
        await stage.pass(minute)
        const { doc, nextAt } = await stage.read(ada, id)
        states.push(doc.state)
        if (doc.state === 'failing') {
          expect(doc).toMatchObject({
            error: 'PT-2606',
            reason: expect.stringMatching(/^It is ordered at 20/),
          })
          expect(nextAt).toBeGreaterThan(stage.clock.now())
        }
      }
      expect(states).toEqual(['valid', 'valid', 'valid', 'valid', 'failing'])
    })

    rule('a failing order keeps its request, and goes on when the issuer is back', async (stage) => {
      const { ada, issuer } = stage
      await stage.serve(ada)
      issuer.isDown = true
      const key = newCertificateKey()
      const { id } = await stage.ask(ada, { key })
      await stage.pass(minute)
      expect((await stage.read(ada, id)).doc).toMatchObject({ state: 'failing', error: 'PT-2601' })
      issuer.isDown = false
      await stage.claim(ada, 'shop')
      await stage.pass(20 * minute, 5 * minute)
      const { doc } = await stage.read(ada, id)
      expect(doc.state).toBe('valid')
      expect(new X509Certificate(doc.chain).checkPrivateKey(privateOf(key))).toBe(true)
    })

    rule('nothing is ordered once the tunnel, the name or the account is gone', async (stage) => {
      const { ada, eve, issuer, control, store } = stage
      issuer.isDown = true
      const lease = await stage.serve(ada)
      await stage.serve(ada, 'second')
      await stage.serve(eve, 'third')
      const ids = [
        (await stage.ask(ada)).id,
        (await stage.ask(ada, { at: `second.e2e.${domain}` })).id,
        (await stage.ask(eve, { at: `third.e2e.${domain}` })).id,
      ]
      await stage.pass(minute)
      issuer.isDown = false
      await deleteTunnel(controlOf(control, ada.account), ada, { id: lease.tunnel })
      await releaseReservation(control, ada, { id: `host:second.e2e.${domain}` })
      await setAccountStatus(control, eve.account, 'suspended')
      await stage.pass(day, 4 * 60 * minute)
      expect(issuer.issued).toBe(0)
      for (const id of ids) expect(await store.get(certificates.ref(id))).toBeUndefined()
    })

    rule(
      'who has lost the right to serve gets no certificate, even where that is not known yet',
      async (stage) => {
        const { ada, store } = stage
        await stage.serve(ada)
        await store.update(members.ref(`${ada.account}:${ada.member}`), { role: 'viewer' })
        expect(await outcome(stage.ask(ada))).toBe('auth.scope')
      },
    )

    rule('an order that fails for a week is dropped, and may be asked for again', async (stage) => {
      const { ada, issuer, store } = stage
      await stage.serve(ada)
      issuer.isConvinced = false
      const key = newCertificateKey()
      const { id } = await stage.ask(ada, { key })
      await stage.pass(6 * day, day / 2)
      expect((await stage.read(ada, id)).doc).toMatchObject({ state: 'failing', error: 'PT-2604' })
      await stage.pass(2 * day + minute, day / 2)
      expect(await store.get(certificates.ref(id))).toBeUndefined()
      issuer.isConvinced = true
      expect((await stage.ask(ada, { key })).id).toBe(id)
      await stage.pass(minute)
      expect((await stage.read(ada, id)).doc.state).toBe('valid')
    })

    rule('requests without end are refused with the time to wait', async (stage) => {
      const { ada } = stage
      await stage.serve(ada)
      await stage.ask(ada)
      // As if it had asked for very many today.
      const window = Math.floor(stage.clock.now() / day)
      const ref = rates.ref(`certificates:${hashSecret(ada.account).slice(0, 32)}:${window}`)
      expect((await stage.store.get(ref))?.data.count).toBe(1)
      await stage.store.update(ref, { count: 100 })
      expect(await outcome(stage.ask(ada))).toBe('certificate.waiting')
      stage.clock.advance(day)
      expect(await outcome(stage.ask(ada))).toBe('done')
    })
  })
}

function privateOf(key: Secret) {
  return createPrivateKey(key.reveal())
}
