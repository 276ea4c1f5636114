/**
 * The typed client of the REST API, used by the CLI, the console, relays and tests. Every method takes plain values
 * that the schemas describe and resolves to a parsed answer, or rejects with the API's PortTunnelerError. Each call has
 * a deadline; `signal` ends it earlier.
 */
import type { z } from 'zod'
import { alertCalls, serviceAlertCalls, webhookCalls } from './client-alerts.ts'
import { billingCalls } from './client-billing.ts'
import { type CallOptions, type ClientOptions, call, nothing, type PageOptions } from './client-call.ts'
import { connectionCalls } from './client-connections.ts'
import { factorCalls } from './client-factors.ts'
import { operatorCalls } from './client-operator.ts'
import { operatorKeepingCalls } from './client-operator-keeping.ts'
import { operatorServiceCalls } from './client-operator-service.ts'
import { ownDataCalls } from './client-own-data.ts'
import { reservationCalls } from './client-reservations.ts'
import { serviceSignInCalls } from './client-services.ts'
import { teamCalls } from './client-team.ts'
import * as accounts from './schemas/accounts.ts'
import * as agents from './schemas/agents.ts'
import * as audit from './schemas/audit.ts'
import * as certificates from './schemas/certificates.ts'
import { pageSchema } from './schemas/common.ts'
import * as domains from './schemas/domains.ts'
import { historyQuerySchema, historySchema } from './schemas/history.ts'
import { plansSchema } from './schemas/plans.ts'
import * as relays from './schemas/relays.ts'
import * as service from './schemas/service.ts'
import * as tunnels from './schemas/tunnels.ts'

export type { ClientOptions } from './client-call.ts'

type AuditFilter = z.infer<typeof audit.auditFilterSchema>
type TunnelWish = Partial<Pick<tunnels.TunnelQuery, 'search' | 'state' | 'kind' | 'tag' | 'sort'>>
/** What the caller writes: fields with a default are optional. */
type In<T extends z.ZodType> = z.input<T>

const domainPageSchema = pageSchema(domains.domainSchema)
const keyPageSchema = pageSchema(accounts.keySchema)
const auditPageSchema = pageSchema(audit.auditEntrySchema)

export type Client = ReturnType<typeof makeClient>

export function makeClient(options: ClientOptions) {
  return {
    ...serviceCalls(options),
    ...accountCalls(options),
    ...ownDataCalls(options),
    ...teamCalls(options),
    ...factorCalls(options),
    ...operatorCalls(options),
    ...operatorServiceCalls(options),
    ...operatorKeepingCalls(options),
    ...auditCalls(options),
    ...alertCalls(options),
    ...webhookCalls(options),
    ...serviceAlertCalls(options),
    ...billingCalls(options),
    ...signInCalls(options),
    ...serviceSignInCalls(options),
    ...deviceCalls(options),
    ...tunnelCalls(options),
    ...connectionCalls(options),
    ...leaseCalls(options),
    ...reservationCalls(options),
    ...domainCalls(options),
    ...certificateCalls(options),
    ...relayCalls(options),
  }
}

function serviceCalls(options: ClientOptions) {
  return {
    health: (o?: CallOptions) =>
      call(options, { method: 'GET', path: '/v1/health', answer: service.healthSchema }, o),
    config: (o?: CallOptions) =>
      call(options, { method: 'GET', path: '/v1/config', answer: service.configSchema }, o),
    plans: (o?: CallOptions) => call(options, { method: 'GET', path: '/v1/plans', answer: plansSchema }, o),
  }
}

function auditCalls(options: ClientOptions) {
  return {
    /** Newest first, filtered by at most one of action, actor and target. */
    audit: ({ limit, cursor, from, to, action, actor, target, ...o }: PageOptions & AuditFilter = {}) =>
      call(
        options,
        {
          method: 'GET',
          path: '/v1/audit',
          answer: auditPageSchema,
          query: { limit, cursor, from, to, action, actor, target },
        },
        o,
      ),
    /** Rejects with audit.unsealed for an entry that was written within the last minute or two. */
    auditProof: (entry: string, o?: CallOptions) =>
      call(
        options,
        {
          method: 'GET',
          path: `/v1/audit/${encodeURIComponent(entry)}/proof`,
          answer: audit.auditProofSchema,
        },
        o,
      ),
    /** The account has one; a job writes it within minutes. */
    startAuditExport: (json: In<typeof audit.exportRequestSchema> = {}, o?: CallOptions) =>
      call(options, { method: 'POST', path: '/v1/audit/export', answer: audit.exportSchema, json }, o),
    auditExport: (o?: CallOptions) =>
      call(options, { method: 'GET', path: '/v1/audit/export', answer: audit.exportSchema }, o),
  }
}

