/** What an export of an account has: what its people made and what it used, without any secret. */
import { alertRules, alerts, rulesRef } from '../alerts/alert-documents.ts'
import { audit } from '../audit-documents.ts'
import { monthStart } from '../books/calendar.ts'
import { readHours } from '../books/hours.ts'
import { packedResultsIn } from '../books/results.ts'
import { certificates } from '../certificate-documents.ts'
import type { Control } from '../control.ts'
import { accounts, endpoints, keys, members, tunnels } from '../documents.ts'
import { domains } from '../domains/domain-documents.ts'
import { feedback } from '../feedback.ts'
import { subscriptions } from '../money/billing-documents.ts'
import { notes } from '../operator/operator-documents.ts'
import type { Doc } from '../platform.ts'
import { queries } from '../query-table.ts'
import { quotas } from '../quota-documents.ts'
import { invitations } from '../team/invitation-documents.ts'
import { usageHours, usageMonths, usagePeriods } from '../usage-documents.ts'
import {
  auditFields,
  feedbackFields,
  invitationFields,
  keyFields,
  memberFields,
  noteFields,
  unpackEntry,
} from './of-people.ts'
import { all, each, nameless, type Part, part, these } from './parts.ts'

/** Months of usage are kept for less than this. */
const monthsMax = 36

