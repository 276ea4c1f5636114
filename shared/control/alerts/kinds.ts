/**
 * The kinds of alerts with their usual rules, which every account has without storing anything. A stored rule changes
 * one of them, for all tunnels, those with a tag, or one; the narrowest counts.
 */
import type { AlertKind } from '../../api/schemas/alerts.ts'
import type { AlertRulesDoc, RuleDoc } from './alert-documents.ts'

const minuteMs = 60_000

type KindEntry = {
  /** Completes "<name>: ..." and is the title in lists. */
  readonly title: string
  readonly on: boolean
  /** How long it must be so. Undefined: whoever raises it has waited already. */
  readonly forMs?: number
  readonly threshold?: number
  readonly thresholdMin?: number
  readonly unit?: '%' | 'ms'
  /** Another mail tells of it already. */
  readonly hasOwnMail?: true
}

/**
 * Five minutes: a restart of a machine or a deployment takes two or three, and a relay says after one that an agent is
 * away.
 */
const downMs = 5 * minuteMs
/** A relay that is restarted or replaced by its supervisor is back within a minute or two. */
const silentRelayMs = 3 * minuteMs
/** The shortest time of a rule, and so the time of the first look after an event. */
export const firstLookMs = minuteMs

export const kindTable: { readonly [K in AlertKind]: KindEntry } = {
  'tunnel.down': { title: 'Tunnel is down', on: true, forMs: downMs },
  'tunnel.upstream': { title: 'Upstream is failing', on: true, forMs: downMs },
  'tunnel.errors': { title: 'Visitors get errors', on: true, threshold: 25, thresholdMin: 5, unit: '%' },
  'tunnel.latency': {
    title: 'Answers are slow',
    on: false,
    threshold: 5_000,
    thresholdMin: 1_000,
    unit: 'ms',
  },
  'quota.near': { title: 'Most of the transfer is used', on: true },
  'quota.reached': { title: 'The transfer is used up', on: true },
  'domain.failing': { title: 'Domain is failing', on: true, hasOwnMail: true },
  'certificate.failing': { title: 'Certificate cannot be renewed', on: true },
  'payment.failed': { title: 'Payment failed', on: true, hasOwnMail: true },
  'webhook.failing': { title: 'Webhook is disabled', on: true },
  'relay.down': { title: 'Relay is silent', on: true, forMs: silentRelayMs },
  'job.dead': { title: 'Jobs have given up', on: true, forMs: 0 },
  'job.failing': { title: 'A job of the service fails', on: true, forMs: 0 },
  'dependency.failing': { title: 'What the service depends on fails', on: true, forMs: downMs },
  'backup.overdue': { title: 'The newest backup is too old', on: true, forMs: 0 },
  'disk.low': { title: 'The disk is nearly full', on: true, forMs: 0 },
}

export type Effective = { readonly on: boolean; readonly forMs: number; readonly threshold: number }

/** The rule that counts for a subject. @param tunnel when it is about one */
export function ruleFor(
  kind: AlertKind,
  { rules }: Pick<AlertRulesDoc, 'rules'>,
  tunnel?: { readonly id: string; readonly tags?: readonly string[] | undefined },
): Effective {
  const usual = kindTable[kind]
  const mine = rules.filter((rule) => rule.kind === kind)
  const chosen =
    mine.find((rule) => tunnel !== undefined && rule.tunnel === tunnel.id) ??
    mine.find((rule) => rule.tag !== undefined && tunnel?.tags?.includes(rule.tag)) ??
    mine.find((rule) => rule.tunnel === undefined && rule.tag === undefined)
  return {
    on: chosen?.on ?? usual.on,
    forMs: usual.forMs === undefined ? 0 : (chosen?.forMs ?? usual.forMs),
    threshold: Math.max(usual.thresholdMin ?? 0, chosen?.threshold ?? usual.threshold ?? 0),
  }
}

/** When the maintenance that a subject is under now ends; undefined: it is under none. */
export function maintenanceEnd(
  { windows }: Pick<AlertRulesDoc, 'windows'>,
  { subject, nowMs }: { readonly subject: string; readonly nowMs: number },
): number | undefined {
  const now = windows.filter(
    ({ tunnel, from, until }) => (tunnel === '' || tunnel === subject) && from <= nowMs && nowMs < until,
  )
  return now.length === 0 ? undefined : Math.max(...now.map(({ until }) => until))
}

/** Two rules that say the same of the same tunnels. */
export function isSameScope(a: RuleDoc, b: RuleDoc): boolean {
  return a.kind === b.kind && a.tunnel === b.tunnel && a.tag === b.tag
}
