/**
 * The control plane over HTTPS: enrolment and `sync`. Answers are checked by the schemas of the API; nothing else of
 * the relay speaks HTTP outwards.
 */
import {
  enrolledSchema,
  type SyncAnswer,
  type SyncRequest,
  syncAnswerSchema,
} from '@porttunneler/shared/api/schemas/relays'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import type { Secret } from '@porttunneler/shared/base/secret'
import type { z } from 'zod'

/** One call, name lookup and answer included: a slow control plane must not delay the next report for long. */
const callMs = 15_000
/** A full answer: keys, and a ticket lifetime of commands. */
const answerBytesMax = 16 * 1024 * 1024

export type Enrolled = z.infer<typeof enrolledSchema>

/** Both calls fail with `relay.enrolment` (refused, do not repeat) or `relay.control` (try again). */
export interface Control {
  enrol(request: { readonly key: Secret; readonly name: string }, signal: AbortSignal): Promise<Enrolled>
  sync(request: SyncRequest, credential: Secret, signal: AbortSignal): Promise<SyncAnswer>
}

export function httpControl(controlUrl: string): Control {
  return {
    enrol: ({ key, name }, signal) =>
      post(
        new URL('/v1/relays/enrol', controlUrl),
        { key: key.reveal(), name },
        { schema: enrolledSchema, signal },
      ),
    sync: (request, credential, signal) =>
      post(new URL('/v1/relays/sync', controlUrl), request, { schema: syncAnswerSchema, signal, credential }),
  }
}

async function post<T>(
  url: URL,
  body: unknown,
  { schema, signal, credential }: { schema: z.ZodType<T>; signal: AbortSignal; credential?: Secret },
): Promise<T> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      redirect: 'error',
      headers: {
        'content-type': 'application/json',
        ...(credential === undefined ? {} : { authorization: `Bearer ${credential.reveal()}` }),
      },
      body: JSON.stringify(body),
      signal: AbortSignal.any([signal, AbortSignal.timeout(callMs)]),
    })
    const text = await readText(response)
    if (!response.ok) throw refusal(response.status, text)
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    if (isFailure(cause)) throw cause
    throw fail('relay.control', `${url.pathname} gave no usable answer`, { cause })
  }
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body ?? []) {
    length += chunk.byteLength
    if (length > answerBytesMax) throw fail('relay.control', 'The answer is longer than any answer should be')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Wrong or revoked keys are for an operator to mend; everything else may pass. */
function refusal(status: number, text: string) {
  const key = status === 401 || status === 403 ? 'relay.enrolment' : 'relay.control'
  return fail(key, `The control plane answered ${status}`, { fields: { status, answer: text.slice(0, 500) } })
}
