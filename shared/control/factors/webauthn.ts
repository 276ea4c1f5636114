/**
 * WebAuthn as this service uses it: what we ask of a browser, and whether its answer is right. The console's origin is
 * compared exactly: pages of tunnels live on names under ours, and a browser lets them ask for our passkeys
 * (WebAuthn level 3, section 13.4.9). Verified by @simplewebauthn/server, which is loaded by the first answer: it is
 * large, and most processes never see one.
 */

import type { Assertion, Attestation } from '../../api/schemas/factors.ts'
import { fail } from '../../base/errors.ts'
import { challengeMs } from './challenges.ts'
import type { PasskeyDoc } from './factor-documents.ts'

/** The site that passkeys belong to, from the address of the console. */
export type Site = { readonly rpId: string; readonly origin: string }

export function siteOf({ consoleUrl }: { readonly consoleUrl: string }): Site {
  const { hostname, origin } = new URL(consoleUrl)
  return { rpId: hostname, origin }
}

/** COSE: ES256, EdDSA, RS256: what platforms and keys of the last years make. */
const algorithms = [-7, -8, -257]

/** For `navigator.credentials.create`. */
export function creationOptions(
  { rpId }: Site,
  {
    challenge,
    user,
    email,
    known,
  }: {
    readonly challenge: string
    readonly user: string
    readonly email: string
    readonly known: readonly Pick<PasskeyDoc, 'credential' | 'transports'>[]
  },
) {
  return {
    challenge,
    rp: { id: rpId, name: 'PortTunneler' },
    user: { id: handleOf(user), name: email, displayName: email },
    pubKeyCredParams: algorithms.map((alg) => ({ alg, type: 'public-key' as const })),
    timeout: challengeMs,
    attestation: 'none' as const,
    excludeCredentials: known.map(describeCredential),
    authenticatorSelection: { residentKey: 'preferred' as const, userVerification: 'preferred' as const },
  }
}

/** For `navigator.credentials.get`. @param known none: the browser offers every passkey that it has for this site */
export function requestOptions(
  { rpId }: Site,
  {
    challenge,
    known,
  }: {
    readonly challenge: string
    readonly known: readonly Pick<PasskeyDoc, 'credential' | 'transports'>[]
  },
) {
  return {
    challenge,
    rpId,
    timeout: challengeMs,
    allowCredentials: known.map(describeCredential),
    // Where a password came first, a key without PIN or fingerprint is enough.
    userVerification: known.length === 0 ? ('required' as const) : ('preferred' as const),
  }
}

function describeCredential({ credential, transports }: Pick<PasskeyDoc, 'credential' | 'transports'>) {
  return { id: credential, type: 'public-key' as const, transports: [...transports] }
}

/** What a passkey keeps of the person: our id, which says nothing about them. */
export function handleOf(user: string): string {
  return Buffer.from(user).toString('base64url')
}

type NewPasskey = Pick<PasskeyDoc, 'credential' | 'publicKey' | 'counter' | 'transports' | 'isBackedUp'>

/** @param expected the challenge, which was checked already. @throws factor.wrong */
export async function readAttestation(
  site: Site,
  attestation: Attestation,
  expected: string,
): Promise<NewPasskey> {
  const { verifyRegistrationResponse } = await import('@simplewebauthn/server')
  const { registrationInfo } = await orWrong(() =>
    verifyRegistrationResponse({
      response: { ...attestation, clientExtensionResults: {} } as never,
      expectedChallenge: expected,
      expectedOrigin: site.origin,
      expectedRPID: site.rpId,
      requireUserVerification: false,
      supportedAlgorithmIDs: algorithms,
    }),
  )
  if (!registrationInfo) throw fail('factor.wrong')
  const { credential, credentialBackedUp } = registrationInfo
  return {
    credential: credential.id,
    publicKey: Buffer.from(credential.publicKey).toString('base64url'),
    counter: credential.counter,
    transports: attestation.response.transports ?? [],
    isBackedUp: credentialBackedUp,
  }
}

export type Shown = {
  readonly counter: number
  readonly isBackedUp: boolean
  /** The authenticator has seen PIN, finger or face: the passkey is both factors. */
  readonly isVerified: boolean
}

/** Leaves the counter to `recordUse`. @throws factor.wrong */
export async function readAssertion(
  site: Site,
  assertion: Assertion,
  { passkey, expected }: { readonly passkey: PasskeyDoc; readonly expected: string },
): Promise<Shown> {
  const { verifyAuthenticationResponse } = await import('@simplewebauthn/server')
  const { id, response } = assertion
  const { verified, authenticationInfo } = await orWrong(() =>
    verifyAuthenticationResponse({
      response: { id, rawId: id, type: 'public-key', response, clientExtensionResults: {} } as never,
      expectedChallenge: expected,
      expectedOrigin: site.origin,
      expectedRPID: site.rpId,
      requireUserVerification: false,
      // Compared later, in the write, where a clone has its own code.
      credential: {
        id: passkey.credential,
        publicKey: new Uint8Array(Buffer.from(passkey.publicKey, 'base64url')),
        counter: -1,
      },
    }),
  )
  if (!verified) throw fail('factor.wrong')
  const { newCounter, credentialBackedUp, userVerified } = authenticationInfo
  return { counter: newCounter, isBackedUp: credentialBackedUp, isVerified: userVerified }
}

/**
 * Passkeys without a counter always say 0 (WebAuthn, section 6.1.1).
 * @throws factor.cloned
 */
export function requireRising(next: number, before: number): void {
  if ((next > 0 || before > 0) && next <= before) throw fail('factor.cloned')
}

/** The challenge inside an answer, before anything about it is believed; '' if there is none. */
export function challengeIn(clientDataJSON: string): string {
  try {
    const told: unknown = JSON.parse(Buffer.from(clientDataJSON, 'base64url').toString())
    const found = typeof told === 'object' && told !== null && 'challenge' in told ? told.challenge : ''
    return typeof found === 'string' ? found : ''
  } catch {
    return ''
  }
}

/** The library throws plain errors for wrong answers; their text is for a log, not for strangers. */
async function orWrong<T>(verify: () => Promise<T>): Promise<T> {
  try {
    return await verify()
  } catch (cause) {
    throw fail('factor.wrong', undefined, { cause })
  }
}
