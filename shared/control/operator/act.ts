/**
 * An operator's acts as data: a name, the schema of its input, and the function. `ptunctl` sends a name and an input;
 * the process that has the control plane (a running server, or ptunctl itself) runs it.
 */
import { z } from 'zod'
import { fail } from '../../base/errors.ts'
import { type AuditEntry, writeAudit } from '../audit.ts'
import type { Control } from '../control.ts'
import type { Transaction } from '../platform.ts'
import type { EnrolledRelayIdentity } from '../relay-enrolment.ts'

/**
 * How old the newest backup is, as whoever makes backups knows: the schedule of a standalone server, or Google. Times
 * are ms since 1970.
 */
export type BackupStatus = {
  /** Where they are kept. */
  readonly folder: string
  readonly kept: number
  /** The time between two. */
  readonly everyMs: number
  /** There is none yet when this is missing. */
  readonly newestAt?: number
  /** When the next one is planned, or was. */
  readonly dueAt: number
  /** Whether it is later than its schedule allows. */
  readonly isOverdue: boolean
  /** What the last try failed by. */
  readonly failure?: string
}

/** What acts work on: the whole control plane, and enrolment of relays outside Google's. */
export type Office = {
  readonly control: Control
  readonly enrolment: EnrolledRelayIdentity
  /** Missing where nobody knows of backups. */
  readonly backups?: () => Promise<BackupStatus | undefined>
}

/** Who acts, as the audit names them. */
export type By = { readonly actor: `operator:${string}`; readonly from: ''; readonly reason?: string }

export type Act = (office: Office, input: unknown, by: By) => Promise<unknown>

/** Results are JSON that is shown to a person or a script. */
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

/** For an act that needs a reason, which goes into the audit. */
export const reasonSchema = z.string().trim().min(3, 'say why, in a few words').max(500)

export const cellIdSchema = z.string().regex(/^[a-z0-9-]{1,32}$/, 'small letters, digits and hyphens')

/** Commits with the change. For acts that concern no account, it is ''. */
export function writeAct(
  tx: Transaction,
  { actor, from, reason }: By,
  entry: Pick<AuditEntry, 'action' | 'target' | 'details'> & { readonly account?: string },
  nowMs: number,
): void {
  const details = { ...entry.details, ...(reason !== undefined && { reason }) }
  writeAudit(tx, { account: '', ...entry, actor, from, details }, nowMs)
}

/** For acts of many steps that can be repeated: written before the first step. */
export async function recordAct(
  { store, clock }: Control,
  by: By,
  entry: Parameters<typeof writeAct>[2],
): Promise<void> {
  await store.transact(async (tx) => writeAct(tx, by, entry, clock.now()))
}
