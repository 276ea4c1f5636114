/** The documents of alerts, by the rules of documents.ts. */
import { createHash } from 'node:crypto'
import type { AlertKind, alertStates } from '../../api/schemas/alerts.ts'
import { collection } from '../names.ts'
import type { Ref } from '../platform.ts'

/** What the next mail says of it; '' = there is nothing to tell. */
export type News = '' | 'begun' | 'unsteady' | 'ended'

/**
 * Id: `alr_` and a digest of account, kind and subject, so that a subject has one alert of a kind, however often it
 * fails, and two workers cannot make two.
 */
export type AlertDoc = {
  /** '' = the service itself: its operators are told. */
  readonly account: string
  readonly kind: AlertKind
  readonly subject: string
  readonly name: string
  readonly state: (typeof alertStates)[number]
  /** Since when it has been so, as what was judged says. */
  readonly since: number
  /** When it changed last; lists have this order. */
  readonly last: number
  /** 0 = it is not over. */
  readonly endedAt: number
  /** Since when it has looked well while it is still open; 0 = it does not. */
  readonly quietAt: number
  /** It comes and goes. */
  readonly unsteady: boolean
  readonly cause: string
  readonly cure: string
  readonly code: string
  readonly news: News
  /** Whether `news` has to be told, for the query. */
  readonly untold: 0 | 1
  /** 0 = nobody was told of it yet. */
  readonly toldAt: number
  /** Somebody closed it by hand: the same trouble does not open it again. */
  readonly closedBy: string
  /** 0 = it is not muted. */
  readonly mutedUntil: number
  readonly timeline: readonly { readonly at: number; readonly what: string; readonly by: string }[]
  readonly ttl: Date
}

/** A rule that the account has set; the usual ones are in kinds.ts and not stored. */
export type RuleDoc = {
  readonly kind: string
  readonly tunnel?: string
  readonly tag?: string
  readonly on: boolean
  readonly threshold?: number
  readonly forMs?: number
}
export type WindowDoc = {
  readonly id: string
  /** '' = all of the account. */
  readonly tunnel: string
  readonly from: number
  readonly until: number
  readonly note: string
  readonly by: string
}
/** Id: account, or `service`. One document, so that one read says everything. */
export type AlertRulesDoc = {
  readonly account: string
  readonly rules: readonly RuleDoc[]
  readonly windows: readonly WindowDoc[]
  readonly revision: number
}

export const alerts = collection<AlertDoc>('alerts')
export const alertRules = collection<AlertRulesDoc>('alertRules')

export type AlertKey = { readonly account: string; readonly kind: AlertKind; readonly subject: string }

export function alertRef({ account, kind, subject }: AlertKey): Ref<AlertDoc> {
  const digest = createHash('sha256')
    .update(JSON.stringify([account, kind, subject]))
    .digest('hex')
  return alerts.ref(`alr_${digest.slice(0, 26)}`)
}

export function rulesRef(account: string): Ref<AlertRulesDoc> {
  return alertRules.ref(account === '' ? 'service' : account)
}

export function noRules(account: string): AlertRulesDoc {
  return { account, rules: [], windows: [], revision: 0 }
}