function accountCalls(options: ClientOptions) {
  return {
    me: (o?: CallOptions) => call(options, { method: 'GET', path: '/v1/me', answer: accounts.meSchema }, o),
    account: (o?: CallOptions) =>
      call(options, { method: 'GET', path: '/v1/account', answer: service.accountSchema }, o),
    renameAccount: (json: In<typeof service.accountUpdateSchema>, o?: CallOptions) =>
      call(options, { method: 'PATCH', path: '/v1/account', answer: service.accountSchema, json }, o),
    sendFeedback: (json: In<typeof service.feedbackSchema>, o?: CallOptions) =>
      call(options, { method: 'POST', path: '/v1/feedback', answer: nothing, json }, o),
    keys: ({ limit, cursor, ...o }: PageOptions = {}) =>
      call(options, { method: 'GET', path: '/v1/keys', answer: keyPageSchema, query: { limit, cursor } }, o),
    /** The answer has the secret, only this once. */
    createKey: (json: In<typeof accounts.keyCreateSchema>, o?: CallOptions) =>
      call(options, { method: 'POST', path: '/v1/keys', answer: accounts.keyCreatedSchema, json }, o),
    /** With an invite code, for a person without an account. */
    createAccount: (json: In<typeof accounts.accountCreateSchema>, o?: CallOptions) =>
      call(options, { method: 'POST', path: '/v1/accounts', answer: accounts.accountChoicesSchema, json }, o),
    revokeKey: (key: string, o?: CallOptions) =>
      call(options, { method: 'DELETE', path: `/v1/keys/${encodeURIComponent(key)}`, answer: nothing }, o),
    usage: (query: In<typeof service.usageQuerySchema> = {}, o?: CallOptions) => {
      const { from, to, tunnel, step } = service.usageQuerySchema.parse(query)
      return call(
        options,
        {
          method: 'GET',
          path: '/v1/usage',
          answer: service.usageAnswerSchema,
          query: { from, to, tunnel, step },
        },
        o,
      )
    },
    history: (query: In<typeof historyQuerySchema> = {}, o?: CallOptions) => {
      const { from, to, tunnel, step } = historyQuerySchema.parse(query)
      return call(
        options,
        { method: 'GET', path: '/v1/history', answer: historySchema, query: { from, to, tunnel, step } },
        o,
      )
    },
  }
}

