/** What a relay is given: certificates of names that its own cell serves, ordered when it asks and not before. */

import { makeTestControl } from '@porttunneler/standalone/testing/control'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { giveOwnDomain } from '../../testing/own-domain.ts'
import { SmallIssuer } from '../../testing/small-issuer.ts'
import { blankEndpoint, ensureCell } from '../cells.ts'
import { certificates } from '../certificate-documents.ts'
import { type AccountDoc, accounts, commands, endpoints } from '../documents.ts'
import { proofOf } from '../domains/proof.ts'
import { makeWorker } from '../jobs/kinds.ts'
import { runAct } from '../operator/acts.ts'
import { noDns } from '../own-records.ts'
import type { Dns } from '../platform.ts'
import { queries } from '../query-table.ts'
import { certificateJob } from './ordering.ts'
import type { Certificates } from './role.ts'
import { relayCertificates } from './serving.ts'

const domain = 'tunnel.example.com'
const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})

async function makeStage(dns: Dns = noDns, alias?: Certificates['alias']) {
  const issuers: SmallIssuer[] = []
  const t = makeTestControl({ certificates: { issuers, caa: async () => [], ...(alias && { alias }) }, dns })
  open.push(t)
  const issuer = new SmallIssuer({ clock: t.clock })
  issuers.push(issuer)
  await t.openCell()
  const { control } = t
  const { store } = control
  const face = { httpScheme: 'https', httpPort: 443, tlsPort: 443, portFrom: 20_000, portTo: 20_001 } as const
  await ensureCell(control, { id: 'far', host: 'far.example.net', domain: 'far.example.net', ...face })
  const worker = makeWorker(control, 4)
  const ask = async (cell: string, ...hosts: string[]) => {
    const found = await relayCertificates(control, { relay: 'rel_1', cell }, hosts)
    return found.map(({ hosts: all }) => all.join())
  }
  return {
    ...{ control, issuer, issuers, ask, clock: t.clock, enrolment: t.relayIdentity },
    lease: (host: string, cell = 'home') =>
      store.set(endpoints.ref(`host:${host}`), { ...blankEndpoint(cell, 'host', 0), state: 'leased' }),
    own: (host: string, state: 'verified' | 'suspended') => giveOwnDomain(control, host, state),
    /** All jobs that are due, and those that they ask for. */
    async work() {
      await worker.begin()
      for (let rounds = 0; rounds < 2; rounds++) await worker.round(60_000)
    },
  }
}

