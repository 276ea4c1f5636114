/** The calls about second factors. Part of calls.ts. */
import type { Client } from '@porttunneler/shared/api/client'
import type { Requests } from './requests.ts'

type AnswerOf<Name extends keyof Client> = Awaited<ReturnType<Client[Name]>>
type BodyOf<Name extends keyof Client> = Extract<Parameters<Client[Name]>[0], object>

export function factorCalls(request: Requests) {
  const open = <T>(path: string, body?: unknown) => request<T>('POST', path, { body, isOpen: true })
  const post = <T>(path: string, body?: unknown) => request<T>('POST', path, { body })
  const passkeyAt = (id: string) => `/v1/factors/passkeys/${encodeURIComponent(id)}`
  return {
    beginPasskeySignIn: () => open<AnswerOf<'beginPasskeySignIn'>>('/v1/auth/passkey/options'),
    passkeySignIn: (body: BodyOf<'passkeySignIn'>) =>
      open<AnswerOf<'passkeySignIn'>>('/v1/auth/passkey', body),
    factors: (signal?: AbortSignal) => request<AnswerOf<'factors'>>('GET', '/v1/factors', { signal }),
    beginSecondStep: () => post<AnswerOf<'beginSecondStep'>>('/v1/factors/show/options'),
    showFactor: (body: BodyOf<'showFactor'>) => post<AnswerOf<'showFactor'>>('/v1/factors/show', body),
    beginPasskey: () => post<AnswerOf<'beginPasskey'>>('/v1/factors/passkeys/options'),
    addPasskey: (body: BodyOf<'addPasskey'>) => post<AnswerOf<'addPasskey'>>('/v1/factors/passkeys', body),
    renamePasskey: (id: string, body: { name: string }) => request<void>('PATCH', passkeyAt(id), { body }),
    removePasskey: (id: string) => request<void>('DELETE', passkeyAt(id)),
    beginApp: () => post<AnswerOf<'beginApp'>>('/v1/factors/app'),
    confirmApp: (body: BodyOf<'confirmApp'>) => post<AnswerOf<'confirmApp'>>('/v1/factors/app/confirm', body),
    removeApp: () => request<void>('DELETE', '/v1/factors/app'),
    renewRecoveryCodes: () => post<AnswerOf<'renewRecoveryCodes'>>('/v1/factors/codes'),
    askForRecovery: () => post<void>('/v1/factors/recovery'),
    followRecovery: (body: { token: string }) => post<void>('/v1/factors/recovery/follow', body),
    endRecovery: () => request<void>('DELETE', '/v1/factors/recovery'),
    completeRecovery: () => post<void>('/v1/factors/recovery/complete'),
    approveRecovery: (member: string) => post<void>(`/v1/members/${encodeURIComponent(member)}/recovery`),
    setFactorPolicy: (body: { required: boolean }) =>
      post<AnswerOf<'setFactorPolicy'>>('/v1/account/factor-policy', body),
  }
}
