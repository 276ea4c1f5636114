/**
 * KeyVault on one machine: AES-256-GCM under a master key in a 0600 file, made at the first start. A copy of only the
 * database (a backup, a support dump) has no usable signing key. Wrapped form: `v1.<nonce>.<tag>.<ciphertext>`,
 * base64url.
 */

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { chmodSync, existsSync, linkSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { fail } from '@porttunneler/shared/base/errors'
import { Secret } from '@porttunneler/shared/base/secret'
import { sayFileError } from '@porttunneler/shared/base/system-errors'
import type { KeyVault } from '@porttunneler/shared/control/platform'

const algorithm = 'aes-256-gcm'
const keyBytes = 32
const nonceBytes = 12

/** @throws vault.unreadable when the file is there and is no key; standalone.folder when it cannot be made or read */
export function openFileKeyVault(path: string): KeyVault {
  const key = loadKey(path)
  return {
    async wrap(plain) {
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv(algorithm, key, nonce)
      const sealed = Buffer.concat([cipher.update(plain.reveal(), 'utf8'), cipher.final()])
      const parts = [nonce, cipher.getAuthTag(), sealed].map((part) => part.toString('base64url'))
      return ['v1', ...parts].join('.')
    },
    async unwrap(wrapped) {
      try {
        const [version, ...parts] = wrapped.split('.')
        const [nonce, tag, sealed] = parts.map((part) => Buffer.from(part, 'base64url'))
        if (version !== 'v1' || !nonce || !tag || !sealed) throw new Error('not a wrapped key')
        const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: 16 })
        decipher.setAuthTag(tag)
        return new Secret(Buffer.concat([decipher.update(sealed), decipher.final()]).toString('utf8'))
      } catch (cause) {
        throw fail('vault.unreadable', undefined, { cause })
      }
    },
  }
}

function loadKey(path: string): Buffer {
  if (!existsSync(path)) makeKey(path)
  const key = Buffer.from(readKey(path).trim(), 'base64')
  if (key.length !== keyBytes)
    throw fail('vault.unreadable', `${path} does not hold a key of ${keyBytes} bytes`)
  if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600)
  return key
}

function readKey(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw fail('standalone.folder', `${path} cannot be read${sayFileError(cause)}`, { cause })
  }
}

/** Whole or not at all, and never over a key that another process just made: link() refuses what exists. */
function makeKey(path: string): void {
  const temporary = `${path}.${process.pid}`
  try {
    writeFileSync(temporary, `${randomBytes(keyBytes).toString('base64')}\n`, { mode: 0o600, flush: true })
    linkSync(temporary, path)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return
    throw fail('standalone.folder', `${path} cannot be made${sayFileError(cause)}`, { cause })
  } finally {
    rmSync(temporary, { force: true })
  }
}
