import { systemClock } from '@porttunneler/shared/base/clock'
import { Secret } from '@porttunneler/shared/base/secret'
import { expectFailure } from '@porttunneler/shared/testing/store.contract'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type FakeGoogleCloud, kmsKey, naiveCrc32c, startGoogleCloud } from '../testing/google-cloud.ts'
import { crc32c } from './crc32c.ts'
import { openGoogleRest } from './google-rest.ts'
import { openKmsKeyVault } from './key-vault.kms.ts'

const key = new Secret('{"kty":"OKP","d":"prívate"}')

describe('key vault by Cloud KMS', () => {
  let cloud: FakeGoogleCloud
  beforeEach(async () => {
    cloud = await startGoogleCloud()
  })
  afterEach(() => cloud.close())

  /** Like a process that just started. */
  const openVault = (changes: { key?: string } = {}) =>
    openKmsKeyVault({
      rest: openGoogleRest({ clock: systemClock, metadataUrl: cloud.url }),
      key: kmsKey,
      kmsUrl: cloud.url,
      ...changes,
    })
  const decrypts = () => cloud.calls.filter((path) => path.endsWith(':decrypt')).length

  test('one process can unwrap what another wrapped; the wrapped form shows nothing', async () => {
    const wrapped = await openVault().wrap(key)
    expect(wrapped).toMatch(/^kms1\.[\w-]+$/)
    expect(Buffer.from(wrapped.slice(5), 'base64url').toString('latin1')).not.toContain('OKP')
    expect((await openVault().unwrap(wrapped)).reveal()).toBe(key.reveal())
  })

  test('each process unwraps a key once, however many ask at its start', async () => {
    const vault = openVault()
    const wrapped = await vault.wrap(key)
    await Promise.all([vault.unwrap(wrapped), vault.unwrap(wrapped), vault.unwrap(wrapped)])
    await vault.unwrap(wrapped)
    expect(decrypts()).toBe(1)
    expect(cloud.calls.filter((path) => path.endsWith('/token'))).toHaveLength(1)
  })

  test('one temporary failure is not noticed; two are reported, and the next call starts afresh', async () => {
    const vault = openVault()
    const wrapped = await vault.wrap(key)
    cloud.mishaps.push(503)
    await vault.unwrap(wrapped)
    const other = openVault()
    cloud.mishaps.push('cut', 429)
    await expectFailure(other.unwrap(wrapped), 'cloud.unavailable')
    expect((await other.unwrap(wrapped)).reveal()).toBe(key.reveal())
  })

  test('an access token that ended early is replaced', async () => {
    const vault = openVault()
    await vault.wrap(key)
    cloud.expireTokens()
    await expect(vault.wrap(key)).resolves.toMatch(/^kms1\./)
  })

  test('a message changed on its way is neither stored nor used', async () => {
    const vault = openVault()
    cloud.mishaps.push('damage')
    await expectFailure(vault.wrap(key), 'cloud.unavailable')
    const wrapped = await vault.wrap(key)
    cloud.mishaps.push('damage')
    await expectFailure(vault.unwrap(wrapped), 'cloud.unavailable')
  })

  test('a text that this key did not make is unreadable, and a forbidden key is refused', async () => {
    const vault = openVault()
    const wrapped = await vault.wrap(key)
    const last = wrapped.endsWith('A') ? 'Q' : 'A'
    for (const wrong of ['', 'v1.a.b.c', 'kms1.', 'kms1.AAAA', `${wrapped.slice(0, -6)}AAAAA${last}`])
      await expectFailure(vault.unwrap(wrong), 'vault.unreadable')
    await expectFailure(openVault({ key: `${kmsKey}2` }).wrap(key), 'cloud.refused')
    cloud.mishaps.push(403)
    await expectFailure(vault.unwrap(wrapped), 'cloud.refused')
  })
})

describe('crc32c', () => {
  test('agrees with the published vectors and with its slow twin', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa)
    for (let length = 0; length < 40; length++) {
      const bytes = Uint8Array.from({ length }, (_, index) => (index * 37 + length) & 0xff)
      expect(`${crc32c(bytes)}`).toBe(naiveCrc32c(bytes))
    }
  })
})