export const partsOfAccounts: readonly Part[] = [
  part('account', accounts, {
    fields: {
      name: 'show',
      plan: 'show',
      status: 'show',
      statusVersion: 'hide',
      createdAt: 'show',
      closedAt: 'show',
      leaving: 'show',
      periodAnchor: 'show',
      granted: 'show',
      overrides: 'show',
      factorPolicy: 'show',
    },
    find: (control, { id }) => these(control, [accounts.ref(id)]),
  }),
  part('account', subscriptions, {
    fields: {
      account: 'show',
      customer: 'show',
      subscription: 'show',
      state: 'show',
      plan: 'show',
      version: 'show',
      interval: 'show',
      currency: 'show',
      seats: 'show',
      periodStart: 'show',
      periodEnd: 'show',
      lastPeriod: 'show',
      timeline: 'show',
      cap: 'show',
      capNow: 'show',
      graceFrom: 'show',
      trialEnd: 'show',
      toldTrial: 'hide',
      toldLost: 'hide',
      moving: 'show',
      cancelAt: 'show',
      next: 'show',
      isDisputed: 'show',
      closing: 'show',
      hadTrial: 'show',
      asked: 'hide',
      syncedAt: 'show',
      checkedAt: 'show',
      drift: 'show',
      driftAt: 'show',
    },
    find: (control, { id }) => these(control, [subscriptions.ref(id)]),
  }),
  part('account', notes, {
    fields: noteFields,
    find: (control, { id }) => all(control, queries.notesAbout, { where: { about: id } }),
  }),
  part('account', members, {
    fields: memberFields,
    named: nameless,
    find: (control, { id }) => all(control, queries.membersOfAccount, { where: { account: id } }),
  }),
  part('account', invitations, {
    fields: invitationFields,
    find: (control, { id }) => all(control, queries.invitationsOfAccount, { where: { account: id } }),
  }),
  part('account', keys, {
    fields: keyFields,
    named: nameless,
    find: (control, { id }) => all(control, queries.allKeysOfAccount, { where: { account: id } }),
  }),
  part('account', tunnels, {
    fields: {
      account: 'show',
      name: 'show',
      kind: 'show',
      agents: 'show',
      generated: 'show',
      request: 'hide',
      policy: 'show',
      policyVersion: 'show',
      edits: 'show',
      tags: 'show',
      revision: 'show',
      endpoint: 'show',
      cell: 'show',
      formerCell: 'show',
      formerCells: 'show',
      names: 'show',
      wish: 'show',
      wishCell: 'show',
      agent: 'show',
      refused: 'show',
      refusedAt: 'hide',
      createdAt: 'show',
      updatedAt: 'show',
    },
    find: (control, { id }) => all(control, queries.tunnelsOfAccount, { where: { account: id } }),
  }),
  part('account', endpoints, {
    fields: {
      cell: 'show',
      kind: 'show',
      state: 'show',
      pick: 'hide',
      account: 'show',
      tunnel: 'show',
      holders: 'show',
      epoch: 'show',
      leasedAt: 'show',
      servedAt: 'show',
      expiresAt: 'show',
      releasedAt: 'show',
      restUntil: 'show',
      keepUntil: 'show',
      isDisplaced: 'hide',
      reservedAt: 'show',
      reservedTunnel: 'show',
      reservedRevision: 'show',
      wasAnothers: 'hide',
    },
    find: (control, { id: account }) =>
      each(
        ...(['leased', 'resting', 'reserved'] as const).map((state) =>
          all(control, queries.leasesOfAccount, { where: { account, state } }),
        ),
      ),
  }),
  part('account', domains, {
    fields: {
      account: 'show',
      host: 'show',
      domain: 'show',
      claim: 'hide',
      cell: 'show',
      cellAway: 'show',
      isAway: 'hide',
      tunnel: 'show',
      state: 'show',
      createdAt: 'show',
      verifiedAt: 'show',
      goneAt: 'show',
      failingAt: 'show',
      checkedAt: 'show',
      nextAt: 'show',
      askedAt: 'show',
      findings: 'show',
      zone: 'show',
      nameServers: 'show',
      revision: 'show',
    },
    find: (control, { id }) => all(control, queries.domainsOfAccount, { where: { account: id } }),
  }),
  part('account', certificates, {
    fields: {
      account: 'show',
      hosts: 'show',
      state: 'show',
      version: 'show',
      chain: 'show',
      wrappedKey: 'hide',
      csr: 'show',
      agentHost: 'show',
      replaces: 'show',
      requestedAt: 'show',
      above: 'hide',
      issuer: 'show',
      notBefore: 'show',
      notAfter: 'show',
      renewAt: 'show',
      ariId: 'hide',
      ariStart: 'hide',
      ariEnd: 'hide',
      ariAskAt: 'hide',
      failures: 'show',
      error: 'show',
      reason: 'show',
      triedAt: 'show',
    },
    find: (control, { id }) => all(control, queries.certificatesOfAccount, { where: { account: id } }),
  }),
  part('account', quotas, {
    fields: {
      account: 'show',
      tunnels: 'show',
      online: 'show',
      keys: 'show',
      members: 'show',
      reservedHosts: 'show',
      reservedPorts: 'show',
      domains: 'show',
      paceAt: 'hide',
      countedAt: 'show',
    },
    named: nameless,
    find: (control, { id }) => these(control, [quotas.ref(id)]),
  }),
  part('account', usageHours, {
    fields: {
      account: 'show',
      tunnel: 'show',
      cell: 'show',
      hour: 'show',
      in: 'show',
      out: 'show',
      opened: 'show',
      refused: 'show',
      // Packed for charts: the same figures in shorter steps.
      minutes: 'show',
      answers: 'show',
      times: 'show',
      open: 'show',
      codes: 'show',
      updatedAt: 'show',
      ttl: 'show',
    },
    named: nameless,
    find: (control, { id }) => all(control, queries.usageOfAccount, { where: { account: id } }),
  }),
  part('account', usagePeriods, {
    fields: {
      account: 'show',
      start: 'show',
      end: 'show',
      state: 'show',
      turnsAt: 'hide',
      plan: 'show',
      hours: 'hide',
      answers: 'hide',
      times: 'hide',
      open: 'hide',
      codes: 'hide',
      bytes: 'show',
      countedTo: 'show',
      monthsTo: 'hide',
      corrections: 'show',
      lateHours: 'hide',
      corrected: 'show',
      warned: 'show',
      ttl: 'show',
    },
    named: nameless,
    // Documents of releases up to 0.1 have a map of hours.
    unpack: ({ hours, lateHours = '', start, ...results }) =>
      typeof hours === 'string'
        ? hoursOf({ ...packedResultsIn(results), hours: lateHours === '' ? hours : lateHours }, start)
        : { hours },
    find: (control, { id }) => all(control, queries.periodsOfAccount, { where: { account: id } }),
  }),
  part('account', usageMonths, {
    fields: {
      account: 'show',
      tunnel: 'show',
      start: 'show',
      hours: 'hide',
      answers: 'hide',
      times: 'hide',
      open: 'hide',
      codes: 'hide',
      ttl: 'show',
    },
    named: nameless,
    unpack: ({ hours, start, ...results }) => hoursOf({ ...packedResultsIn(results), hours }, start),
    find: (control, { id }) => monthsOf(control, id),
  }),
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
  part('account', feedback, {
    fields: feedbackFields,
    find: (control, { id }) => all(control, queries.feedbackOfAccount, { where: { account: id } }),
  }),
  part('account', audit, {
    fields: auditFields,
    unpack: unpackEntry,
    find: (control, { id }) => all(control, queries.auditOfAccount, { where: { account: id } }),
  }),
]

function hoursOf(series: Parameters<typeof readHours>[0], start: number): Doc {
  return { hours: [...readHours(series, start)].map(([hour, sum]) => ({ hour, ...sum })) }
}

/** The newest months first, each with all tunnels that carried something. */
async function* monthsOf(control: Control, account: string) {
  const nowMs = control.clock.now()
  for (let back = 0; back < monthsMax; back++) {
    const where = { account, start: monthStart(nowMs, -back) }
    yield* all(control, queries.monthsOfAccount, { where })
  }
}
