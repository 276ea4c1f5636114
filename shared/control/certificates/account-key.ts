/** The one key of our accounts at all issuers, and its thumbprint, with which every relay can answer every HTTP-01. */
import { createHash, generateKeyPairSync } from 'node:crypto'
import { calculateJwkThumbprint, type JWK } from 'jose'
import { Secret } from '../../base/secret.ts'
import type { Control } from '../control.ts'
import { serviceSecret } from '../service-secrets.ts'

/** A JWK as JSON. */
export function acmeKey(control: Pick<Control, 'store' | 'vault'>): Promise<Secret> {
  return serviceSecret(control, 'acme', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    return new Secret(JSON.stringify(privateKey.export({ format: 'jwk' })))
  })
}

export function thumbprintOf(key: Secret): Promise<string> {
  return calculateJwkThumbprint(JSON.parse(key.reveal()) as JWK)
}

/** The content of a DNS-01 challenge's TXT record (RFC 8555, section 8.4). */
export async function txtValue(key: Secret, token: string): Promise<string> {
  return createHash('sha256')
    .update(`${token}.${await thumbprintOf(key)}`)
    .digest('base64url')
}
