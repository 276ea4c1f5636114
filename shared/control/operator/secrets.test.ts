/** What is sealed by a key whose versions are rotated, disabled and destroyed, as in a key management service. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { makeTestControl, type TestControl } from '../../../standalone/testing/control.ts'
import { fail } from '../../base/errors.ts'
import { newId } from '../../base/ids.ts'
import { Secret } from '../../base/secret.ts'
import { certificates, noCertificate } from '../certificate-documents.ts'
import { claimLeases } from '../claims.ts'
import { factors, noFactors } from '../factors/factor-documents.ts'
import { secretPurposes, serviceSecret } from '../service-secrets.ts'
import type { ActName } from './acts.ts'
import { runAct } from './acts.ts'

const agent = newId('agt', 1)
let t: TestControl
/** The version that seals, and those that open. */
let newest: number
let enabled: Set<number>

beforeEach(async () => {
  t = makeTestControl()
  newest = 1
  enabled = new Set([1])
  const { vault } = t.control
  vi.spyOn(vault, 'wrap').mockImplementation(async (plain) => `${newest}|${plain.reveal()}`)
  vi.spyOn(vault, 'unwrap').mockImplementation(async (wrapped) => {
    const [, version, text = ''] = /^(\d+)\|(.*)$/s.exec(wrapped) ?? []
    if (!enabled.has(Number(version))) throw fail('vault.unreadable')
    return new Secret(text)
  })
  await t.openCell()
  for (const purpose of secretPurposes) await serviceSecret(t.control, purpose)
  const certificate = { ...noCertificate('', ['tunnel.example.com']), wrappedKey: '1|a key', version: 1 }
  await t.control.store.set(certificates.ref('tunnel.example.com'), certificate)
  const app = { wrapped: '1|an app', createdAt: 1, usedAt: 0, usedSteps: [] }
  await t.control.store.set(factors.ref('usr_1'), { ...noFactors('usr_1'), app })
})
afterEach(async () => {
  vi.restoreAllMocks()
  await t.close()
})

const act = (name: ActName, input: object = {}) =>
  runAct({ control: t.control, enrolment: t.relayIdentity }, { act: name, input, operator: 'grace' })
const counts = async () =>
  Object.fromEntries(
    ((await act('secrets.list')) as { kind: string; opens: number; lost: number }[]).map(
      ({ kind, opens, lost }) => [kind, [opens, lost]],
    ),
  )
const claim = async () => {
  const tunnels = [{ name: 'db', kind: 'tcp' as const }]
  const [first] = (await claimLeases(t.control, await t.caller(), { agent, tunnels, takeover: false }))
    .results
  return first && 'problem' in first ? first.problem.code : 'leased'
}

test('after a rotation nothing needs the version before, and every secret is the same', async () => {
  const before = (await serviceSecret(t.control, 'domains')).reveal()
  const { kid } = (await t.control.signer.publicKeys()).jwks.keys[0] ?? {}
  newest = 2
  enabled.add(2)
  expect(await act('secrets.rotate')).toEqual({ sealed: 4 + secretPurposes.length, lost: 0 })
  enabled.delete(1)
  expect(await counts()).toEqual({
    'signing key': [2, 0],
    'secret of the service': [secretPurposes.length, 0],
    'key of a certificate': [1, 0],
    'authenticator app': [1, 0],
  })
  expect((await serviceSecret(t.control, 'domains')).reveal()).toBe(before)
  expect((await t.control.signer.publicKeys()).jwks.keys.map((key) => key.kid)).toContain(kid)
  expect(await act('secrets.rotate'), 'again, for a crash in between').toEqual({
    sealed: 4 + secretPurposes.length,
    lost: 0,
  })
})

test('what a destroyed version has sealed is made anew, and claims work again', async () => {
  expect(await claim()).toBe('leased')
  const before = await t.control.signer.describe()
  newest = 2
  enabled = new Set([2])
  t.clock.advance(61_000)
  await expect(claim()).rejects.toMatchObject({ key: 'vault.unreadable' })
  expect(await counts()).toMatchObject({
    'signing key': [0, 2],
    'secret of the service': [0, secretPurposes.length],
  })
  // No authority is set here, so no certificate is ordered.
  expect(await act('secrets.renew', { reason: 'a version was destroyed' })).toEqual({
    signingKeys: 2,
    secrets: secretPurposes.length,
    certificates: 0,
  })
  expect(await claim()).toBe('leased')
  const after = await t.control.signer.describe()
  expect(after.filter(({ kid }) => before.some((old) => old.kid === kid))).toEqual([])
  expect((await serviceSecret(t.control, 'domains')).reveal()).not.toBe('')
  expect(await counts()).toMatchObject({ 'signing key': [2, 0], 'secret of the service': [1, 0] })
})

test('what can be opened is not made anew, and a reason is needed', async () => {
  const before = await t.control.signer.describe()
  await expect(act('secrets.renew')).rejects.toMatchObject({ key: 'operator.input' })
  expect(await act('secrets.renew', { reason: 'a drill' })).toEqual({
    signingKeys: 0,
    secrets: 0,
    certificates: 0,
  })
  expect(await t.control.signer.describe()).toEqual(before)
})

test('a vault that does not answer is not taken for one that lost its key', async () => {
  vi.spyOn(t.control.vault, 'unwrap').mockRejectedValue(fail('cloud.unavailable'))
  await expect(act('secrets.renew', { reason: 'a drill' })).rejects.toMatchObject({
    key: 'cloud.unavailable',
  })
})
