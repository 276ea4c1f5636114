/**
 * Makes the self-signed certificate of a relay without one: P-256, for TLS servers, valid for the requested names. It
 * is loaded only then: the library takes 10 MB, and a relay keeps its certificate for two years.
 */
// The x509 package resolves its parts by reflection, and complains when this is not loaded before it.
import 'reflect-metadata'
import { KeyObject, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'
import { Secret } from '@porttunneler/shared/base/secret'

const dayMs = 86_400_000
/** Agents pin it, so it may live long; clients refuse server certificates with more than 825 days. */
const lifeMs = 800 * dayMs
/** The limit of X.520. Nobody compares the name, only its alternatives. */
const commonNameMax = 64

/** It is valid from a day before `nowMs`, for clocks that are behind. @returns both in PEM */
export async function makeSelfSigned(
  names: readonly string[],
  nowMs: number,
): Promise<{ readonly certificate: string; readonly key: Secret }> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const made = await X509CertificateGenerator.createSelfSigned(
    {
      name: [{ CN: [(names[0] ?? 'relay').slice(0, commonNameMax)] }],
      notBefore: new Date(nowMs - dayMs),
      notAfter: new Date(nowMs + lifeMs),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
        new SubjectAlternativeNameExtension(
          names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
        ),
      ],
    },
    webcrypto,
  )
  const key = KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' })
  return { certificate: `${made.toString('pem')}\n`, key: new Secret(String(key)) }
}
