/** What an export of an account has of its alerts, their rules and its webhooks. Part of the list in of-accounts.ts. */
import { alertRules, alerts, rulesRef } from '../alerts/alert-documents.ts'
import { webhooks } from '../alerts/webhook-documents.ts'
import { queries } from '../query-table.ts'
import { all, nameless, type Part, part, these } from './parts.ts'

export const partsOfAlerts: readonly Part[] = [
  part('account', alerts, {
    fields: {
      account: 'show',
      kind: 'show',
      subject: 'show',
      name: 'show',
      state: 'show',
      since: 'show',
      last: 'show',
      endedAt: 'show',
      quietAt: 'hide',
      unsteady: 'show',
      cause: 'show',
      cure: 'show',
      code: 'show',
      news: 'hide',
      untold: 'hide',
      toldAt: 'show',
      closedBy: 'show',
      mutedUntil: 'show',
      timeline: 'show',
      ttl: 'show',
    },
    find: (control, { id }) => all(control, queries.alertsOfAccount, { where: { account: id } }),
  }),
  part('account', alertRules, {
    fields: { account: 'show', rules: 'show', windows: 'show', revision: 'hide' },
    named: nameless,
    find: (control, { id }) => these(control, [rulesRef(id)]),
  }),
  part('account', webhooks, {
    fields: {
      account: 'show',
      url: 'show',
      format: 'show',
      state: 'show',
      secrets: 'hide',
      by: 'show',
      createdAt: 'show',
      failingSince: 'show',
      lastStatus: 'show',
      lastAt: 'show',
    },
    find: (control, { id }) => all(control, queries.webhooksOfAccount, { where: { account: id } }),
  }),
]
