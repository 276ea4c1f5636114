/** Signing in and registering, with the server's own accounts or, where it has none, at Firebase (another chunk). */
import type { ComponentChildren, ComponentType } from 'preact'
import { useSearch } from 'wouter-preact'
import { failureIn, useConfig } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { TextLink } from '../parts/button.tsx'
import { CredentialsForm, HaveOne, useEnter } from '../parts/credentials-form.tsx'
import { keepInvite } from '../parts/kept-invite.ts'
import { LazyPage } from '../parts/lazy-page.tsx'
import { invitationIn } from '../parts/next.ts'
import { Heading, Skeleton } from '../parts/page.tsx'
import { PasskeyButton } from '../parts/passkey-button.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { LocalServices } from '../parts/service-buttons.tsx'
import { TermsNote } from '../parts/terms-note.tsx'

const firebaseSignIn = async () => (await import('./firebase.tsx')).FirebaseSignIn
const firebaseRegister = async () => (await import('./firebase.tsx')).FirebaseRegister
const localRegister = async () => (await import('./register.tsx')).LocalRegister

export function SignInPage() {
  const { calls } = useServices()
  const search = useSearch()
  const config = useConfig()
  const enter = useEnter()
  return (
    <ByIdentity title="Sign in" firebase={firebaseSignIn}>
      <CredentialsForm
        action="Sign in"
        passwordUse="current-password"
        submit={async (given) => enter(await calls.login(given))}
      />
      <PasskeyButton onTokens={enter} />
      <LocalServices />
      <div class="mt-5 flex flex-wrap justify-between gap-x-4 gap-y-2 text-sm">
        <TextLink href="/forgot-password">Forgot the password?</TextLink>
        {(config.data?.registration || invitationIn(search) !== undefined) && (
          <TextLink href={`/register${search && `?${search}`}`}>Create an account</TextLink>
        )}
      </div>
    </ByIdentity>
  )
}

export function RegisterPage() {
  const { registration, beta } = useConfig().data ?? {}
  const search = useSearch()
  const isInvited = invitationIn(search) !== undefined
  const code = new URLSearchParams(search).get('code')
  // Before the form reads it; the way to the account may lead through another page.
  if (code) keepInvite(code)
  return (
    <>
      <RegisterForm isOpen={registration || isInvited} />
      <TermsNote />
      {beta && !isInvited && (
        <p class="mt-3 text-sm">
          <TextLink href="/wait-list">No code? Join the waiting list</TextLink>
        </p>
      )}
    </>
  )
}

function RegisterForm({ isOpen }: { isOpen: boolean | undefined }) {
  return (
    <ByIdentity title="Create an account" firebase={firebaseRegister}>
      {isOpen ? (
        <LazyPage load={localRegister} />
      ) : (
        <>
          <p class="mt-4 text-muted">Accounts of this server are made by whoever runs it. Ask for one.</p>
          <HaveOne />
        </>
      )}
    </ByIdentity>
  )
}

/** Shows `children` where the server keeps the accounts itself, and what `firebase` loads where Firebase does. */
function ByIdentity({
  title,
  firebase,
  children,
}: {
  title: string
  firebase: () => Promise<ComponentType>
  children: ComponentChildren
}) {
  const config = useConfig()
  const failure = failureIn(config)
  return (
    <>
      <Heading title={title} />
      {config.isPending && (
        <div class="mt-5">
          <Skeleton what="the sign-in form" />
        </div>
      )}
      {failure && (
        <div class="mt-5">
          <ProblemNotice
            failure={failure}
            onRetry={() => void config.refetch()}
            isRetrying={config.isFetching}
          />
        </div>
      )}
      {config.data?.identity === 'local' && children}
      {config.data?.identity === 'firebase' && <LazyPage load={firebase} />}
    </>
  )
}
