/** Everything an operator can do, by name. Every act, on either platform, runs here. */
import { z } from 'zod'
import { fail } from '../../base/errors.ts'
import { accountActs } from './accounts.ts'
import type { Act, Office } from './act.ts'
import { alertActs } from './alerts.ts'
import { auditActs } from './audit.ts'
import { backupActs } from './backups.ts'
import { billingActs } from './billing.ts'
import { cellActs } from './cells.ts'
import { certificateActs } from './certificates.ts'
import { complianceActs } from './compliance.ts'
import { feedbackActs } from './feedback.ts'
import { flagActs } from './flags.ts'
import { inviteActs } from './invites.ts'
import { jobActs } from './jobs.ts'
import { keyActs } from './keys.ts'
import { logActs } from './logs.ts'
import { mailActs } from './mails.ts'
import { memberActs } from './members.ts'
import { noteActs } from './notes.ts'
import { operatorActs } from './operators.ts'
import { peopleActs } from './people.ts'
import { planActs } from './plans.ts'
import { relayActs } from './relays.ts'
import { reportActs } from './reports.ts'
import { retentionActs } from './retention.ts'
import { secretActs } from './secrets.ts'
import { takedownActs } from './takedowns.ts'
import { waitListActs } from './wait-list.ts'

const acts = {
  ...cellActs,
  ...relayActs,
  ...accountActs,
  ...peopleActs,
  ...noteActs,
  ...takedownActs,
  ...reportActs,
  ...memberActs,
  ...mailActs,
  ...jobActs,
  ...alertActs,
  ...certificateActs,
  ...keyActs,
  ...planActs,
  ...billingActs,
  ...flagActs,
  ...inviteActs,
  ...waitListActs,
  ...feedbackActs,
  ...operatorActs,
  ...auditActs,
  ...backupActs,
  ...secretActs,
  ...retentionActs,
  ...complianceActs,
  ...logActs,
}
export type ActName = keyof typeof acts

const orderSchema = z.object({
  act: z.string().max(64),
  input: z.unknown(),
  /** The operator's name, or a machine's, for the audit. */
  operator: z.string().regex(/^[\w.@+-]{1,64}$/, 'a name of letters, digits and . _ @ + -'),
})
export type Order = Omit<z.infer<typeof orderSchema>, 'act'> & { readonly act: ActName }

/** @throws operator.input, operator.missing, operator.exists, and errors of the domain */
export async function runAct(office: Office, order: unknown): Promise<unknown> {
  const parsed = orderSchema.safeParse(order)
  if (!parsed.success)
    throw fail('operator.input', parsed.error.issues.map(({ message }) => message).join('; '))
  const { act, input, operator } = parsed.data
  const run: Act | undefined = Object.hasOwn(acts, act) ? acts[act as ActName] : undefined
  if (!run) throw fail('operator.input', `This server knows no act "${act}": it is of another release.`)
  return run(office, input, { actor: `operator:${operator}`, from: '' })
}
