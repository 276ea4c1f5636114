/**
 * Who did what. Entries are created unchained with `leaf` = SHA-256(salt || body); a sealer (audit/sealer.ts) chains
 * them within a minute, so that writers never wait for each other. Retention and erasure delete whole entries; the
 * leaf, and with it every seal, stays.
 */
import { createHash, randomBytes } from 'node:crypto'
import { isSecurityKind } from '../api/schemas/security-kinds.ts'
import { newId } from '../base/ids.ts'
import { type AuditDoc, audit } from './audit-documents.ts'
import type { Caller } from './caller.ts'
import type { OperatorAction } from './operator/actions.ts'
import type { Doc, Transaction, Write } from './platform.ts'

export type AuditAction =
  | 'account.created'
  | 'account.renamed'
  | 'account.suspended'
  | 'account.resumed'
  | 'account.closed'
  | 'account.leaving'
  | 'account.kept'
  | 'account.factor_policy'
  | 'account.erased'
  | 'account.exported'
  | 'person.exported'
  | 'person.leaving'
  | 'person.kept'
  | 'person.terms_accepted'
  | 'person.mails'
  | 'audit.exported'
  | 'auth.signed_in'
  | 'auth.failed'
  | 'auth.locked'
  | 'auth.token_reused'
  | 'auth.session_ended'
  | 'auth.confirmed'
  | 'auth.address_asked'
  | 'auth.address_changed'
  | 'auth.address_stopped'
  | 'auth.signed_out_everywhere'
  | 'auth.reset_requested'
  | 'auth.password_reset'
  | 'auth.password_changed'
  | 'auth.linked'
  | 'auth.unlinked'
  | 'factor.added'
  | 'factor.removed'
  | 'factor.renamed'
  | 'factor.codes'
  | 'factor.code_used'
  | 'factor.shown'
  | 'factor.failed'
  | 'factor.recovery_asked'
  | 'factor.recovery_begun'
  | 'factor.recovery_approved'
  | 'factor.recovery_ended'
  | 'factor.recovered'
  | 'key.created'
  | 'key.revoked'
  | 'device.approved'
  | 'device.denied'
  | 'member.invited'
  | 'member.uninvited'
  | 'member.added'
  | 'member.changed'
  | 'member.removed'
  | 'agent.stopped'
  | 'tunnel.created'
  | 'tunnel.updated'
  | 'tunnel.deleted'
  | 'connections.erased'
  | 'name.added'
  | 'name.removed'
  | 'name.reserved'
  | 'name.released'
  | 'name.moved'
  | 'port.reserved'
  | 'port.released'
  | 'port.moved'
  | 'domain.added'
  | 'domain.verified'
  | 'domain.moved'
  | 'domain.failing'
  | 'domain.suspended'
  | 'domain.lost'
  | 'domain.removed'
  | 'certificate.requested'
  | 'alert.acknowledged'
  | 'alert.resolved'
  | 'alert.muted'
  | 'alert.rules'
  | 'webhook.added'
  | 'webhook.changed'
  | 'webhook.removed'
  | 'lease.taken_over'
  | 'lease.joined'
  | 'ticket.refused'
  | 'transfer.warned'
  | 'billing.checkout'
  | 'billing.asked'
  | 'billing.changed'
  | 'billing.cap'
  | 'billing.portal'
  | OperatorAction

export type AuditEntry = {
  /** '' for the service itself. */
  readonly account: string
  /** A user, key or agent id, or `system`. */
  readonly actor: string
  readonly action: AuditAction
  readonly target: string
  /** Address the request came from; '' when it came from the service itself. */
  readonly from: string
  /** What the calling program says it is; undefined if it did not say. */
  readonly userAgent?: string | undefined
  readonly details?: Doc
}

/** Longer program names are cut. */
const userAgentMax = 200

/** Writes an entry that commits with the change it reports. */
export function writeAudit(tx: Pick<Transaction, 'create'>, entry: AuditEntry, nowMs: number): void {
  tx.create(audit.ref(newId('aud', nowMs)), auditDocument(entry, nowMs))
}

/** The same for a batch of writes. */
export function auditWrite(
  entry: AuditEntry,
  nowMs: number,
): Extract<Write, { readonly op: 'create' | 'set' }> {
  return { op: 'create', ref: audit.ref(newId('aud', nowMs)), data: auditDocument(entry, nowMs) }
}

/** The fields of every entry that say who asked. */
export function byCaller({ account, actor, from, userAgent }: AuditCaller) {
  return { account, actor, from, ...(userAgent !== undefined && { userAgent }) }
}
export type AuditCaller = Pick<Caller, 'account' | 'actor' | 'from' | 'userAgent'>

export function auditDocument(
  { details = {}, userAgent = '', ...entry }: AuditEntry,
  nowMs: number,
): AuditDoc {
  const program = userAgent === '' ? {} : { userAgent: userAgent.slice(0, userAgentMax) }
  const body = JSON.stringify({ ...entry, at: nowMs, ...program, details })
  const salt = randomBytes(16).toString('base64url')
  const leaf = createHash('sha256').update(salt).update(body).digest('hex')
  const security = isSecurityKind(entry.action) ? { securityAt: nowMs } : {}
  return { ...entry, at: nowMs, body, salt, leaf, seal: 0, ...security }
}
