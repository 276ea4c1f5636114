/** Gives one order to a load generator. */
import type { ChildProcess } from 'node:child_process'
import { nextMessage } from './processes.ts'
import { type Job, type Outcome, replySchema, type Target } from './scenarios.ts'

/** @throws the error of the load generator */
export async function order(
  load: ChildProcess,
  what: { readonly job: Job; readonly target: Target },
): Promise<Outcome> {
  load.send(what)
  const reply = replySchema.parse(await nextMessage(load))
  if ('error' in reply) throw new Error(reply.error)
  return reply.outcome
}
