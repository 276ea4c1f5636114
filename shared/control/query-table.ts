/** Every query the control plane makes; indexes are generated from this table. */
import { abuseQueries } from './abuse/abuse-queries.ts'
import { alerts } from './alerts/alert-documents.ts'
import { deliveries, webhooks } from './alerts/webhook-documents.ts'
import { audit, seals } from './audit-documents.ts'
import { certificates } from './certificate-documents.ts'
import { connections } from './connections/documents.ts'
import * as documents from './documents.ts'
import { domains } from './domains/domain-documents.ts'
import { factors, passkeys } from './factors/factor-documents.ts'
import { feedback } from './feedback.ts'
import { invites } from './invites.ts'
import { meterReports, paymentEvents, subscriptions } from './money/billing-documents.ts'
import { activityDays, serviceDays, serviceMonths } from './operator/figure-documents.ts'
import { notes, operators } from './operator/operator-documents.ts'
import { declareQuery, type QueryTable } from './queries.ts'
import { online, quotas } from './quota-documents.ts'
import { goneMonths, holds } from './retention/retention-documents.ts'
import { signIns } from './sign-ins/sign-in-documents.ts'
import { invitations } from './team/invitation-documents.ts'
import * as usage from './usage-documents.ts'
import { waitList } from './wait-list.ts'

/** An account's members: far more than a team that shares one has, and one page has them all. */
export const membersMax = 200

