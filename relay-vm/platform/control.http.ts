/**
 * The control plane over HTTPS: enrolment and `sync`. Answers are checked by the schemas of the API. No other part of
 * the relay sends HTTP requests.
 */

import {
  enrolledSchema,
  type RelayCertificate,
  relayCertificatesSchema,
  type SyncAnswer,
  type SyncRequest,
  syncAnswerSchema,
} from '@porttunneler/shared/api/schemas/relays'
import { isOutOfTime, sayClock } from '@porttunneler/shared/base/certificate-time'
import { systemClock } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import type { Secret } from '@porttunneler/shared/base/secret'
import { sayNetworkError } from '@porttunneler/shared/base/system-errors'
import { z } from 'zod'
import { post } from './post.ts'

/** The limit of one call with name lookup and answer: a slow control plane must not delay the next report for long. */
const callMsMax = 15_000
/** Enough for a full answer: keys, and the commands of a ticket's lifetime. */
const answerBytesMax = 16 * 1024 * 1024

export type Enrolled = z.infer<typeof enrolledSchema>

/** Both calls fail with `relay.enrolment` (refused, do not repeat) or `relay.control` (try again). */
export interface Control {
  enrol(request: { readonly key: Secret; readonly name: string }, signal: AbortSignal): Promise<Enrolled>
  sync(request: SyncRequest, credential: Secret, signal: AbortSignal): Promise<SyncAnswer>
  /** undefined: this control plane orders no certificates. */
  certificates?(
    hosts: readonly string[],
    credential: Secret,
    signal: AbortSignal,
  ): Promise<readonly RelayCertificate[]>
}

/** @param callMs the limit of a whole call */
export function httpControl(controlUrl: string, { callMs = callMsMax } = {}): Control {
  return {
    enrol: ({ key, name }, signal) =>
      call(
        new URL('/v1/relays/enrol', controlUrl),
        { key: key.reveal(), name },
        { schema: enrolledSchema, signal, callMs },
      ),
    sync: (request, credential, signal) =>
      call(new URL('/v1/relays/sync', controlUrl), request, {
        schema: syncAnswerSchema,
        signal,
        callMs,
        credential,
      }),
    certificates: async (hosts, credential, signal) => {
      const url = new URL('/v1/relays/me/certificates', controlUrl)
      const options = { schema: relayCertificatesSchema, signal, callMs, credential }
      return (await call(url, { hosts }, options)).certificates
    },
  }
}

async function call<T>(
  url: URL,
  body: unknown,
  {
    schema,
    signal,
    callMs,
    credential,
  }: { schema: z.ZodType<T>; signal: AbortSignal; callMs: number; credential?: Secret },
): Promise<T> {
  try {
    const { status, text } = await post(url, body, {
      headers: credential === undefined ? {} : { authorization: `Bearer ${credential.reveal()}` },
      signal: AbortSignal.any([signal, AbortSignal.timeout(callMs)]),
      answerBytesMax,
    })
    if (status < 200 || status > 299) throw refusal(status, text)
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    if (isFailure(cause)) throw cause
    throw fail('relay.control', `${url.pathname} returned no usable answer${sayCause(cause)}`, { cause })
  }
}

function sayCause(cause: unknown): string {
  return isOutOfTime(cause) ? `: ${sayClock(systemClock.now())}` : sayNetworkError(cause)
}

/** An operator must fix wrong or revoked keys; everything else may pass by itself. */
function refusal(status: number, text: string) {
  const key = status === 401 || status === 403 ? 'relay.enrolment' : 'relay.control'
  const fields = { status, answer: text.slice(0, 500), ...requestIn(text) }
  return fail(key, `The control plane answered ${status}`, { fields })
}

const instanceSchema = z.object({ instance: z.string().max(64) })

/** A proxy in between may answer in any form. */
function requestIn(text: string): { requestId?: string } {
  try {
    return { requestId: instanceSchema.parse(JSON.parse(text)).instance }
  } catch {
    return {}
  }
}
