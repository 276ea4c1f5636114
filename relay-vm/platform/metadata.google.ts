/**
 * The metadata server of a Google Compute Engine VM. A relay asks it for a token that says which VM this is, and for
 * one to write its log by. Nothing here runs unless its configuration says `google`, because other machines must not
 * be asked at a link-local address. It uses node:http and never a proxy.
 */

import { request } from 'node:http'
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { readText } from '@porttunneler/shared/base/read-text'
import { Secret } from '@porttunneler/shared/base/secret'
import { sayNetworkError } from '@porttunneler/shared/base/system-errors'
import { z } from 'zod'

const metadataOrigin = 'http://169.254.169.254'
const flavor = 'Google'
/** The server answers within milliseconds, or within a second while the VM starts. */
const askMs = 5_000
const tokenBytesMax = 16_384

/** A token for `audience` that also names project, zone and instance. @throws relay.metadata */
export type AskIdentity = (audience: string, signal: AbortSignal) => Promise<Secret>

/** A token by which this VM calls Google's interfaces as its service account. @throws relay.metadata */
export type AskAccess = (signal: AbortSignal) => Promise<Secret>

const accessSchema = z.object({ access_token: z.string().min(1), expires_in: z.number() })
/** A token this close to its end is not used any more. */
const accessMarginMs = 120_000

/** Asks once for each token, which lasts an hour. */
export function instanceAccess(clock: Pick<Clock, 'monotonic'>, origin = metadataOrigin): AskAccess {
  let kept: { readonly token: Secret; readonly until: number } | undefined
  return async (signal) => {
    const now = clock.monotonic()
    if (kept && now < kept.until) return kept.token
    const url = new URL('/computeMetadata/v1/instance/service-accounts/default/token', origin)
    try {
      const text = await ask(url, AbortSignal.any([signal, AbortSignal.timeout(askMs)]))
      const { access_token, expires_in } = accessSchema.parse(JSON.parse(text))
      kept = { token: new Secret(access_token), until: now + expires_in * 1_000 - accessMarginMs }
      return kept.token
    } catch (cause) {
      if (isFailure(cause)) throw cause
      throw fail('relay.metadata', `It gave no token${sayNetworkError(cause)}`, { cause })
    }
  }
}

export function instanceIdentity(origin = metadataOrigin): AskIdentity {
  return async (audience, signal) => {
    const url = new URL('/computeMetadata/v1/instance/service-accounts/default/identity', origin)
    url.search = new URLSearchParams({ audience, format: 'full' }).toString()
    try {
      return new Secret(await ask(url, AbortSignal.any([signal, AbortSignal.timeout(askMs)])))
    } catch (cause) {
      if (isFailure(cause)) throw cause
      throw fail('relay.metadata', `It gave no answer${sayNetworkError(cause)}`, { cause })
    }
  }
}

function ask(url: URL, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'metadata-flavor': flavor }
    const asked = request(url, { headers, signal, agent: false }, (response) => {
      const { statusCode, headers: answered } = response
      // Any other server at that address does not send this header.
      if (statusCode !== 200 || answered['metadata-flavor'] !== flavor) {
        response.destroy()
        reject(fail('relay.metadata', `It answered ${statusCode}`))
        return
      }
      readText(response, tokenBytesMax).then((text) => resolve(text.trim()), reject)
    })
    asked.on('error', reject)
    asked.end()
  })
}