describe('certificates for relays', () => {
  test('a leased name is ordered when a relay of its cell asks, and given to that cell alone', async () => {
    const { ask, lease, work, issuer } = await makeStage()
    await lease(`shop.${domain}`)
    expect(await ask('far', `shop.${domain}`)).toEqual([])
    expect(await ask('home', `nobody.${domain}`, 'stranger.example.org', 'localhost', '192.0.2.1')).toEqual(
      [],
    )
    await work()
    // Names of the cell itself are ordered before anybody asks.
    expect(issuer.ordered).toBe(1)
    expect(await ask('home', `shop.${domain}`)).toEqual([])
    await work()
    expect(await ask('home', `shop.${domain}`, domain)).toEqual([`shop.${domain}`, domain])
    expect(await ask('far', `shop.${domain}`, domain)).toEqual([])
    expect(issuer.ordered).toBe(2)
  })

  test.each([
    ['another local authority', 'local-b', true],
    ['a public one', 'public', false],
  ])('certificates of a local authority that went are ordered again at %s', async (_name, next, isLocal) => {
    const { ask, work, control, issuers } = await makeStage()
    const role = control.certificates as { local?: readonly string[] }
    role.local = [domain]
    issuers.splice(0, 1, new SmallIssuer({ name: 'local-a', clock: control.clock }))
    await ask('home', domain)
    await work()
    expect(await ask('home', domain)).toEqual([domain])
    issuers.splice(0, 1, new SmallIssuer({ name: next, clock: control.clock }))
    if (!isLocal) delete role.local
    expect(await ask('home', domain)).toEqual([])
    await work()
    expect(await ask('home', domain)).toEqual([domain])
    expect((await control.store.get(certificates.ref(domain)))?.data.issuer).toBe(next)
    await ask('home', domain)
    await work()
    expect(issuers[0]?.issued).toBe(1)
  })

  test('a key that cannot be opened keeps no other certificate from its relay; a closed vault is an error', async () => {
    const { ask, lease, work, control } = await makeStage()
    await lease(`shop.${domain}`)
    await ask('home', `shop.${domain}`)
    await work()
    const { store } = control
    const unwrap = control.vault.unwrap.bind(control.vault)
    vi.spyOn(control.vault, 'unwrap').mockImplementation(async (text) => {
      if (text === 'rubbish') throw new Error('not a key of this vault')
      return unwrap(text)
    })
    const spoil = (host: string) => store.update(certificates.ref(host), { wrappedKey: 'rubbish' })
    await spoil(domain)
    expect(await ask('home', domain, `shop.${domain}`)).toEqual([`shop.${domain}`])
    await spoil(`shop.${domain}`)
    await expect(ask('home', domain, `shop.${domain}`)).rejects.toThrow('not a key')
  })

  test('where we write the zone, one certificate has the cell and all names in it', async () => {
    const put: string[] = []
    const dns: Dns = {
      ...noDns,
      kind: 'cloudflare',
      put: async (name) => void put.push(name),
      remove: async () => {},
    }
    const { ask, lease, work, issuer } = await makeStage(dns)
    await lease(`shop.${domain}`)
    await work()
    expect(await ask('home', `shop.${domain}`, domain)).toEqual([`${domain},*.${domain}`])
    expect(issuer.ordered).toBe(1)
    expect(new Set(put)).toEqual(new Set([`_acme-challenge.${domain}`]))
  })

  test('an own domain gets one while it is verified, and the relays of its cell hear of it', async () => {
    const { ask, own, work, control } = await makeStage()
    await own('app.example.org', 'suspended')
    await ask('home', 'app.example.org')
    await work()
    expect(await ask('home', 'app.example.org')).toEqual([])
    await own('app.example.org', 'verified')
    expect(await ask('far', 'app.example.org')).toEqual([])
    await ask('home', 'app.example.org')
    await work()
    expect(await ask('home', 'app.example.org')).toEqual(['app.example.org'])
    const { items } = await control.store.query(queries.commandsOfCell, { where: { cell: 'home' }, limit: 9 })
    const bodies = items.map(({ ref }) => control.store.get(commands.ref(ref.id)))
    const said = (await Promise.all(bodies)).map((found) => found?.data.body)
    expect(said).toContainEqual(expect.objectContaining({ kind: 'certificate', host: 'app.example.org' }))
    expect(JSON.stringify(said)).not.toContain('PRIVATE')
  })

  test('where the owner leads the challenge to us, the proof goes there by DNS, and nowhere else', async () => {
    const put: string[] = []
    const removed: string[] = []
    const dns: Dns = {
      ...noDns,
      kind: 'cloudflare',
      put: async (name) => void put.push(name),
      remove: async (name) => void removed.push(name),
    }
    const aliases = new Map<string, string>()
    const { ask, own, work, control, issuer } = await makeStage(dns, async (name) => aliases.get(name))
    await own('app.example.org', 'verified')
    const claimed = { account: 'acc_1', host: 'app.example.org', claim: 'c' }
    const { token } = await proofOf(control, claimed, [])
    const lead = async (target: string) => {
      aliases.set('_acme-challenge.app.example.org', target)
      put.length = 0
      await control.store.delete(certificates.ref('app.example.org'))
      await control.store.delete(certificateJob('app.example.org'))
      await ask('home', 'app.example.org')
      await work()
      expect(await ask('home', 'app.example.org')).toEqual(['app.example.org'])
      return new Set(put.filter((name) => name !== `_acme-challenge.${domain}`))
    }
    const ours = `${token}.acme.${domain}`
    expect(await lead(ours)).toEqual(new Set([ours]))
    expect(removed).toContain(ours)
    // The names of others' claims, of the service itself, or of anybody else are not written: HTTP-01 it is.
    const { token: foreign } = await proofOf(control, { ...claimed, account: 'acc_2' }, [])
    for (const target of [`${foreign}.acme.${domain}`, `_acme-challenge.${domain}`, 'acme.example.org'])
      expect(await lead(target)).toEqual(new Set())
    expect(issuer.told).toContain('http-01')
  })

  test('an operator’s wish names a domain in any spelling, and no other domain by a mapping', async () => {
    const { own, control, enrolment } = await makeStage()
    await own('xn--mnchen-3ya.de', 'verified')
    await own('app.example.org', 'verified')
    const order = (host: string) =>
      runAct({ control, enrolment }, { act: 'certificates.order', input: { host }, operator: 'grace' })
    expect(await order('München.DE.')).toEqual({ host: 'xn--mnchen-3ya.de', state: 'ordering' })
    expect(await order('APP.Example.org')).toEqual({ host: 'app.example.org', state: 'ordering' })
    const wrong = [
      ['%41pp.example.org', 'name.characters'],
      ['\uff41pp.example.org', 'name.characters'],
      ['*.example.org', 'name.wildcard'],
      ['app.example.org/', 'name.characters'],
      ['no.example.org', 'operator.missing'],
    ] as const
    for (const [host, key] of wrong) await expect(order(host), host).rejects.toMatchObject({ key })
  })

  test('nothing is ordered for an account that is suspended', async () => {
    const { ask, own, work, control } = await makeStage()
    await own('app.example.org', 'verified')
    await control.store.set(accounts.ref('acc_1'), { status: 'suspended' } as AccountDoc)
    await ask('home', 'app.example.org')
    await work()
    expect(await control.store.get(certificates.ref('app.example.org'))).toBeUndefined()
    await control.store.set(accounts.ref('acc_1'), { status: 'active' } as AccountDoc)
    await ask('home', 'app.example.org')
    await work()
    expect(await ask('home', 'app.example.org')).toEqual(['app.example.org'])
  })

  test('an order whose host is no longer wanted is given up, and leaves no record', async () => {
    const left = new Set<string>()
    const dns: Dns = {
      ...noDns,
      kind: 'cloudflare',
      put: async (name) => void left.add(name),
      remove: async (name) => void left.delete(name),
    }
    const { ask, lease, work, control, issuer, clock } = await makeStage(dns)
    issuer.slowness = 1_000
    const host = `deep.shop.${domain}`
    await lease(host)
    await ask('home', host)
    const working = async () => {
      let isOver = false
      const over = work().finally(() => {
        isOver = true
      })
      while (!isOver) await clock.advanceAsync(60_000, 1_000)
      return over
    }
    await working()
    expect(left).toContain(`_acme-challenge.${host}`)
    await control.store.delete(endpoints.ref(`host:${host}`))
    clock.advance(60_000)
    await working()
    expect(left).not.toContain(`_acme-challenge.${host}`)
  })
})
