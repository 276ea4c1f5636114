/**
 * Every call the console makes, one function each. The shapes are those of the shared client (shared/api/client.ts),
 * and calls.test.ts holds both to the same requests; the client itself would bring the schema library along, which
 * weighs more than the whole console (docs/decisions/0012-console-size.md).
 */
import type { Client } from '@porttunneler/shared/api/client'
import type { Role } from '@porttunneler/shared/api/schemas/access'
import { alertCalls, webhookCalls } from './alert-calls.ts'
import { billingCalls } from './billing-calls.ts'
import { factorCalls } from './factor-calls.ts'
import { historyCalls } from './history-calls.ts'
import { operatorAbuseCalls } from './operator-abuse-calls.ts'
import { operatorCalls } from './operator-calls.ts'
import { operatorKeepingCalls } from './operator-keeping-calls.ts'
import { operatorServiceCalls } from './operator-service-calls.ts'
import type { Requests, Tagged } from './requests.ts'

type AnswerOf<Name extends keyof Client> = Awaited<ReturnType<Client[Name]>>
type BodyOf<Name extends keyof Client> = Extract<Parameters<Client[Name]>[0], object>

export type KeyCreated = AnswerOf<'createKey'>
export type DevicePending = AnswerOf<'device'>
export type Watch = AnswerOf<'watch'>
/** A page of the list, with the ETag that it came with. */
export type TunnelPage = AnswerOf<'tunnels'> & { readonly tag: string }
export type TunnelWish = Pick<
  NonNullable<Parameters<Client['tunnels']>[0]>,
  'search' | 'state' | 'kind' | 'tag' | 'sort'
>
export type TunnelUpdate = Extract<Parameters<Client['updateTunnel']>[1], object>
export type UsageWish = {
  readonly from: number
  readonly to: number
  readonly step?: 'minute' | 'hour' | 'day'
}
/** At most one of action, actor and target. */
export type AuditWish = Pick<
  NonNullable<Parameters<Client['audit']>[0]>,
  'from' | 'to' | 'action' | 'actor' | 'target' | 'limit' | 'cursor'
>
export type Calls = ReturnType<typeof makeCalls>

export function makeCalls(request: Requests) {
  return {
    ...signInCalls(request),
    ...serviceCalls(request),
    ...accountCalls(request),
    ...auditCalls(request),
    ...ownDataCalls(request),
    ...teamCalls(request),
    ...tunnelCalls(request),
    ...historyCalls(request),
    ...domainCalls(request),
    ...keptCalls(request),
    ...operatorAbuseCalls(request),
    ...factorCalls(request),
    ...billingCalls(request),
    ...alertCalls(request),
    ...webhookCalls(request),
    ...operatorCalls(request),
    ...operatorServiceCalls(request),
    ...operatorKeepingCalls(request),
  }
}

function signInCalls(request: Requests) {
  const open = <T>(path: string, body: unknown) => request<T>('POST', path, { body, isOpen: true })
  return {
    config: (signal?: AbortSignal) =>
      request<AnswerOf<'config'>>('GET', '/v1/config', { signal, isOpen: true }),
    plans: (signal?: AbortSignal) => request<AnswerOf<'plans'>>('GET', '/v1/plans', { signal, isOpen: true }),
    register: (body: BodyOf<'register'>) => open<void>('/v1/auth/register', body),
    confirmRegistration: (body: BodyOf<'confirmRegistration'>) =>
      open<AnswerOf<'confirmRegistration'>>('/v1/auth/register/confirm', body),
    joinWaitList: (body: BodyOf<'joinWaitList'>) => open<void>('/v1/wait-list', body),
    confirmWaitList: (body: BodyOf<'confirmWaitList'>) => open<void>('/v1/wait-list/confirm', body),
    login: (body: BodyOf<'login'>) => open<AnswerOf<'login'>>('/v1/auth/login', body),
    refresh: (body: BodyOf<'refresh'>) => open<AnswerOf<'refresh'>>('/v1/auth/refresh', body),
    /** Ends the session that the refresh token belongs to. */
    logout: (body: { refreshToken: string }) => open<void>('/v1/auth/logout', body),
    /** Ends the sign-in that the access token belongs to, where the refresh token is not ours: at Firebase. */
    logoutHere: () => request<void>('POST', '/v1/auth/logout', { body: {}, isOwn: true }),
    logoutEverywhere: () => request<void>('POST', '/v1/auth/logout', { body: { everywhere: true } }),
    changePassword: (body: BodyOf<'changePassword'>) =>
      request<AnswerOf<'changePassword'>>('POST', '/v1/auth/password', { body }),
    confirm: (body: BodyOf<'confirm'>) => request<void>('POST', '/v1/auth/confirm', { body }),
    requestPasswordReset: (body: BodyOf<'requestPasswordReset'>) =>
      open<void>('/v1/auth/password/reset', body),
    confirmPasswordReset: (body: BodyOf<'confirmPasswordReset'>) =>
      open<AnswerOf<'confirmPasswordReset'>>('/v1/auth/password/reset/confirm', body),
  }
}