export const queries = {
  ...abuseQueries,
  /** One address may have several users: one for each way of signing in, and from earlier releases and migrations. */
  usersByEmail: declareQuery('usersByEmail', documents.users, { equals: ['email'], order: 'validSince' }),
  /** For a search by the beginning of an address. */
  usersByAddress: declareQuery('usersByAddress', documents.users, { equals: [], order: 'email' }),
  notesAbout: declareQuery('notesAbout', notes, {
    equals: ['about'],
    order: 'at',
    direction: 'descending',
  }),
  identitiesByUser: declareQuery('identitiesByUser', documents.identities, { equals: [], order: 'user' }),
  identitiesRemovedFrom: declareQuery('identitiesRemovedFrom', documents.identities, {
    equals: [],
    order: 'removedFrom',
  }),
  signInsOfUser: declareQuery('signInsOfUser', signIns, { equals: ['user'], order: 'usedAt' }),
  factorsByUser: declareQuery('factorsByUser', factors, { equals: [], order: 'user' }),
  passkeysOfUser: declareQuery('passkeysOfUser', passkeys, { equals: ['user'], order: 'createdAt' }),
  accountsByStatus: declareQuery('accountsByStatus', documents.accounts, {
    equals: ['status'],
    order: 'createdAt',
  }),
  /** For a search by the beginning of a name. */
  accountsByName: declareQuery('accountsByName', documents.accounts, { equals: [], order: 'name' }),
  operatorsByState: declareQuery('operatorsByState', operators, {
    equals: ['state'],
    order: 'since',
  }),
  holdsByTime: declareQuery('holdsByTime', holds, { equals: [], order: 'since' }),
  goneMonthsByTime: declareQuery('goneMonthsByTime', goneMonths, {
    equals: [],
    order: 'month',
    direction: 'descending',
  }),
  feedbackByTime: declareQuery('feedbackByTime', feedback, {
    equals: [],
    order: 'at',
    direction: 'descending',
  }),
  feedbackByActor: declareQuery('feedbackByActor', feedback, { equals: ['actor'], order: 'at' }),
  feedbackOfAccount: declareQuery('feedbackOfAccount', feedback, { equals: ['account'], order: 'at' }),
  invitesByTime: declareQuery('invitesByTime', invites, {
    equals: [],
    order: 'createdAt',
    direction: 'descending',
  }),
  invitesById: declareQuery('invitesById', invites, { equals: [], order: 'invite' }),
  waitListByState: declareQuery('waitListByState', waitList, { equals: ['state'], order: 'at' }),
  membersOfUser: declareQuery('membersOfUser', documents.members, { equals: ['user'], order: 'since' }),
  membersOfAccount: declareQuery('membersOfAccount', documents.members, {
    equals: ['account'],
    order: 'since',
  }),
  invitationsOfAccount: declareQuery('invitationsOfAccount', invitations, {
    equals: ['account'],
    order: 'createdAt',
  }),
  invitationsByAddress: declareQuery('invitationsByAddress', invitations, {
    equals: ['email'],
    order: 'expiresAt',
  }),
  keysOfAccount: declareQuery('keysOfAccount', documents.keys, {
    equals: ['account', 'revokedAt'],
    order: 'createdAt',
    direction: 'descending',
  }),
  allKeysOfAccount: declareQuery('allKeysOfAccount', documents.keys, {
    equals: ['account'],
    order: 'createdAt',
  }),
  /** '' finds those of releases up to 0.1 that name nobody. */
  keysByUser: declareQuery('keysByUser', documents.keys, { equals: ['user'], order: 'createdAt' }),
  keyById: declareQuery('keyById', documents.keys, { equals: ['account', 'key'], order: 'createdAt' }),
  deviceByUserCode: declareQuery('deviceByUserCode', documents.deviceCodes, {
    equals: ['userCode'],
    order: 'createdAt',
  }),
  tunnelsOfAccount: declareQuery('tunnelsOfAccount', documents.tunnels, {
    equals: ['account'],
    order: 'createdAt',
    direction: 'descending',
  }),
  tunnelsByName: declareQuery('tunnelsByName', documents.tunnels, { equals: ['account'], order: 'name' }),
  /** Only those whose last claim got nothing have the field. */
  refusedTunnels: declareQuery('refusedTunnels', documents.tunnels, {
    equals: ['account'],
    order: 'refusedAt',
    direction: 'descending',
  }),
  /** Tunnels that the service named and that one agent held last. */
  generatedTunnels: declareQuery('generatedTunnels', documents.tunnels, {
    equals: ['account', 'agent', 'kind', 'generated'],
    order: 'updatedAt',
  }),
  /** Those of one account, the longest unused first. */
  generatedOfAccount: declareQuery('generatedOfAccount', documents.tunnels, {
    equals: ['account', 'generated'],
    order: 'updatedAt',
  }),
  generatedAnywhere: declareQuery('generatedAnywhere', documents.tunnels, {
    equals: ['generated'],
    order: 'updatedAt',
  }),
  leasesOfAccount: declareQuery('leasesOfAccount', documents.endpoints, {
    equals: ['account', 'state'],
    order: 'expiresAt',
  }),
  /** Only reserved ones have the field. */
  reservedOfAccount: declareQuery('reservedOfAccount', documents.endpoints, {
    equals: ['account', 'kind'],
    order: 'reservedAt',
    direction: 'descending',
  }),
  domainsOfAccount: declareQuery('domainsOfAccount', domains, {
    equals: ['account'],
    order: 'createdAt',
    direction: 'descending',
  }),
  domainsAway: declareQuery('domainsAway', domains, { equals: ['isAway'], order: 'createdAt' }),
  quotasByCount: declareQuery('quotasByCount', quotas, { equals: [], order: 'countedAt' }),
  /** Documents that releases up to 0.1 left. */
  onlineOfBefore: declareQuery('onlineOfBefore', online, { equals: [], order: 'account' }),
  freeEndpoints: declareQuery('freeEndpoints', documents.endpoints, {
    equals: ['cell', 'kind', 'state'],
    order: 'pick',
  }),
  expiredInCell: declareQuery('expiredInCell', documents.endpoints, {
    equals: ['cell', 'kind', 'state'],
    order: 'expiresAt',
  }),
  restedInCell: declareQuery('restedInCell', documents.endpoints, {
    equals: ['cell', 'kind', 'state'],
    order: 'restUntil',
  }),
  expiredLeases: declareQuery('expiredLeases', documents.endpoints, {
    equals: ['state'],
    order: 'expiresAt',
  }),
  keptEndpoints: declareQuery('keptEndpoints', documents.endpoints, {
    equals: ['state'],
    order: 'keepUntil',
  }),
  cellsByState: declareQuery('cellsByState', documents.cells, { equals: ['state'], order: 'createdAt' }),
  relaysOfCell: declareQuery('relaysOfCell', documents.relays, { equals: ['cell'], order: 'seenAt' }),
  commandsOfCell: declareQuery('commandsOfCell', documents.commands, {
    equals: ['cell'],
    order: 'createdAt',
  }),
  usageOfAccount: declareQuery('usageOfAccount', usage.usageHours, {
    equals: ['account'],
    order: 'hour',
  }),
  usageOfTunnel: declareQuery('usageOfTunnel', usage.usageHours, {
    equals: ['account', 'tunnel'],
    order: 'hour',
  }),
  connectionsOfTunnel: declareQuery('connectionsOfTunnel', connections, {
    equals: ['account', 'tunnel'],
    order: 'until',
    direction: 'descending',
  }),
  connectionsOfAccount: declareQuery('connectionsOfAccount', connections, {
    equals: ['account'],
    order: 'until',
  }),
  certificatesByEnd: declareQuery('certificatesByEnd', certificates, { equals: [], order: 'notAfter' }),
  certificatesOfAccount: declareQuery('certificatesOfAccount', certificates, {
    equals: ['account'],
    order: 'notAfter',
  }),
  certificatesOfAgents: declareQuery('certificatesOfAgents', certificates, {
    equals: ['account', 'agentHost'],
    order: 'requestedAt',
    direction: 'descending',
  }),
  /** Only those of agents have the field. */
  certificatesUnder: declareQuery('certificatesUnder', certificates, {
    equals: ['above'],
    order: 'notAfter',
  }),
  alertsOfAccount: declareQuery('alertsOfAccount', alerts, {
    equals: ['account'],
    order: 'last',
    direction: 'descending',
  }),
  alertsByState: declareQuery('alertsByState', alerts, {
    equals: ['account', 'state'],
    order: 'last',
    direction: 'descending',
  }),
  untoldAlerts: declareQuery('untoldAlerts', alerts, { equals: ['account', 'untold'], order: 'last' }),
  webhooksOfAccount: declareQuery('webhooksOfAccount', webhooks, { equals: ['account'], order: 'createdAt' }),
  deliveriesOfWebhook: declareQuery('deliveriesOfWebhook', deliveries, {
    equals: ['account', 'webhook'],
    order: 'createdAt',
    direction: 'descending',
  }),
  deliveriesByState: declareQuery('deliveriesByState', deliveries, {
    equals: ['account', 'webhook', 'state'],
    order: 'createdAt',
    direction: 'descending',
  }),
  deliveriesOfAccount: declareQuery('deliveriesOfAccount', deliveries, {
    equals: ['account'],
    order: 'createdAt',
  }),
  dueJobs: declareQuery('dueJobs', documents.jobs, { equals: ['state', 'shard'], order: 'dueAt' }),
  jobsByState: declareQuery('jobsByState', documents.jobs, { equals: ['state'], order: 'dueAt' }),
  auditBySeal: declareQuery('auditBySeal', audit, { equals: ['seal'], order: 'at' }),
  auditOfAccount: declareQuery('auditOfAccount', audit, {
    equals: ['account'],
    order: 'at',
    direction: 'descending',
  }),
  auditByAction: declareQuery('auditByAction', audit, {
    equals: ['account', 'action'],
    order: 'at',
    direction: 'descending',
  }),
  auditByActor: declareQuery('auditByActor', audit, {
    equals: ['account', 'actor'],
    order: 'at',
    direction: 'descending',
  }),
  auditByTarget: declareQuery('auditByTarget', audit, {
    equals: ['account', 'target'],
    order: 'at',
    direction: 'descending',
  }),
  /** In whatever account: for the export of a person's own data. */
  auditByPerson: declareQuery('auditByPerson', audit, { equals: ['actor'], order: 'at' }),
  auditAbout: declareQuery('auditAbout', audit, { equals: ['target'], order: 'at' }),
  /** Only security events have the field, so other entries are not in these indexes. */
  securityByTime: declareQuery('securityByTime', audit, {
    equals: [],
    order: 'securityAt',
    direction: 'descending',
  }),
  securityOfAccount: declareQuery('securityOfAccount', audit, {
    equals: ['account'],
    order: 'securityAt',
    direction: 'descending',
  }),
  securityFrom: declareQuery('securityFrom', audit, {
    equals: ['from'],
    order: 'securityAt',
    direction: 'descending',
  }),
  securityOfKind: declareQuery('securityOfKind', audit, {
    equals: ['action'],
    order: 'securityAt',
    direction: 'descending',
  }),
  serviceDaysByTime: declareQuery('serviceDaysByTime', serviceDays, {
    equals: [],
    order: 'day',
    direction: 'descending',
  }),
  activityDaysByTime: declareQuery('activityDaysByTime', activityDays, {
    equals: [],
    order: 'day',
    direction: 'descending',
  }),
  serviceMonthsByTime: declareQuery('serviceMonthsByTime', serviceMonths, {
    equals: [],
    order: 'month',
    direction: 'descending',
  }),
  sealsByNumber: declareQuery('sealsByNumber', seals, {
    equals: [],
    order: 'number',
    direction: 'descending',
  }),
  /** The months of all tunnels that carried something. */
  monthsOfAccount: declareQuery('monthsOfAccount', usage.usageMonths, {
    equals: ['account', 'start'],
    order: 'tunnel',
  }),
  usageOfHour: declareQuery('usageOfHour', usage.usageHours, { equals: ['hour'], order: 'account' }),
  /** Finds the next hour that has rows. */
  usageByHour: declareQuery('usageByHour', usage.usageHours, { equals: [], order: 'hour' }),
  periodsOfAccount: declareQuery('periodsOfAccount', usage.usagePeriods, {
    equals: ['account'],
    order: 'start',
    direction: 'descending',
  }),
  periodsByAccountAndState: declareQuery('periodsByAccountAndState', usage.usagePeriods, {
    equals: ['account', 'state'],
    order: 'start',
    direction: 'descending',
  }),
  periodsByState: declareQuery('periodsByState', usage.usagePeriods, {
    equals: ['state'],
    order: 'turnsAt',
  }),
  /** Only these have the field. */
  monthsOfBefore: declareQuery('monthsOfBefore', usage.monthsOfBefore, { equals: [], order: 'rolledAt' }),
  eventsOfCustomer: declareQuery('eventsOfCustomer', paymentEvents, {
    equals: ['customer', 'state'],
    order: 'receivedAt',
  }),
  eventsByTime: declareQuery('eventsByTime', paymentEvents, { equals: [], order: 'receivedAt' }),
  subscriptionsByCheck: declareQuery('subscriptionsByCheck', subscriptions, {
    equals: [],
    order: 'checkedAt',
  }),
  subscriptionsByDrift: declareQuery('subscriptionsByDrift', subscriptions, { equals: [], order: 'driftAt' }),
  meterReportsOfAccount: declareQuery('meterReportsOfAccount', meterReports, {
    equals: ['account'],
    order: 'hour',
  }),
  signingKeysByState: declareQuery('signingKeysByState', documents.signingKeys, {
    equals: ['state'],
    order: 'useFrom',
  }),
} as const

export const queryTable: QueryTable = Object.values(queries)
