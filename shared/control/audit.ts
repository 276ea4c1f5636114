/**
 * Who did what. Entries are created unchained with `leaf` = SHA-256(salt || body); a sealer chains them later,
 * so that writers never wait for each other. Erasing an account drops body and salt; the leaf, and with it
 * every seal, stays.
 */
import { createHash, randomBytes } from 'node:crypto'
import { newId } from '../base/ids.ts'
import { type AuditDoc, audit } from './documents.ts'
import type { Doc, Transaction } from './platform.ts'

export type AuditAction =
  | 'account.created'
  | 'account.renamed'
  | 'account.closed'
  | 'key.created'
  | 'key.revoked'
  | 'device.approved'
  | 'device.denied'
  | 'member.added'
  | 'member.changed'
  | 'member.removed'
  | 'tunnel.created'
  | 'tunnel.updated'
  | 'tunnel.deleted'
  | 'lease.taken_over'
  | 'lease.joined'
  | 'transfer.warned'

export type AuditEntry = {
  readonly account: string
  /** A user, key or agent id, or `system`. */
  readonly actor: string
  readonly action: AuditAction
  readonly target: string
  /** Address the request came from; '' when it came from the service itself. */
  readonly from: string
  readonly details?: Doc
}

/** Commits with the change it tells of. */
export function writeAudit(tx: Transaction, entry: AuditEntry, nowMs: number): void {
  tx.create(audit.ref(newId('aud', nowMs)), auditDocument(entry, nowMs))
}

export function auditDocument({ details = {}, ...entry }: AuditEntry, nowMs: number): AuditDoc {
  const body = JSON.stringify({ ...entry, at: nowMs, details })
  const salt = randomBytes(16).toString('base64url')
  const leaf = createHash('sha256').update(salt).update(body).digest('hex')
  return { ...entry, at: nowMs, body, salt, leaf, seal: 0 }
}
