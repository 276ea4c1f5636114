import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readIdentity, selfSignedIdentity } from './certificate.ts'

const nowMs = Date.UTC(2026, 5, 1)
const dayMs = 86_400_000
const names = ['r1.relay.localhost', '*.localhost', '127.0.0.1']
let tlsDir: string

beforeEach(async () => {
  tlsDir = await mkdtemp(join(tmpdir(), 'ptun-cert-'))
})
afterEach(() => rm(tlsDir, { recursive: true }))

describe('certificate', () => {
  test('a self-signed identity is kept over restarts, and only the owner can read its key', async () => {
    const first = await selfSignedIdentity(tlsDir, { names, nowMs })
    const second = await selfSignedIdentity(tlsDir, { names, nowMs: nowMs + dayMs })
    expect(second.certificate).toBe(first.certificate)
    expect(second.key.reveal()).toBe(first.key.reveal())
    expect((await stat(join(tlsDir, 'relay.key'))).mode & 0o777).toBe(0o600)
  })

  test('an identity made while the clock was years ahead is made anew', async () => {
    const first = await selfSignedIdentity(tlsDir, { names, nowMs: nowMs + 20 * 365 * dayMs })
    const second = await selfSignedIdentity(tlsDir, { names, nowMs })
    expect(second.certificate).not.toBe(first.certificate)
  })

  test('other names, an early expiry or a spoilt file lead to a fresh one', async () => {
    const first = await selfSignedIdentity(tlsDir, { names, nowMs })
    const renamed = await selfSignedIdentity(tlsDir, { names: ['r2.localhost'], nowMs })
    expect(renamed.certificate).not.toBe(first.certificate)
    const renewed = await selfSignedIdentity(tlsDir, { names: ['r2.localhost'], nowMs: nowMs + 750 * dayMs })
    expect(renewed.certificate).not.toBe(renamed.certificate)
    await writeFile(join(tlsDir, 'relay.crt'), 'spoilt')
    const mended = await selfSignedIdentity(tlsDir, { names: ['r2.localhost'], nowMs: nowMs + 750 * dayMs })
    expect(mended.certificate).toContain('BEGIN CERTIFICATE')
  })

  test('PEM files are used as they are; a key of another certificate is refused', async () => {
    const made = await selfSignedIdentity(tlsDir, { names, nowMs })
    const certFile = join(tlsDir, 'relay.crt')
    const keyFile = join(tlsDir, 'relay.key')
    const read = await readIdentity({ certFile, keyFile })
    expect(read).toMatchObject({ certificate: made.certificate, isSelfSigned: true })
    const oldKey = await readFile(keyFile)
    await selfSignedIdentity(tlsDir, { names: ['other.localhost'], nowMs })
    await writeFile(keyFile, oldKey)
    await expect(readIdentity({ certFile, keyFile })).rejects.toMatchObject({ key: 'relay.certificate' })
    await expect(readIdentity({ certFile: 'nowhere.crt', keyFile })).rejects.toMatchObject({
      key: 'relay.certificate',
    })
  })
})