/** Only if `config().identity` is `local`. */
function signInCalls(options: ClientOptions) {
  const tokens = (path: string, json: unknown, o?: CallOptions) =>
    call(options, { method: 'POST', path, answer: accounts.tokensSchema, json }, o)
  const quiet = (path: string, json: unknown, o?: CallOptions) =>
    call(options, { method: 'POST', path, answer: nothing, json }, o)
  return {
    register: (json: In<typeof accounts.registerSchema>, o?: CallOptions) =>
      quiet('/v1/auth/register', json, o),
    confirmRegistration: (json: In<typeof accounts.registerConfirmSchema>, o?: CallOptions) =>
      tokens('/v1/auth/register/confirm', json, o),
    joinWaitList: (json: In<typeof accounts.waitListJoinSchema>, o?: CallOptions) =>
      quiet('/v1/wait-list', json, o),
    confirmWaitList: (json: In<typeof accounts.waitListConfirmSchema>, o?: CallOptions) =>
      quiet('/v1/wait-list/confirm', json, o),
    login: (json: In<typeof accounts.loginSchema>, o?: CallOptions) => tokens('/v1/auth/login', json, o),
    refresh: (json: In<typeof accounts.refreshSchema>, o?: CallOptions) =>
      tokens('/v1/auth/refresh', json, o),
    logout: (json: In<typeof accounts.logoutSchema>, o?: CallOptions) => quiet('/v1/auth/logout', json, o),
    changePassword: (json: In<typeof accounts.passwordChangeSchema>, o?: CallOptions) =>
      call(
        options,
        { method: 'POST', path: '/v1/auth/password', answer: accounts.passwordChangedSchema, json },
        o,
      ),
    /** The password, or where Firebase signs people in the token of a sign-in made just now. */
    confirm: (
      json: In<typeof accounts.confirmSchema> | In<typeof accounts.confirmByTokenSchema>,
      o?: CallOptions,
    ) => quiet('/v1/auth/confirm', json, o),
    requestPasswordReset: (json: In<typeof accounts.passwordResetSchema>, o?: CallOptions) =>
      quiet('/v1/auth/password/reset', json, o),
    confirmPasswordReset: (json: In<typeof accounts.passwordResetConfirmSchema>, o?: CallOptions) =>
      call(
        options,
        { method: 'POST', path: '/v1/auth/password/reset/confirm', answer: accounts.keysLeftSchema, json },
        o,
      ),
  }
}

/** RFC 8628: the CLI authorises and polls, the signed-in console reads and decides. */
function deviceCalls(options: ClientOptions) {
  return {
    authorizeDevice: ({ device, scope }: { device?: string; scope?: string }, o?: CallOptions) =>
      call(
        options,
        {
          method: 'POST',
          path: '/v1/device/authorize',
          answer: accounts.deviceAuthorizationSchema,
          form: { client_id: 'ptun', ...(device && { device }), ...(scope && { scope }) },
        },
        o,
      ),
    /** One poll. `error` in the answer says why there is no token yet, or never will be. */
    pollDevice: (deviceCode: string, o?: CallOptions) =>
      call(
        options,
        {
          method: 'POST',
          path: '/v1/device/token',
          answer: accounts.deviceTokenSchema.or(accounts.oauthErrorSchema),
          alsoFine: [400],
          form: {
            grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
            device_code: deviceCode,
            client_id: 'ptun',
          },
        },
        o,
      ),
    device: (userCode: string, o?: CallOptions) =>
      call(
        options,
        {
          method: 'GET',
          path: `/v1/device/${encodeURIComponent(userCode)}`,
          answer: accounts.devicePendingSchema,
        },
        o,
      ),
    decideDevice: (json: In<typeof accounts.deviceDecisionSchema>, o?: CallOptions) =>
      call(options, { method: 'POST', path: '/v1/device/decision', answer: nothing, json }, o),
  }
}

function tunnelCalls(options: ClientOptions) {
  const pathOf = (tunnel: string) => `/v1/tunnels/${encodeURIComponent(tunnel)}`
  return {
    tunnels: ({ limit, cursor, search, state, kind, tag, sort, ...o }: PageOptions & TunnelWish = {}) => {
      const query = { limit, cursor, search, state: state?.join(','), kind, tag, sort }
      return call(options, { method: 'GET', path: '/v1/tunnels', answer: tunnels.tunnelPageSchema, query }, o)
    },
    tunnel: (tunnel: string, o?: CallOptions) =>
      call(options, { method: 'GET', path: pathOf(tunnel), answer: tunnels.tunnelSchema }, o),
    createTunnel: (json: In<typeof tunnels.tunnelCreateSchema>, o?: CallOptions) =>
      call(options, { method: 'POST', path: '/v1/tunnels', answer: tunnels.tunnelSchema, json }, o),
    /** `ifMatch`: the tunnel's `revision` as read, in quotes, so that a change by somebody else is not overwritten. */
    updateTunnel: (
      tunnel: string,
      json: In<typeof tunnels.tunnelUpdateSchema>,
      { ifMatch, ...o }: CallOptions & { readonly ifMatch?: string } = {},
    ) =>
      call(
        options,
        {
          method: 'PATCH',
          path: pathOf(tunnel),
          answer: tunnels.tunnelSchema,
          json,
          ...(ifMatch === undefined ? {} : { ifMatch }),
        },
        o,
      ),
    deleteTunnel: (tunnel: string, o?: CallOptions) =>
      call(options, { method: 'DELETE', path: pathOf(tunnel), answer: nothing }, o),
    agents: (o?: CallOptions) =>
      call(options, { method: 'GET', path: '/v1/agents', answer: agents.agentsSchema }, o),
    stopAgent: (agent: string, o?: CallOptions) =>
      call(
        options,
        {
          method: 'POST',
          path: `/v1/agents/${encodeURIComponent(agent)}/stop`,
          answer: agents.stoppedAgentSchema,
        },
        o,
      ),
    watch: (json: In<typeof tunnels.watchRequestSchema> = {}, o?: CallOptions) =>
      call(options, { method: 'POST', path: '/v1/watch', answer: tunnels.watchSchema, json }, o),
  }
}

