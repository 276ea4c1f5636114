/**
 * Idempotency keys (docs.stripe.com/api/idempotent_requests): the first answer is kept for a day, whatever it was,
 * unless the request was refused before anything began. The same key with another request is an error.
 */
import { createHash } from 'node:crypto'
import { Refusal } from './refusal.ts'

export type Answer = { readonly status: number; readonly body: object }
type Kept = {
  readonly request: string
  readonly at: number
  answer: Answer | undefined
  readonly original: string
}

/** Stripe forgets them after 24 hours; a moment earlier or later is nobody's to rely on. */
const keptFor = 24 * 3_600

export class KeptAnswers {
  readonly #kept = new Map<string, Kept>()

  /**
   * @param request everything that makes the request
   * @returns what was answered before, or undefined: do it, then call `settle`
   * @throws Refusal 400 for another request, 409 while the first still runs
   */
  claim(key: string, request: string, { now, id }: { now: number; id: string }): Kept | undefined {
    if (key.length > 255) throw idempotency(400, 'Idempotency-Key may have 255 characters')
    const digest = createHash('sha256').update(request).digest('hex')
    const found = this.#kept.get(key)
    if (!found || found.at + keptFor <= now) {
      this.#kept.set(key, { request: digest, at: now, answer: undefined, original: id })
      return undefined
    }
    if (found.request !== digest)
      throw idempotency(
        400,
        `Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '${key}' if you meant to execute a different request.`,
      )
    if (!found.answer)
      throw idempotency(
        409,
        `There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, and the other request is still going through): ${key}. Please try again later.`,
        'idempotency_key_in_use',
      )
    return found
  }

  /** Keeps the answer; one that was refused before it began is forgotten, so that the key can be used again. */
  settle(key: string, answer: Answer, { isKept }: { isKept: boolean }): void {
    const found = this.#kept.get(key)
    if (!found) return
    if (isKept) found.answer = answer
    else this.#kept.delete(key)
  }
}

function idempotency(status: number, message: string, code?: string): Refusal {
  return new Refusal(status, { type: 'idempotency_error', message, ...(code !== undefined && { code }) })
}
