/** Signing in and registering with the server's own accounts (identity `local`). */
import type { Tokens } from '@porttunneler/shared/api/schemas/accounts'
import { useMutation } from '@tanstack/react-query'
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { useLocation, useSearch } from 'wouter-preact'
import { failureIn, useConfig } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { Button, TextLink } from '../parts/button.tsx'
import { TextField } from '../parts/field.tsx'
import { nextAfterSignIn } from '../parts/next.ts'
import { Heading, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'

/** Said wherever a password is chosen. */
export const passwordHint = 'At least 10 characters. A few unrelated words are easy to keep in mind.'

export function SignInPage() {
  const { calls } = useServices()
  const search = useSearch()
  const config = useConfig()
  return (
    <LocalOnly title="Sign in">
      <CredentialsForm action="Sign in" passwordUse="current-password" call={calls.login} />
      <div class="mt-5 flex flex-wrap justify-between gap-x-4 gap-y-2 text-sm">
        <TextLink href="/forgot-password">Forgot the password?</TextLink>
        {config.data?.registration && (
          <TextLink href={`/register${search && `?${search}`}`}>Create an account</TextLink>
        )}
      </div>
    </LocalOnly>
  )
}

export function RegisterPage() {
  const { calls } = useServices()
  const search = useSearch()
  const isOpen = useConfig().data?.registration
  return (
    <LocalOnly title="Create an account">
      {isOpen ? (
        <CredentialsForm action="Create the account" passwordUse="new-password" call={calls.register} />
      ) : (
        <p class="mt-4 text-muted">Accounts of this server are made by whoever runs it. Ask for one.</p>
      )}
      <p class="mt-5 text-sm text-muted">
        You have one already? <TextLink href={`/sign-in${search && `?${search}`}`}>Sign in</TextLink>
      </p>
    </LocalOnly>
  )
}

function CredentialsForm({
  action,
  passwordUse,
  call,
}: {
  action: string
  passwordUse: 'current-password' | 'new-password'
  call: (body: { email: string; password: string }) => Promise<Tokens>
}) {
  const { session } = useServices()
  const search = useSearch()
  const [, navigate] = useLocation()
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const enter = useMutation({
    mutationFn: call,
    gcTime: 0,
    onSuccess: (tokens) => {
      const next = nextAfterSignIn(search)
      session.accept(tokens)
      navigate(next, { replace: true })
    },
  })
  const failure = failureIn(enter)
  const isNew = passwordUse === 'new-password'
  return (
    <form
      class="mt-5 space-y-4"
      onSubmit={(event) => {
        event.preventDefault()
        enter.mutate({ email: email.trim(), password })
      }}
    >
      {failure && <ProblemNotice failure={failure} />}
      <TextField
        label="Email"
        type="email"
        name="email"
        autocomplete="username"
        required
        autofocus
        value={email}
        onInput={(event) => setEmail(event.currentTarget.value)}
      />
      <TextField
        label="Password"
        type="password"
        name="password"
        autocomplete={passwordUse}
        required
        minLength={isNew ? 10 : 1}
        maxLength={200}
        hint={isNew ? passwordHint : undefined}
        value={password}
        onInput={(event) => setPassword(event.currentTarget.value)}
      />
      <div class="grid pt-1">
        <Button type="submit" look="accent" isBusy={enter.isPending}>
          {action}
        </Button>
      </div>
    </form>
  )
}

/** Shows a form only where the server keeps the accounts itself. */
export function LocalOnly({ title, children }: { title: string; children: ComponentChildren }) {
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
      {config.data && config.data.identity !== 'local' && (
        <p class="mt-4 text-muted">
          This server keeps no passwords: its accounts belong to an outside sign-in service. Use the ptun
          command with an API key.
        </p>
      )}
    </>
  )
}