function leaseCalls(options: ClientOptions) {
  return {
    claim: (json: In<typeof tunnels.claimSchema>, o?: CallOptions) =>
      call(options, { method: 'POST', path: '/v1/leases', answer: tunnels.claimResultSchema, json }, o),
    cells: (o?: CallOptions) =>
      call(options, { method: 'GET', path: '/v1/cells', answer: tunnels.openCellsSchema }, o),
    renew: (json: In<typeof tunnels.renewSchema>, o?: CallOptions) =>
      call(options, { method: 'POST', path: '/v1/leases/renew', answer: tunnels.claimResultSchema, json }, o),
    release: (json: In<typeof tunnels.releaseSchema>, o?: CallOptions) =>
      call(options, { method: 'POST', path: '/v1/leases/release', answer: nothing, json }, o),
    reportUpstreams: (json: In<typeof tunnels.upstreamReportSchema>, o?: CallOptions) =>
      call(options, { method: 'POST', path: '/v1/leases/upstreams', answer: nothing, json }, o),
  }
}

/** Own domains, each called by its host. */
function domainCalls(options: ClientOptions) {
  const { domainSchema: answer } = domains
  const at = (host: string) => `/v1/domains/${encodeURIComponent(host)}`
  return {
    domains: ({ limit, cursor, ...o }: PageOptions = {}) =>
      call(
        options,
        { method: 'GET', path: '/v1/domains', answer: domainPageSchema, query: { limit, cursor } },
        o,
      ),
    domain: (host: string, o?: CallOptions) => call(options, { method: 'GET', path: at(host), answer }, o),
    addDomain: (json: In<typeof domains.domainAddSchema>, o?: CallOptions) =>
      call(options, { method: 'POST', path: '/v1/domains', answer, json }, o),
    giveDomain: (host: string, json: In<typeof domains.domainUpdateSchema>, o?: CallOptions) =>
      call(options, { method: 'PATCH', path: at(host), answer, json }, o),
    /** The answer is the domain as it was before the look. */
    checkDomain: (host: string, o?: CallOptions) =>
      call(options, { method: 'POST', path: `${at(host)}/check`, answer }, o),
    removeDomain: (host: string, o?: CallOptions) =>
      call(options, { method: 'DELETE', path: at(host), answer: nothing }, o),
  }
}

/** Certificates for keys that stay on this machine. */
function certificateCalls(options: ClientOptions) {
  const { agentCertificateSchema: answer } = certificates
  return {
    requestCertificate: (json: In<typeof certificates.certificateRequestSchema>, o?: CallOptions) =>
      call(options, { method: 'POST', path: '/v1/certificates', answer, json }, o),
    certificate: (id: string, o?: CallOptions) =>
      call(options, { method: 'GET', path: `/v1/certificates/${encodeURIComponent(id)}`, answer }, o),
  }
}

function relayCalls(options: ClientOptions) {
  return {
    enrol: (json: In<typeof relays.enrolSchema>, o?: CallOptions) =>
      call(options, { method: 'POST', path: '/v1/relays/enrol', answer: relays.enrolledSchema, json }, o),
    sync: (json: In<typeof relays.syncSchema>, o?: CallOptions) =>
      call(options, { method: 'POST', path: '/v1/relays/sync', answer: relays.syncAnswerSchema, json }, o),
  }
}
