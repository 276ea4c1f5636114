/** Alerts about certificates: raised when an order fails late in the life of the present one, over with the next. */
import { codes } from '../../base/errors.ts'
import type { CertificateDoc } from '../certificate-documents.ts'
import type { Transaction } from '../platform.ts'
import { lookToRaise, lookToSettle } from './raising.ts'

type Of = { readonly host: string; readonly nowMs: number }

/** Those of a cell's own names belong to no account: its operators are told. Reads first, as `lookToRaise`. */
export function lookToRaiseCertificate(
  tx: Transaction,
  { account, reason, triedAt }: CertificateDoc,
  { host, nowMs }: Of,
): Promise<() => readonly string[]> {
  const { cause, cure, code } = codes['certificate.expiring']
  const why = reason === '' ? cause : `${cause} The last answer: ${reason}`
  const trouble = { since: triedAt, name: host, cause: why, cure, code }
  return lookToRaise(tx, { account, kind: 'certificate.failing', subject: host }, { trouble, nowMs })
}

export function lookToSettleCertificate(
  tx: Transaction,
  { account }: CertificateDoc,
  { host, nowMs }: Of,
): Promise<() => readonly string[]> {
  return lookToSettle(tx, { account, kind: 'certificate.failing', subject: host }, nowMs)
}
