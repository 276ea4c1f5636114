/** Second factors: reading and changing them, and what the browser does with passkeys. */

import type { Tokens } from '@porttunneler/shared/api/schemas/accounts'
import type { Attestation } from '@porttunneler/shared/api/schemas/factors'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { ApiFailure } from './failure.ts'
import { useConfig } from './queries.ts'
import { useServices } from './services.tsx'

const names = { factors: ['factors'], ways: ['ways'] } as const

export function useFactors() {
  const { calls } = useServices()
  return useQuery({ queryKey: names.factors, queryFn: ({ signal }) => calls.factors(signal) })
}

/** What the person can show in the second step. The challenge in it is for one try. */
export function useWays() {
  const { calls } = useServices()
  return useQuery({
    queryKey: names.ways,
    queryFn: () => calls.beginSecondStep(),
    staleTime: 0,
    gcTime: 0,
    retry: false,
  })
}

/** @param change what is done; everything that depends on the person's factors is read again after it */
function useFactorChange<Wish, Answer>(
  change: (wish: Wish) => Promise<Answer>,
  onDone?: (answer: Answer) => void,
) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: change,
    gcTime: 0,
    onSuccess: async (answer) => {
      onDone?.(answer)
      const stale = [names.factors, names.ways, ['me'], ['members'], ['account']]
      await Promise.all(stale.map((queryKey) => client.invalidateQueries({ queryKey })))
    },
  })
}

/** Where Firebase signs people in, a shown factor begins another sign-in. */
function useGoOn(): (answer: { readonly customToken?: string | undefined }) => Promise<void> {
  const { session } = useServices()
  const config = useConfig().data?.firebase
  return async ({ customToken }) => {
    if (customToken !== undefined) session.accept(await tokensFor(config, customToken))
  }
}

async function tokensFor(
  config: Parameters<typeof import('./firebase.ts').signInByToken>[0] | undefined,
  customToken: string,
): Promise<Tokens> {
  if (!config)
    throw new ApiFailure({ title: 'The server changed', status: 0, cure: 'Load the console again.' })
  const { signInByToken } = await import('./firebase.ts')
  return signInByToken(config, customToken)
}

/** Signs in with a passkey alone. */
export function usePasskeySignIn(onTokens: (tokens: Tokens) => void) {
  const { calls } = useServices()
  const config = useConfig().data?.firebase
  return useMutation({
    mutationFn: async () => {
      const assertion = await askForPasskey(await calls.beginPasskeySignIn())
      const answer = await calls.passkeySignIn({ assertion })
      return 'customToken' in answer ? tokensFor(config, answer.customToken) : answer
    },
    gcTime: 0,
    onSuccess: onTokens,
  })
}

export function useShowPasskey(onDone: () => void) {
  const { calls } = useServices()
  const goOn = useGoOn()
  return useFactorChange(async () => {
    // A challenge is good for one try.
    const { passkey } = await calls.beginSecondStep()
    if (!passkey) return
    await goOn(await calls.showFactor({ assertion: await askForPasskey(passkey) }))
  }, onDone)
}

export function useShowCode(onDone: () => void) {
  const { calls } = useServices()
  const goOn = useGoOn()
  return useFactorChange(async (code: string) => goOn(await calls.showFactor({ code })), onDone)
}

type Codes = { readonly codes: readonly string[] }

export function useAddPasskey(onDone: (answer: Codes) => void) {
  const { calls } = useServices()
  const goOn = useGoOn()
  return useFactorChange(async (name: string) => {
    const attestation = await makePasskey(await calls.beginPasskey())
    const answer = await calls.addPasskey({ attestation, name })
    await goOn(answer)
    return answer
  }, onDone)
}

export function useRenamePasskey(onDone: () => void) {
  const { calls } = useServices()
  return useFactorChange(
    ({ id, name }: { id: string; name: string }) => calls.renamePasskey(id, { name }),
    onDone,
  )
}

export function useRemovePasskey(onDone: () => void) {
  const { calls } = useServices()
  return useFactorChange(calls.removePasskey, onDone)
}

export function useBeginApp() {
  const { calls } = useServices()
  return useMutation({ mutationFn: () => calls.beginApp(), gcTime: 0 })
}

export function useConfirmApp(onDone: (answer: Codes) => void) {
  const { calls } = useServices()
  const goOn = useGoOn()
  return useFactorChange(async (code: string) => {
    const answer = await calls.confirmApp({ code })
    await goOn(answer)
    return answer
  }, onDone)
}

export function useRemoveApp(onDone: () => void) {
  const { calls } = useServices()
  return useFactorChange(() => calls.removeApp(), onDone)
}

export function useRenewCodes(onDone: (answer: Codes) => void) {
  const { calls } = useServices()
  return useFactorChange(() => calls.renewRecoveryCodes(), onDone)
}

export type RecoveryStep = 'ask' | 'end' | 'complete'

export function useRecovery() {
  const { calls } = useServices()
  const steps = {
    ask: calls.askForRecovery,
    end: calls.endRecovery,
    complete: calls.completeRecovery,
  } satisfies Record<RecoveryStep, () => Promise<void>>
  return useFactorChange((step: RecoveryStep) => steps[step]())
}

export function useFollowRecovery() {
  const { calls } = useServices()
  return useFactorChange((token: string) => calls.followRecovery({ token }))
}

export function useApproveRecovery(onDone: () => void) {
  const { calls } = useServices()
  return useFactorChange(calls.approveRecovery, onDone)
}

export function useFactorPolicy() {
  const { calls } = useServices()
  return useFactorChange((required: boolean) => calls.setFactorPolicy({ required }))
}

type Calls = ReturnType<typeof useServices>['calls']
type RequestOptions = Awaited<ReturnType<Calls['beginPasskeySignIn']>>
type CreationOptions = Awaited<ReturnType<Calls['beginPasskey']>>

async function askForPasskey(options: RequestOptions) {
  const { startAuthentication } = await import('@simplewebauthn/browser')
  const { id, response } = await told(() => startAuthentication({ optionsJSON: options as never }))
  const { clientDataJSON, authenticatorData, signature, userHandle } = response
  return {
    id,
    response: { clientDataJSON, authenticatorData, signature, ...(userHandle && { userHandle }) },
  }
}

async function makePasskey(options: CreationOptions): Promise<Attestation> {
  const { startRegistration } = await import('@simplewebauthn/browser')
  const { id, rawId, response } = await told(() => startRegistration({ optionsJSON: options as never }))
  const { clientDataJSON, attestationObject, transports } = response
  return {
    id,
    rawId,
    type: 'public-key',
    response: { clientDataJSON, attestationObject, ...(transports && { transports }) },
  }
}

/** Browsers say little on purpose; a closed dialog and no passkey look alike (WebAuthn, section 14.5). */
async function told<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (cause) {
    const isKnown = cause instanceof Error && cause.name === 'InvalidStateError'
    throw new ApiFailure(
      isKnown
        ? {
            title: 'This device has a passkey for you already',
            status: 0,
            cure: 'Use another device or security key, or go on with the one you have.',
          }
        : {
            title: 'No passkey was used',
            status: 0,
            detail:
              'The dialog was closed, it took too long, or this device has no passkey for this address.',
            cure: 'Try again, or use another way. Passkeys work at the address of the console alone.',
          },
      { cause },
    )
  }
}