/** Signing in with other services, and linking them. */
function serviceCalls(request: Requests) {
  const serviceAt = (id: string) => `/v1/auth/services/${encodeURIComponent(id)}`
  const linkAt = (id: string) => `/v1/auth/links/${encodeURIComponent(id)}`
  return {
    beginServiceSignIn: (service: string) =>
      request<AnswerOf<'beginServiceSignIn'>>('POST', serviceAt(service), { isOpen: true }),
    finishServiceSignIn: (service: string, body: Parameters<Client['finishServiceSignIn']>[1]) =>
      request<AnswerOf<'finishServiceSignIn'>>('POST', `${serviceAt(service)}/finish`, {
        body,
        isOpen: true,
      }),
    links: (signal?: AbortSignal) => request<AnswerOf<'links'>>('GET', '/v1/auth/links', { signal }),
    beginLink: (service: string) => request<AnswerOf<'beginLink'>>('POST', linkAt(service)),
    finishLink: (service: string, body: Parameters<Client['finishLink']>[1]) =>
      request<void>('POST', `${linkAt(service)}/finish`, { body }),
    removeLink: (id: string) => request<void>('DELETE', linkAt(id)),
  }
}

function accountCalls(request: Requests) {
  return {
    me: (signal?: AbortSignal) => request<AnswerOf<'me'>>('GET', '/v1/me', { signal }),
    createAccount: (code: string) =>
      request<AnswerOf<'createAccount'>>('POST', '/v1/accounts', { body: { code } }),
    sendFeedback: (body: BodyOf<'sendFeedback'>) => request<void>('POST', '/v1/feedback', { body }),
    account: (signal?: AbortSignal) => request<AnswerOf<'account'>>('GET', '/v1/account', { signal }),
    renameAccount: (body: BodyOf<'renameAccount'>) =>
      request<AnswerOf<'renameAccount'>>('PATCH', '/v1/account', { body }),
    usage: (query: UsageWish, signal?: AbortSignal) =>
      request<AnswerOf<'usage'>>('GET', `/v1/usage?${new URLSearchParams(textsOf(query))}`, { signal }),
    keys: (cursor?: string, signal?: AbortSignal) =>
      request<AnswerOf<'keys'>>('GET', pageOf('/v1/keys', cursor), { signal }),
    createKey: (body: BodyOf<'createKey'>) => request<KeyCreated>('POST', '/v1/keys', { body }),
    revokeKey: (id: string) => request<void>('DELETE', `/v1/keys/${encodeURIComponent(id)}`),
    device: (userCode: string, signal?: AbortSignal) =>
      request<DevicePending>('GET', `/v1/device/${encodeURIComponent(userCode)}`, { signal }),
    decideDevice: (body: BodyOf<'decideDevice'>) => request<void>('POST', '/v1/device/decision', { body }),
  }
}

function auditCalls(request: Requests) {
  const exportPath = '/v1/audit/export'
  return {
    audit: (wish: AuditWish, signal?: AbortSignal) =>
      request<AnswerOf<'audit'>>('GET', `/v1/audit?${new URLSearchParams(textsOf(wish))}`, { signal }),
    auditProof: (id: string) =>
      request<AnswerOf<'auditProof'>>('GET', `/v1/audit/${encodeURIComponent(id)}/proof`),
    startAuditExport: () => request<AnswerOf<'auditExport'>>('POST', exportPath, { body: {} }),
    auditExport: (signal?: AbortSignal) => request<AnswerOf<'auditExport'>>('GET', exportPath, { signal }),
    auditExportPart: (part: number) => request<Blob>('GET', `${exportPath}/${part}`, { isFile: true }),
  }
}

