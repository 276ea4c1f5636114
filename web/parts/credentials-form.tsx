/** Address and password, the same form wherever the accounts are kept. */
import type { Tokens } from '@porttunneler/shared/api/schemas/accounts'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'preact/hooks'
import { useLocation, useSearch } from 'wouter-preact'
import { failureIn } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { Button, TextLink } from './button.tsx'
import { TextField } from './field.tsx'
import { nextAfterSignIn } from './next.ts'
import { ProblemNotice } from './problem-notice.tsx'

/** Said wherever a password is chosen. */
export const passwordHint = 'At least 10 characters. A few unrelated words are easy to keep in mind.'

export type Credentials = { readonly email: string; readonly password: string }

/** What to do with the tokens of a sign-in: keep them, and go where the person wanted to. */
export function useEnter(): (tokens: Tokens) => void {
  const { session } = useServices()
  const search = useSearch()
  const [, navigate] = useLocation()
  return (tokens) => {
    const next = nextAfterSignIn(search)
    session.accept(tokens)
    navigate(next, { replace: true })
  }
}

export function CredentialsForm({
  action,
  passwordUse,
  submit,
}: {
  action: string
  passwordUse: 'current-password' | 'new-password'
  /** Rejects with what the form shall say. */
  submit: (given: Credentials) => Promise<void>
}) {
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const enter = useMutation({ mutationFn: submit, gcTime: 0 })
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

export function HaveOne() {
  const search = useSearch()
  return (
    <p class="mt-5 text-sm text-muted">
      You have one already? <TextLink href={`/sign-in${search && `?${search}`}`}>Sign in</TextLink>
    </p>
  )
}
