/** The documents of the audit log, beside those of documents.ts and by the same rules. */
import { collection, globalCollection, ownIdCollection } from './names.ts'

/**
 * Created unchained; the sealer sets `seal` and `ttl` once. `leaf` = SHA-256(salt || body), and `body` repeats the
 * other fields. `account` is '' for the service itself.
 */
export type AuditDoc = {
  readonly account: string
  readonly actor: string
  readonly action: string
  readonly target: string
  readonly at: number
  readonly from: string
  readonly body?: string
  readonly salt?: string
  readonly leaf: string
  /** 0 = not sealed yet. */
  readonly seal: number
  /** Set when it is sealed. */
  readonly ttl?: Date
  /** The same as `at`, in entries that operators see as security events (operator/security.ts). */
  readonly securityAt?: number
}
/** Id: its number, from 1. Never changed. `prev` is the hash of the seal before, '' for the first. */
export type SealDoc = {
  readonly number: number
  readonly prev: string
  /** Merkle root of its leaves. */
  readonly root: string
  readonly count: number
  readonly at: number
}
/** Id: number of the seal. It stays when entries are erased: ids and hashes of salted text reveal nothing. */
export type SealLeavesDoc = {
  readonly ids: readonly string[]
  readonly leaves: readonly string[]
  /** Whether every entry has the number of this seal. Until then no further seal is made. */
  readonly marked: boolean
  readonly ttl: Date
}
/**
 * Something that happened so often within an hour that it is counted instead of written each time. Id: `<account or
 * service>:<hour>`. Its job writes the counts when the hour is over.
 */
export type AuditTallyDoc = {
  readonly account: string
  readonly sources: {
    readonly [key: string]: {
      readonly action: string
      readonly target: string
      readonly from: string
      readonly count: number
    }
  }
  /** Count of all further sources. */
  readonly others: number
}
/** Id: account. The last export that it asked for; the next one replaces it once it is ready. */
export type AuditExportDoc = {
  /** Who asked for it. */
  readonly actor: string
  readonly from: number
  readonly to: number
  readonly createdAt: number
  /** 0 = not ready yet. */
  readonly readyAt: number
  readonly parts: number
  readonly entries: number
  readonly ttl: Date
}
/** Id: `<account>:<createdAt of the export>:<number from 1>`. */
export type AuditExportPartDoc = { readonly account: string; readonly text: string; readonly ttl: Date }

export const audit = collection<AuditDoc>('audit')
export const seals = globalCollection<SealDoc>('seals')
export const sealLeaves = globalCollection<SealLeavesDoc>('sealLeaves')
export const auditTallies = collection<AuditTallyDoc>('auditTallies')
export const auditExports = ownIdCollection<AuditExportDoc>('auditExports')
export const auditExportParts = collection<AuditExportPartDoc>('auditExportParts')
