/**
 * How this relay proves itself to the control plane: it enrols once with a one-time key, then uses a credential in a
 * 0600 file.
 */
import { join } from 'node:path'
import { backoffMs, redialBackoff } from '@porttunneler/shared/base/backoff'
import { type Clock, sleep } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import type { Log } from '@porttunneler/shared/base/log'
import { Secret } from '@porttunneler/shared/base/secret'
import { z } from 'zod'
import { readJson, writeText } from './files.ts'
import type { Control, Enrolled } from './platform/control.http.ts'

/** The proof that a relay sends with a call. It is asked for each call, because some proofs expire. */
export type Bearer = (signal: AbortSignal) => Promise<Secret>

const fileSchema = z.strictObject({ relay: z.string(), cell: z.string(), credential: z.string().min(1) })

/** The credential of an earlier start; undefined before enrolment. @throws relay.data */
export async function readCredential(dataDir: string): Promise<Secret | undefined> {
  const kept = await readJson(pathOf(dataDir), fileSchema)
  return kept === undefined ? undefined : new Secret(kept.credential)
}

export type EnrolOptions = {
  readonly control: Control
  readonly dataDir: string
  readonly name: string
  readonly key: Secret | undefined
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
  readonly signal: AbortSignal
}

/**
 * Enrols the relay with its one-time key and keeps the credential. If the control plane is away it waits, because a
 * relay that never enrolled has nothing to serve.
 * @throws relay.enrolment when there is no key or it is refused, relay.data
 */
export async function enrol(options: EnrolOptions): Promise<Secret> {
  const { dataDir, key, name, clock, log, signal } = options
  if (key === undefined) throw fail('relay.enrolment', 'There is neither a credential nor an enrolment key')
  for (let attempt = 0; ; attempt += 1) {
    try {
      const enrolled = await options.control.enrol({ key, name }, signal)
      await writeText(pathOf(dataDir), JSON.stringify(keptOf(enrolled)))
      return new Secret(enrolled.credential)
    } catch (error) {
      if (signal.aborted || !isFailure(error, 'relay.control')) throw error
      log.warn({ attempt, error }, 'Enrolment waits for the control plane')
      await sleep(clock, backoffMs(redialBackoff, attempt, options.random), signal)
    }
  }
}

function pathOf(dataDir: string): string {
  return join(dataDir, 'credential.json')
}

function keptOf({ relay, cell, credential }: Enrolled): z.infer<typeof fileSchema> {
  return { relay, cell, credential }
}
