/** Signing in where Firebase keeps the accounts. A chunk of its own: it brings Firebase's SDK along. */
import type { FirebaseSignIn as Config } from '@porttunneler/shared/api/schemas/service'
import { useMutation } from '@tanstack/react-query'
import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { useSearch } from 'wouter-preact'
import {
  finishRedirect,
  type Outcome,
  type Provider,
  register,
  signIn,
  signInWith,
  type Unconfirmed,
} from '../api/firebase.ts'
import { failureIn, useConfig } from '../api/queries.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button, TextLink } from '../parts/button.tsx'
import { CredentialsForm, HaveOne, useEnter } from '../parts/credentials-form.tsx'
import { PasskeyButton } from '../parts/passkey-button.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { ServiceButtons } from '../parts/service-buttons.tsx'

export { sendReset } from '../api/firebase.ts'

const names = { 'google.com': 'Google', 'github.com': 'GitHub' } as const

/** The services that the person may choose from, in the order of the settings. */
export function servicesOf({ providers, issuers = [] }: Config) {
  return [...providers.map((id) => ({ id, name: names[id] })), ...issuers]
}

export function FirebaseSignIn() {
  const search = useSearch()
  const isOpen = useConfig().data?.registration
  return (
    <AtFirebase>
      {(config, take) => (
        <>
          <CredentialsForm
            action="Sign in"
            passwordUse="current-password"
            submit={async (given) => take(await signIn(config, given))}
          />
          <PasskeyButton onTokens={(tokens) => take({ tokens })} />
          <Providers config={config} take={take} />
          <div class="mt-5 flex flex-wrap justify-between gap-x-4 gap-y-2 text-sm">
            <TextLink href="/forgot-password">Forgot the password?</TextLink>
            {isOpen && <TextLink href={`/register${search && `?${search}`}`}>Create an account</TextLink>}
          </div>
        </>
      )}
    </AtFirebase>
  )
}

export function FirebaseRegister() {
  return (
    <AtFirebase>
      {(config, take) => (
        <>
          <CredentialsForm
            action="Create the account"
            passwordUse="new-password"
            submit={async (given) => take(await register(config, given))}
          />
          <Providers config={config} take={take} />
          <HaveOne />
        </>
      )}
    </AtFirebase>
  )
}

type Take = (outcome: Outcome | undefined) => void

/** A person who signs in goes on to the console, or first confirms the address. */
function AtFirebase({ children }: { children: (config: Config, take: Take) => ComponentChildren }) {
  const config = useConfig().data?.firebase
  const enter = useEnter()
  const [unconfirmed, setUnconfirmed] = useState<Unconfirmed>()
  const take: Take = (outcome) => {
    if (!outcome) return
    if ('tokens' in outcome) enter(outcome.tokens)
    else setUnconfirmed(outcome.unconfirmed)
  }
  const back = useMutation({ mutationFn: finishRedirect, onSuccess: take, gcTime: 0 })
  const { mutate } = back
  useEffect(() => {
    if (config) mutate(config)
  }, [config, mutate])
  if (!config) return null
  if (unconfirmed) return <ConfirmAddress who={unconfirmed} take={take} />
  const failure = failureIn(back)
  return (
    <>
      {failure && (
        <div class="mt-5">
          <ProblemNotice failure={failure} />
        </div>
      )}
      {children(config, take)}
    </>
  )
}

function Providers({ config, take }: { config: Config; take: Take }) {
  const enter = useMutation({
    mutationFn: (provider: Provider) => signInWith(config, provider),
    onSuccess: take,
    gcTime: 0,
  })
  return (
    <ServiceButtons
      services={servicesOf(config)}
      choose={enter.mutate}
      busy={enter.isPending ? enter.variables : undefined}
      failure={failureIn(enter)}
    />
  )
}

function ConfirmAddress({ who, take }: { who: Unconfirmed; take: Take }) {
  const announce = useAnnounce()
  const [isStill, setStill] = useState(false)
  const look = useMutation({
    mutationFn: who.look,
    gcTime: 0,
    onSuccess: (outcome) => {
      setStill('unconfirmed' in outcome)
      take(outcome)
    },
  })
  const send = useMutation({ mutationFn: who.sendMail, onSuccess: () => announce('The mail was sent.') })
  const failure = failureIn(look) ?? failureIn(send)
  return (
    <div class="mt-3 space-y-4">
      <div role="status" class="space-y-2">
        <h2 class="text-base font-semibold">Confirm your address</h2>
        <p class="text-muted">
          We have to know that <strong class="font-semibold break-words text-text">{who.email}</strong> is
          yours. Follow the link in the mail that was sent there, then come back to this page.
        </p>
        {isStill && <p class="font-medium">The link has not been followed yet.</p>}
        {send.isSuccess && <p class="font-medium">Another mail is on its way.</p>}
      </div>
      {failure && <ProblemNotice failure={failure} />}
      <div class="grid gap-3">
        <Button look="accent" onClick={() => look.mutate()} isBusy={look.isPending}>
          I have confirmed it
        </Button>
        <Button onClick={() => send.mutate()} isBusy={send.isPending}>
          Send the mail again
        </Button>
      </div>
    </div>
  )
}