function ownDataCalls(request: Requests) {
  const file = (path: string) => request<Blob>('POST', path, { isFile: true })
  return {
    terms: (signal?: AbortSignal) => request<AnswerOf<'terms'>>('GET', '/v1/person/terms', { signal }),
    acceptTerms: (body: BodyOf<'acceptTerms'>) =>
      request<AnswerOf<'acceptTerms'>>('POST', '/v1/person/terms', { body }),
    mailWishes: (signal?: AbortSignal) =>
      request<AnswerOf<'mailWishes'>>('GET', '/v1/person/mails', { signal }),
    wishMails: (purpose: string, body: Parameters<Client['wishMails']>[1]) =>
      request<AnswerOf<'wishMails'>>('PATCH', `/v1/person/mails/${purpose}`, { body }),
    exportPerson: () => file('/v1/person/export'),
    exportAccount: () => file('/v1/account/export'),
    deletePerson: () => request<void>('DELETE', '/v1/person'),
    keepPerson: () => request<void>('POST', '/v1/person/keep'),
    closeAccount: () => request<void>('DELETE', '/v1/account'),
    keepAccount: () => request<void>('POST', '/v1/account/keep'),
  }
}

function teamCalls(request: Requests) {
  const memberAt = (id: string) => `/v1/members/${encodeURIComponent(id)}`
  return {
    accounts: (signal?: AbortSignal) => request<AnswerOf<'accounts'>>('GET', '/v1/accounts', { signal }),
    signIns: (signal?: AbortSignal) => request<AnswerOf<'signIns'>>('GET', '/v1/sign-ins', { signal }),
    endSignIn: (id: string) => request<void>('DELETE', `/v1/sign-ins/${encodeURIComponent(id)}`),
    endOtherSignIns: () => request<AnswerOf<'endOtherSignIns'>>('DELETE', '/v1/sign-ins'),
    addressChange: (signal?: AbortSignal) =>
      request<AnswerOf<'addressChange'>>('GET', '/v1/address-change', { signal }),
    requestAddressChange: (body: BodyOf<'requestAddressChange'>) =>
      request<void>('POST', '/v1/address-change', { body }),
    withdrawAddressChange: () => request<void>('DELETE', '/v1/address-change'),
    confirmAddressChange: (body: BodyOf<'confirmAddressChange'>) =>
      request<AnswerOf<'confirmAddressChange'>>('POST', '/v1/address-change/confirm', { body }),
    stopAddressChange: (body: BodyOf<'stopAddressChange'>) =>
      request<void>('POST', '/v1/address-change/stop', { body, isOpen: true }),
    members: (signal?: AbortSignal) => request<AnswerOf<'members'>>('GET', '/v1/members', { signal }),
    changeMember: (id: string, body: { role: Role }) => request<void>('PATCH', memberAt(id), { body }),
    removeMember: (id: string) => request<void>('DELETE', memberAt(id)),
    handOver: (id: string) => request<void>('POST', `${memberAt(id)}/ownership`),
    createServiceMember: (body: BodyOf<'createServiceMember'>) =>
      request<AnswerOf<'createServiceMember'>>('POST', '/v1/members', { body }),
    invitations: (signal?: AbortSignal) =>
      request<AnswerOf<'invitations'>>('GET', '/v1/invitations', { signal }),
    invite: (body: BodyOf<'invite'>) => request<AnswerOf<'invite'>>('POST', '/v1/invitations', { body }),
    revokeInvitation: (id: string) => request<void>('DELETE', `/v1/invitations/${encodeURIComponent(id)}`),
    readInvitation: (token: string) =>
      request<AnswerOf<'readInvitation'>>('POST', '/v1/invitations/read', { body: { token } }),
    /** For operators. */
    keptMails: (signal?: AbortSignal) => request<AnswerOf<'keptMails'>>('GET', '/v1/mails', { signal }),
    keptMail: (id: string, signal?: AbortSignal) =>
      request<AnswerOf<'keptMail'>>('GET', `/v1/mails/${encodeURIComponent(id)}`, { signal }),
    acceptInvitation: (token: string) =>
      request<AnswerOf<'acceptInvitation'>>('POST', '/v1/invitations/accept', { body: { token } }),
  }
}

