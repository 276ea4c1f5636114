/**
 * Sends a text to an address that a stranger chose, by HTTPS, and to the public internet alone. The name is resolved
 * once and the connection goes to what was checked, so a name that changes its mind in between leads nowhere else. No
 * redirect is followed, the whole of it has a deadline, and no more of the answer is read than is shown.
 */
import { lookup } from 'node:dns/promises'
import type { IncomingMessage } from 'node:http'
import { type RequestOptions, request } from 'node:https'
import { isIP } from 'node:net'
import { fail, isFailure } from '../base/errors.ts'
import { isPublicAddress } from '../base/public-addresses.ts'
import { readText } from '../base/read-text.ts'
import type { PostPublic } from '../control/platform.ts'

const deadlineMs = 15_000
/** Longer answers say nothing more to whoever looks for the fault. */
const answerBytesMax = 4 * 1024

type Options = {
  /** Default: addresses of the public internet. */
  readonly mayReach?: (address: string) => boolean
  /** For tests: a certificate of their own, and names that are in no DNS. */
  readonly ca?: string
  readonly resolve?: (host: string) => Promise<readonly { address: string; family: number }[]>
}

export function openPublicPost({
  mayReach = isPublicAddress,
  ca,
  resolve = (host) => lookup(host, { all: true }),
}: Options = {}): PostPublic {
  return async ({ url, headers, body }, signal) => {
    const { hostname } = new URL(url)
    const host = hostname.replace(/^\[|\]$/g, '')
    const until = AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)])
    try {
      const found = isIP(host) ? [{ address: host, family: isIP(host) }] : await within(resolve(host), until)
      // One private address among public ones is how a name is turned against its resolver.
      const [chosen] = found
      if (!chosen || !found.every(({ address }) => mayReach(address))) throw fail('webhook.address')
      return await post(url, { headers, body, chosen, signal: until, ...(ca !== undefined && { ca }) })
    } catch (error) {
      if (isFailure(error)) throw error
      throw fail('webhook.failed', reasonOf(error, until), { cause: error })
    }
  }
}

type Post = {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly chosen: { readonly address: string; readonly family: number }
  readonly signal: AbortSignal
  readonly ca?: string
}

function post(
  url: string,
  { headers, body, chosen, signal, ca }: Post,
): Promise<{ status: number; text: string }> {
  const options: RequestOptions = {
    method: 'POST',
    headers: { ...headers, 'content-length': Buffer.byteLength(body) },
    // A connection of its own: nothing of it stays behind.
    agent: false,
    signal,
    lookup: (_, asked, done) => {
      if (asked.all) done(null, [{ ...chosen }])
      else done(null, chosen.address, chosen.family)
    },
    ...(ca !== undefined && { ca }),
  }
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>()
  const sent = request(url, options, (answer) => {
    // What happens to the rest of the answer is no failure: its status is here.
    sent.off('error', reject).on('error', () => {})
    read(answer).then(
      (text) => resolve({ status: answer.statusCode ?? 0, text }),
      // What is too long or breaks off: the status is what counts.
      () => resolve({ status: answer.statusCode ?? 0, text: '' }),
    )
  })
  sent.on('error', reject)
  sent.end(body)
  return promise
}

async function read(answer: IncomingMessage): Promise<string> {
  try {
    return await readText(answer, answerBytesMax)
  } finally {
    answer.destroy()
  }
}

async function within<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const onAbort = () => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    signal.throwIfAborted()
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** In words that tell its owner what to mend. */
function reasonOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return `It did not answer within ${deadlineMs / 1_000} s.`
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  switch (code) {
    case 'ENOTFOUND':
    case 'ENODATA':
      return 'Its name is not in the DNS.'
    case 'ECONNREFUSED':
      return 'Nothing listens at its address.'
    case 'ECONNRESET':
      return 'It closed the connection before it answered.'
    default:
      return /CERT|SIGN|VERIFY|TLS|SSL/.test(code)
        ? `Its certificate is not valid (${code}).`
        : `It cannot be reached${code === '' ? '' : ` (${code})`}.`
  }
}
