/** The client's calls for a person's second factors, and for an account that asks for them. Used by client.ts. */
import type { z } from 'zod'
import { type CallOptions, type ClientOptions, call, nothing } from './client-call.ts'
import * as factors from './schemas/factors.ts'
import { accountSchema, type factorPolicySchema } from './schemas/service.ts'

export function factorCalls(options: ClientOptions) {
  const post = <T>(path: string, answer: z.ZodType<T>, o?: CallOptions, json?: unknown) =>
    call(options, { method: 'POST', path, answer, ...(json !== undefined && { json }) }, o)
  const remove = (path: string, o?: CallOptions) =>
    call(options, { method: 'DELETE', path, answer: nothing }, o)
  const passkeyAt = (id: string) => `/v1/factors/passkeys/${encodeURIComponent(id)}`
  return {
    /** Options for the browser, to sign in with a passkey alone. */
    beginPasskeySignIn: (o?: CallOptions) =>
      post('/v1/auth/passkey/options', factors.requestOptionsSchema, o),
    /** At Firebase the answer is a custom token instead. */
    passkeySignIn: (json: z.input<typeof factors.passkeySignInSchema>, o?: CallOptions) =>
      post('/v1/auth/passkey', factors.passkeySignedInSchema, o, json),
    factors: (o?: CallOptions) =>
      call(options, { method: 'GET', path: '/v1/factors', answer: factors.factorsSchema }, o),
    beginSecondStep: (o?: CallOptions) => post('/v1/factors/show/options', factors.waysSchema, o),
    showFactor: (json: z.input<typeof factors.showSchema>, o?: CallOptions) =>
      post('/v1/factors/show', factors.shownSchema, o, json),
    beginPasskey: (o?: CallOptions) => post('/v1/factors/passkeys/options', factors.creationOptionsSchema, o),
    addPasskey: (json: z.input<typeof factors.passkeyAddSchema>, o?: CallOptions) =>
      post('/v1/factors/passkeys', factors.codesSchema, o, json),
    renamePasskey: (id: string, json: z.input<typeof factors.passkeyRenameSchema>, o?: CallOptions) =>
      call(options, { method: 'PATCH', path: passkeyAt(id), answer: nothing, json }, o),
    removePasskey: (id: string, o?: CallOptions) => remove(passkeyAt(id), o),
    beginApp: (o?: CallOptions) => post('/v1/factors/app', factors.appBegunSchema, o),
    confirmApp: (json: z.input<typeof factors.appConfirmSchema>, o?: CallOptions) =>
      post('/v1/factors/app/confirm', factors.codesSchema, o, json),
    removeApp: (o?: CallOptions) => remove('/v1/factors/app', o),
    renewRecoveryCodes: (o?: CallOptions) => post('/v1/factors/codes', factors.codesSchema, o),
    askForRecovery: (o?: CallOptions) => post('/v1/factors/recovery', nothing, o),
    followRecovery: (json: z.input<typeof factors.recoveryTokenSchema>, o?: CallOptions) =>
      post('/v1/factors/recovery/follow', nothing, o, json),
    endRecovery: (o?: CallOptions) => remove('/v1/factors/recovery', o),
    completeRecovery: (o?: CallOptions) => post('/v1/factors/recovery/complete', nothing, o),
    /** Ends the wait of a member who lost every factor. */
    approveRecovery: (member: string, o?: CallOptions) =>
      post(`/v1/members/${encodeURIComponent(member)}/recovery`, nothing, o),
    setFactorPolicy: (json: z.input<typeof factorPolicySchema>, o?: CallOptions) =>
      post('/v1/account/factor-policy', accountSchema, o, json),
  }
}