function tunnelCalls(request: Requests) {
  const pathOf = (id: string) => `/v1/tunnels/${encodeURIComponent(id)}`
  return {
    tunnels: (cursor?: string, signal?: AbortSignal) =>
      request<AnswerOf<'tunnels'>>('GET', pageOf('/v1/tunnels', cursor), { signal }),
    /** `known`: the page as it was read last, which is returned itself when nothing has changed since. */
    tunnelPage: async (
      { search, state, kind, tag, sort, cursor }: TunnelWish & { readonly cursor?: string | undefined },
      known?: TunnelPage,
      signal?: AbortSignal,
    ): Promise<TunnelPage> => {
      const query = new URLSearchParams({
        limit: '100',
        ...(cursor !== undefined && { cursor }),
        ...(search !== undefined && { search }),
        ...(state && { state: state.join(',') }),
        ...(kind && { kind }),
        ...(tag && { tag }),
        ...(sort && { sort }),
      })
      const path = `/v1/tunnels?${query}`
      const options = { tag: known?.tag ?? '', signal }
      const answer = await request<Tagged<AnswerOf<'tunnels'>>>('GET', path, options)
      return answer.value ? { ...answer.value, tag: answer.tag } : (known ?? { items: [], tag: '' })
    },
    createTunnel: (body: BodyOf<'createTunnel'>) =>
      request<AnswerOf<'createTunnel'>>('POST', '/v1/tunnels', { body }),
    tunnel: (id: string, signal?: AbortSignal) => request<AnswerOf<'tunnel'>>('GET', pathOf(id), { signal }),
    /** `revision`: of the tunnel as read; the change fails with 412 when somebody else was faster. */
    updateTunnel: (id: string, body: TunnelUpdate, revision: number) =>
      request<AnswerOf<'updateTunnel'>>('PATCH', pathOf(id), { body, ifMatch: `"${revision}"` }),
    deleteTunnel: (id: string) => request<void>('DELETE', pathOf(id)),
    agents: (signal?: AbortSignal) => request<AnswerOf<'agents'>>('GET', '/v1/agents', { signal }),
    stopAgent: (id: string) =>
      request<AnswerOf<'stopAgent'>>('POST', `/v1/agents/${encodeURIComponent(id)}/stop`),
    watch: (signal?: AbortSignal) => request<Watch>('POST', '/v1/watch', { body: {}, signal }),
  }
}

function domainCalls(request: Requests) {
  const pathOf = (host: string) => `/v1/domains/${encodeURIComponent(host)}`
  return {
    domains: (cursor?: string, signal?: AbortSignal) =>
      request<AnswerOf<'domains'>>('GET', pageOf('/v1/domains', cursor), { signal }),
    addDomain: (body: BodyOf<'addDomain'>) => request<AnswerOf<'addDomain'>>('POST', '/v1/domains', { body }),
    /** null: it leads nowhere. */
    giveDomain: (host: string, tunnel: string | null) =>
      request<AnswerOf<'giveDomain'>>('PATCH', pathOf(host), { body: { tunnel } }),
    checkDomain: (host: string) => request<AnswerOf<'checkDomain'>>('POST', `${pathOf(host)}/check`),
    removeDomain: (host: string) => request<void>('DELETE', pathOf(host)),
  }
}

function keptCalls(request: Requests) {
  const pathOf = (list: 'names' | 'ports', id: string) => `/v1/${list}/${encodeURIComponent(id)}`
  const ifMatch = (revision: number) => `"${revision}"`
  return {
    names: (cursor?: string, signal?: AbortSignal) =>
      request<AnswerOf<'names'>>('GET', pageOf('/v1/names', cursor), { signal }),
    reserveName: (body: BodyOf<'reserveName'>) =>
      request<AnswerOf<'reserveName'>>('POST', '/v1/names', { body }),
    /** null: any tunnel of that name gets it. */
    giveName: (host: string, tunnel: string | null, revision: number) =>
      request<AnswerOf<'giveName'>>('PATCH', pathOf('names', host), {
        body: { tunnel },
        ifMatch: ifMatch(revision),
      }),
    /** To another account of the same person. */
    moveName: (host: string, account: string) =>
      request<void>('POST', `${pathOf('names', host)}/move`, { body: { account } }),
    releaseName: (host: string) => request<void>('DELETE', pathOf('names', host)),
    ports: (cursor?: string, signal?: AbortSignal) =>
      request<AnswerOf<'ports'>>('GET', pageOf('/v1/ports', cursor), { signal }),
    reservePort: (body: BodyOf<'reservePort'>) =>
      request<AnswerOf<'reservePort'>>('POST', '/v1/ports', { body }),
    /** null: any tunnel that asks for it gets it. */
    givePort: (id: string, tunnel: string | null, revision: number) =>
      request<AnswerOf<'givePort'>>('PATCH', pathOf('ports', id), {
        body: { tunnel },
        ifMatch: ifMatch(revision),
      }),
    movePort: (id: string, account: string) =>
      request<void>('POST', `${pathOf('ports', id)}/move`, { body: { account } }),
    releasePort: (id: string) => request<void>('DELETE', pathOf('ports', id)),
  }
}

/** What is not given is left out. */
function textsOf(query: Readonly<Record<string, string | number | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, `${value}`]])),
  )
}

function pageOf(path: string, cursor: string | undefined): string {
  const query = new URLSearchParams({ limit: '100', ...(cursor !== undefined && { cursor }) })
  return `${path}?${query}`
}
