/** Asks Cloudflare for the networks from which its proxy reaches origins, as anybody may, without a token. */
import { z } from 'zod'
import { fail } from '../base/errors.ts'
import { readBody } from '../base/read-text.ts'
import type { AskNetworks } from '../control/platform.ts'

const deadlineMs = 15_000
const answerBytesMax = 64 * 1024
const networksMax = 500

const answerSchema = z.object({
  success: z.literal(true),
  result: z.object({
    ipv4_cidrs: z.array(z.cidrv4()).max(networksMax),
    ipv6_cidrs: z.array(z.cidrv6()).max(networksMax),
  }),
})

export function cloudflareAsker(baseUrl = 'https://api.cloudflare.com/client/v4'): AskNetworks {
  return async (signal) => {
    const until = AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)])
    let json: unknown
    try {
      const answer = await fetch(`${baseUrl}/ips`, { redirect: 'error', signal: until })
      const text = await readBody(answer, answerBytesMax)
      if (!answer.ok) throw new Error(`it answered ${answer.status}`)
      json = JSON.parse(text)
    } catch (cause) {
      throw fail('proxies.unavailable', undefined, { cause })
    }
    const read = answerSchema.safeParse(json)
    if (!read.success) throw fail('proxies.refused', 'It is of another form.', { cause: read.error })
    const { ipv4_cidrs, ipv6_cidrs } = read.data.result
    return [...ipv4_cidrs, ...ipv6_cidrs]
  }
}
