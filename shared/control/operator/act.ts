/**
 * What an operator does, as data: a name, the shape of what is said with it, and the function. `ptunctl` sends a name
 * and an input; whoever holds the control plane (a running server, or ptunctl itself) runs it.
 */
import { z } from 'zod'
import { fail } from '../../base/errors.ts'
import { type AuditEntry, writeAudit } from '../audit.ts'
import type { Control } from '../control.ts'
import type { Transaction } from '../platform.ts'
import type { EnrolledRelayIdentity } from '../relay-enrolment.ts'

/** Where operators work: the whole control plane, and enrolment of relays outside Google's. */
export type Office = { readonly control: Control; readonly enrolment: EnrolledRelayIdentity }

/** Who acts, as the audit names them. */
export type By = { readonly actor: `operator:${string}`; readonly from: ''; readonly reason?: string }

export type Act = (office: Office, input: unknown, by: By) => Promise<unknown>

/** Results are JSON: what a person or a script is shown. */
export function declareAct<S extends z.ZodType>(
  schema: S,
  run: (office: Office, input: z.infer<S>, by: By) => Promise<unknown>,
): Act {
  return async (office, input, by) => {
    const parsed = schema.safeParse(input)
    if (parsed.success) return run(office, parsed.data, by)
    const said = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'input'}: ${message}`)
    throw fail('operator.input', said.join('; '))
  }
}

/** An act that must say why: the reason stands in the audit. */
export const reasonSchema = z.string().trim().min(3, 'say why, in a few words').max(500)

export const cellIdSchema = z.string().regex(/^[a-z0-9-]{1,32}$/, 'small letters, digits and hyphens')

/** Commits with the change. Acts that concern no account have '' for it. */
export function writeAct(
  tx: Transaction,
  { actor, from, reason }: By,
  entry: Pick<AuditEntry, 'action' | 'target' | 'details'> & { readonly account?: string },
  nowMs: number,
): void {
  const details = { ...entry.details, ...(reason !== undefined && { reason }) }
  writeAudit(tx, { account: '', ...entry, actor, from, details }, nowMs)
}

/** For acts of many steps, each of which may be done again: said before the first. */
export async function noteAct(
  { store, clock }: Control,
  by: By,
  entry: Parameters<typeof writeAct>[2],
): Promise<void> {
  await store.transact(async (tx) => writeAct(tx, by, entry, clock.now()))
}
