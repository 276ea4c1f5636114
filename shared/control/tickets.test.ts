import { decodeJwt, decodeProtectedHeader, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { makeTestControl, quietSync, type TestControl } from '../../standalone/testing/control.ts'
import { newId } from '../base/ids.ts'
import { limits } from '../protocol/limits.ts'
import { checkTicket } from '../protocol/ticket.ts'
import { checkWatchTicket } from '../protocol/watch-ticket.ts'
import { claimLeases } from './claims.ts'
import { signingKeys } from './documents.ts'
import { syncRelay } from './relays.ts'
import { Signer } from './tickets.ts'
import { issueWatch } from './watch.ts'

const day = 24 * 3_600_000

let t: TestControl
beforeEach(() => {
  t = makeTestControl()
})
afterEach(() => t.close())

const kids = async () => (await t.control.signer.publicKeys()).jwks.keys.map(({ kid }) => kid)

async function ticket(expiresAt = t.clock.now() + limits.ticketMs) {
  const policy = { allow: [], deny: [], connectionsMax: 1, connectionsPerMinute: 1 }
  return t.control.signer.signTicket(
    {
      sub: newId('tun', 1),
      aud: 'home',
      account: newId('acc', 1),
      agent: newId('agt', 1),
      kind: 'tcp',
      name: 'db',
      endpoint: 'tcp:home:20000',
      epoch: 1,
      plan: 'free',
      policy,
      policyVersion: 1,
    },
    { nowMs: t.clock.now(), expiresAt },
  )
}

/** Checks like a relay: with the keys it has, and its own time. */
async function check(token: string) {
  const { jwks } = await t.control.signer.publicKeys()
  return checkTicket(token, { keys: jwks, cell: 'home', nowMs: t.clock.now() })
}

test('a token that the same key signed for another purpose is never a ticket, whatever it claims', async () => {
  const sealed = await ticket()
  await expect(check(sealed)).resolves.toMatchObject({ aud: 'home' })
  const { ticket: watch } = await t.control.signer.signWatch(
    { account: newId('acc', 1), tunnels: [], cells: ['home'] },
    t.clock.now(),
  )
  await expect(check(watch)).rejects.toMatchObject({ key: 'ticket.invalid' })
  const key = await generateKeyPair('EdDSA')
  const keys = { keys: [{ ...(await exportJWK(key.publicKey)), kid: 'k', alg: 'EdDSA' }] }
  const sign = (typ: string) =>
    new SignJWT(decodeJwt(sealed)).setProtectedHeader({ alg: 'EdDSA', kid: 'k', typ }).sign(key.privateKey)
  const checkBy = async (typ: string) =>
    checkTicket(await sign(typ), { keys, cell: 'home', nowMs: t.clock.now() })
  await expect(checkBy('lease+jwt')).resolves.toMatchObject({ aud: 'home' })
  await expect(checkBy('JWT')).rejects.toMatchObject({ key: 'ticket.invalid' })
})

describe('ticket keys', () => {
  test('the first start makes a signing key and its successor, however many processes start at once', async () => {
    const { store, vault } = t.control
    const signers = Array.from(
      { length: 5 },
      () => new Signer({ store, vault, clock: t.clock, issuer: 'https://tunnel.example.com' }),
    )
    const all = await Promise.all(signers.map((signer) => signer.publicKeys()))
    expect(new Set(all.flatMap(({ jwks }) => jwks.keys.map(({ kid }) => kid))).size).toBe(2)
  })

  test('a process that looked before another made the keys makes no second ones', async () => {
    const { store, vault, signer } = t.control
    const late = new Signer({ store, vault, clock: t.clock, issuer: 'https://tunnel.example.com' })
    const query = store.query.bind(store)
    let isMade = false
    vi.spyOn(store, 'query').mockImplementation(async (asked, options) => {
      const page = await query(asked, options)
      if (!isMade) {
        isMade = true
        await signer.rotate()
      }
      return page
    })
    expect(await late.rotate()).toBeUndefined()
    expect(isMade).toBe(true)
    expect(await kids()).toHaveLength(2)
  })

  test('no private part is published, and none lies unwrapped beside its key', async () => {
    const { jwks } = await t.control.signer.publicKeys()
    for (const key of jwks.keys) {
      expect(Object.keys(key).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x'])
      const stored = await t.control.store.get(signingKeys.ref(`${key.kid}`))
      expect(JSON.parse(stored?.data.public ?? '{}').d).toBeUndefined()
    }
  })

  test('a key signs only after relays have known it for 48 hours, and is known until its last ticket is over', async () => {
    const first = await ticket()
    const before = await kids()
    const { kid } = decodeProtectedHeader(first)
    await t.runJobs()
    expect(await kids()).toEqual(before)
    t.clock.advance(7 * day)
    await t.runJobs()
    const second = await ticket()
    const next = decodeProtectedHeader(second).kid
    expect(next).not.toBe(kid)
    expect(before).toContain(next)
    expect(await kids()).toContain(kid)
    await check(second)
    t.clock.advance(limits.ticketMs + limits.skewMs)
    await t.runJobs()
    expect(await kids()).not.toContain(kid)
    expect(await kids()).toHaveLength(2)
  })

  test('a rotation tells every relay to fetch the keys, once', async () => {
    await t.openCell()
    await ticket()
    t.clock.advance(7 * day)
    await t.runJobs()
    await t.runJobs()
    const { commands, keys } = await t.sync()
    expect(commands).toMatchObject([{ kind: 'keys', version: keys.version }])
  })
})

describe('watch tickets', () => {
  test('a watch ticket names its account’s tunnels, lasts a minute, and never counts as a lease ticket', async () => {
    await t.openCell()
    const ada = await t.caller()
    const agent = newId('agt', 1)
    const wanted = { agent, tunnels: [{ name: 'web', kind: 'http' as const }], takeover: false }
    const [result] = (await claimLeases(t.control, ada, wanted)).results
    if (!result || !('lease' in result)) throw new Error('no lease')
    const pass = await issueWatch(t.of(ada), ada)
    expect(pass.sources).toEqual(['https://r1.tunnel.example.com/v1/live'])
    expect(pass.expiresAt).toBe(t.clock.now() + 60_000)
    const { jwks: keys } = await t.control.signer.publicKeys()
    const at = { keys, cell: 'home', nowMs: t.clock.now() }
    const claims = await checkWatchTicket(pass.ticket, at)
    expect(claims).toMatchObject({ sub: ada.account })
    expect(claims.tunnels, 'all, and those that come up later').toBeUndefined()
    await expect(checkTicket(pass.ticket, at)).rejects.toMatchObject({ key: 'ticket.invalid' })
    await expect(checkTicket(pass.ticket, { ...at, cell: 'watch:home' })).rejects.toThrow()
    await expect(checkWatchTicket(result.lease.ticket, at)).rejects.toMatchObject({ key: 'watch.invalid' })
    await expect(checkWatchTicket(pass.ticket, { ...at, cell: 'other' })).rejects.toThrow()
  })

  test('a bound key watches its own tunnels alone', async () => {
    await t.openCell()
    const ada = await t.caller()
    const tunnels = ['web', 'api'].map((name) => ({ name, kind: 'http' as const }))
    const { results } = await claimLeases(t.control, ada, {
      agent: newId('agt', 1),
      tunnels,
      takeover: false,
    })
    const [web] = results.map((one) => ('lease' in one ? one.lease.tunnel : ''))
    const pass = await issueWatch(t.of(ada), { ...ada, tunnels: new Set(['web', 'gone']) })
    expect(decodeJwt(pass.ticket).tunnels).toEqual([web])
    expect(pass.sources).toHaveLength(1)
    const nothing = await issueWatch(t.of(ada), { ...ada, tunnels: new Set(['gone']) })
    expect(decodeJwt(nothing.ticket).tunnels).toEqual([])
    expect(nothing.sources).toEqual([])
  })

  test('the relays of every cell that the account has leases in are named', async () => {
    await t.openCell()
    await t.openCell({ id: 'far', host: 'far.tunnel.example.com', domain: 'far.example.com' })
    await syncRelay(t.control, { relay: newId('rel', 9), cell: 'far' }, quietSync)
    const ada = await t.caller()
    const claim = (name: string, cell: string) =>
      claimLeases(t.control, ada, {
        agent: newId('agt', 1),
        tunnels: [{ name, kind: 'http' }],
        cell,
        takeover: false,
      })
    await claim('near', 'home')
    await claim('away', 'far')
    const { aud } = decodeJwt((await issueWatch(t.of(ada), ada)).ticket)
    expect([aud].flat().toSorted()).toEqual(['watch:far', 'watch:home'])
  })
})
