/** Alerts of an account. docs/decisions/0102 */

/** What an account is told of. */
const ownerAlerts = [
  'tunnel.down',
  'tunnel.upstream',
  'tunnel.errors',
  'tunnel.latency',
  'quota.near',
  'quota.reached',
  'domain.failing',
  'certificate.failing',
  'payment.failed',
] as const
/** What the operators of the service are told of. */
const serviceAlerts = ['relay.down', 'jobs.dead', 'jobs.failing', 'backup.overdue'] as const
export type AlertKind = (typeof ownerAlerts)[number] | (typeof serviceAlerts)[number]
export const alertStates = ['firing', 'acknowledged', 'resolved'] as const
