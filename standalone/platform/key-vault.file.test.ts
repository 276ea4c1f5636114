import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Secret } from '@porttunneler/shared/base/secret'
import { expectFailure } from '@porttunneler/shared/testing/store.contract'
import { afterAll, expect, test } from 'vitest'
import { openFileKeyVault } from './key-vault.file.ts'

const folder = mkdtempSync(join(tmpdir(), 'ptun-vault-'))
afterAll(() => rmSync(folder, { recursive: true }))

test('vault: a wrapped key can be unwrapped after a restart, and no two wraps look alike', async () => {
  const path = join(folder, 'restart.key')
  const plain = new Secret('{"kty":"OKP","d":"ü"}')
  const first = openFileKeyVault(path)
  const wraps = [await first.wrap(plain), await first.wrap(plain)]
  expect(new Set(wraps).size).toBe(2)
  expect(wraps.join()).not.toContain('OKP')
  const again = openFileKeyVault(path)
  for (const wrapped of wraps) expect((await again.unwrap(wrapped)).reveal()).toBe(plain.reveal())
})

test('vault: only its owner can read the key file, even if somebody widened its mode', () => {
  const path = join(folder, 'mode.key')
  openFileKeyVault(path)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  chmodSync(path, 0o644)
  openFileKeyVault(path)
  expect(statSync(path).mode & 0o777).toBe(0o600)
})

test('vault: another key, a changed byte or a cut makes a wrapped key unreadable, never wrong', async () => {
  const vault = openFileKeyVault(join(folder, 'one.key'))
  const other = openFileKeyVault(join(folder, 'two.key'))
  const wrapped = await vault.wrap(new Secret('plain'))
  await expectFailure(other.unwrap(wrapped), 'vault.unreadable')
  const parts = wrapped.split('.')
  for (const at of [1, 2, 3]) {
    const bytes = Buffer.from(parts[at] ?? '', 'base64url')
    for (let byte = 0; byte < bytes.length; byte++) {
      const changed = Buffer.from(bytes)
      changed.writeUInt8(bytes.readUInt8(byte) ^ 1, byte)
      const forged = parts.with(at, changed.toString('base64url')).join('.')
      await expectFailure(vault.unwrap(forged), 'vault.unreadable')
    }
  }
  for (let end = 0; end < wrapped.length; end++)
    await expectFailure(vault.unwrap(wrapped.slice(0, end)), 'vault.unreadable')
})

test('vault: a damaged key file stops the start and is left unchanged', () => {
  const path = join(folder, 'damaged.key')
  writeFileSync(path, 'oops')
  expect(() => openFileKeyVault(path)).toThrow(/PT-0022/)
  expect(readFileSync(path, 'utf8')).toBe('oops')
  expect(() => openFileKeyVault(join(folder, 'missing', 'x.key'))).toThrow(/PT-5105/)
})
