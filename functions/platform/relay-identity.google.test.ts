import { expectFailure } from '@porttunneler/shared/testing/store.contract'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { newKeyPair } from '../testing/google-issuer.ts'
import { makeGoogleRelays } from '../testing/google-relays.ts'
import { listMs } from './relay-groups.compute.ts'

describe('relay identity by Google', () => {
  let t: Awaited<ReturnType<typeof makeGoogleRelays>>
  beforeEach(async () => {
    t = await makeGoogleRelays()
  })
  afterEach(() => t.close())

  const verify = async (...claims: Parameters<typeof t.claimsOf>) =>
    t.identity.verify(await t.issuer.sign(t.claimsOf(...claims)))
  const lists = () => t.cloud.calls.filter((path) => path.includes('/listManagedInstances')).length

  test('a relay has one id, in our own form, for the life of its VM', async () => {
    const [vm, other] = [t.newInstance('main'), t.newInstance('main')]
    const { relay } = await verify('main', vm)
    expect(relay).toMatch(/^rel_[0-9a-hjkmnp-tv-z]{26}$/)
    t.clock.advance(3_600_000)
    expect(await verify('main', vm)).toEqual({ relay, cell: 'main' })
    expect((await verify('main', other)).relay).not.toBe(relay)
  })

  test('the cell is that of the group, whatever account or place a VM claims', async () => {
    const vm = t.newInstance('main')
    const stranger = '4711'
    await expectFailure(verify('other', vm), 'relay.unknown')
    await expectFailure(verify('main', stranger), 'relay.unknown')
    const account = 'default@tunnels-prod.iam.gserviceaccount.com'
    await expectFailure(verify('main', vm, { email: account }), 'relay.unknown')
    await expectFailure(verify('main', vm, { email_verified: false }), 'relay.unknown')
  })

  test('a token for others, by others, of another project or out of date is unknown', async () => {
    const vm = t.newInstance('main')
    const now = Math.floor(t.clock.now() / 1_000)
    const { google } = t.claimsOf('main', vm) as { google: { compute_engine: object } }
    const elsewhere = { google: { compute_engine: { ...google.compute_engine, project_id: 'others' } } }
    for (const changes of [
      { aud: 'https://example.org' },
      { iss: 'https://securetoken.google.com/tunnels-prod' },
      { exp: now },
      { google: {} },
      elsewhere,
    ])
      await expectFailure(verify('main', vm, changes), 'relay.unknown')
    const { privateKey } = await newKeyPair()
    const forged = await t.issuer.sign(t.claimsOf('main', vm), { key: privateKey })
    await expectFailure(t.identity.verify(forged), 'relay.unknown')
  })

  test('a VM made a moment ago gets in at once; known ones cost no further call', async () => {
    await verify('main', t.newInstance('main'))
    t.clock.advance(10_000)
    const fresh = t.newInstance('main')
    await verify('main', fresh)
    const before = lists()
    for (let count = 0; count < 5; count++) await verify('main', fresh)
    expect(lists()).toBe(before)
  })

  test('a genuine token of a VM outside our groups causes at most one reading in ten seconds', async () => {
    for (let count = 0; count < 5; count++) await expectFailure(verify('main', '4711'), 'relay.unknown')
    expect(lists()).toBe(1)
  })

  test('every page of a group is read', async () => {
    const vms = [1, 2, 3, 4, 5].map(() => t.newInstance('main'))
    for (const vm of vms) expect((await verify('main', vm)).cell).toBe('main')
    expect(lists()).toBe(3)
  })

  test('while Compute Engine is away known relays go on for an hour, others have to come again', async () => {
    const vm = t.newInstance('main')
    await verify('main', vm)
    t.clock.advance(listMs)
    t.cloud.mishaps.push(503, 503)
    expect((await verify('main', vm)).cell).toBe('main')
    t.clock.advance(3_600_000)
    t.cloud.mishaps.push(503, 503)
    await expectFailure(verify('main', vm), 'cloud.unavailable')
  })

  test('while the keys cannot be fetched every relay is refused, and told to come again', async () => {
    t.issuer.become('failing')
    await expectFailure(verify('main', t.newInstance('main')), 'cloud.unavailable')
  })
})
