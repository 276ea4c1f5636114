/**
 * The credential of a relay on Google Compute Engine: an instance identity token, which the VM's metadata server makes
 * for any program on the VM. There is no secret to hand out or keep; the control plane checks Google's signature and
 * looks up the cell itself.
 */
import { fail } from '@porttunneler/shared/base/errors'
import type { Secret } from '@porttunneler/shared/base/secret'
import { z } from 'zod'
import type { Bearer } from './credential.ts'
import type { AskIdentity } from './platform/metadata.google.ts'
import type { ServerTime } from './server-time.ts'

/** Tokens are valid for an hour. The remaining time must cover a call, and clocks that differ by five minutes. */
const renewUnderMs = 600_000

const claimsSchema = z.object({ exp: z.int() })

export type GoogleCredentialOptions = {
  readonly ask: AskIdentity
  /** The `aud` that the control plane expects: its own address as relays call it. */
  readonly audience: string
  readonly time: Pick<ServerTime, 'now'>
}

/** Asks for a token once an hour. A token that is still valid bridges an outage of the metadata server. */
export function googleCredential({ ask, audience, time }: GoogleCredentialOptions): Bearer {
  let kept: { readonly token: Secret; readonly expiresMs: number } | undefined
  return async (signal) => {
    const leftMs = (kept?.expiresMs ?? 0) - time.now()
    if (kept !== undefined && leftMs > renewUnderMs) return kept.token
    try {
      const token = await ask(audience, signal)
      kept = { token, expiresMs: expiryOf(token) }
      return token
    } catch (error) {
      if (kept !== undefined && leftMs > 0) return kept.token
      throw error
    }
  }
}

/** The control plane checks the signature. @throws relay.metadata */
function expiryOf(token: Secret): number {
  const payload = token.reveal().split('.')[1] ?? ''
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString())
    return claimsSchema.parse(claims).exp * 1_000
  } catch {
    // The cause is left out because it might quote the token.
    throw fail('relay.metadata', 'What it returned is no token')
  }
}
