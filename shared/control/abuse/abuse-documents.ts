/** Reports of abuse, folded into cases: one for each address, until an operator has decided it. */
import type { Decision, ReportKind } from '../../api/schemas/report-words.ts'
import { globalCollection } from '../names.ts'

export type ReportDoc = {
  readonly at: number
  readonly kind: ReportKind
  readonly text: string
  /** For the answer, and gone with it; '' = none was left. */
  readonly email: string
}

export type AbuseCaseDoc = {
  /** The tunnel, or else the address: reports of the same meet here while it is open. */
  readonly key: string
  /** As the first who reported it wrote it: host and port. */
  readonly address: string
  /** Who had the address when it was first reported; '' = nobody, but it is one of ours. */
  readonly account: string
  readonly tunnel: string
  readonly state: 'open' | Decision
  readonly firstAt: number
  readonly lastAt: number
  /** All reports; the newest of them are in `reports`. */
  readonly count: number
  readonly reports: readonly ReportDoc[]
  readonly decidedBy?: string
  readonly decidedAt?: number
  /** The operator's words. */
  readonly reason?: string
  readonly ttl: Date
}

export const abuseCases = globalCollection<AbuseCaseDoc>('abuseCases')
