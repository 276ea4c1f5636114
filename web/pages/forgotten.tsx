/** The way back in when a password is forgotten: asking for a letter, and the page that the letter links to. */
import { useMutation } from '@tanstack/react-query'
import { useState } from 'preact/hooks'
import { useSearch } from 'wouter-preact'
import { failureIn } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { Button, ButtonLink, TextLink } from '../parts/button.tsx'
import { TextField } from '../parts/field.tsx'
import { Heading } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { LocalOnly, passwordHint } from './sign-in.tsx'

export function ForgotPasswordPage() {
  const { calls } = useServices()
  const [email, setEmail] = useState('')
  const ask = useMutation({ mutationFn: calls.requestPasswordReset })
  const failure = failureIn(ask)
  if (ask.isSuccess) return <LetterSent email={email.trim()} />
  return (
    <LocalOnly title="Reset the password">
      <form
        class="mt-3 space-y-4"
        onSubmit={(event) => {
          event.preventDefault()
          ask.mutate({ email: email.trim() })
        }}
      >
        <p class="text-muted">We send a link to the account's address. It works once, for a short time.</p>
        {failure && <ProblemNotice failure={failure} />}
        <TextField
          label="Email"
          type="email"
          autocomplete="username"
          required
          autofocus
          value={email}
          onInput={(event) => setEmail(event.currentTarget.value)}
        />
        <div class="grid pt-1">
          <Button type="submit" look="accent" isBusy={ask.isPending}>
            Send the link
          </Button>
        </div>
      </form>
      <p class="mt-5 text-sm">
        <TextLink href="/sign-in">Back to sign-in</TextLink>
      </p>
    </LocalOnly>
  )
}

function LetterSent({ email }: { email: string }) {
  return (
    <div role="status">
      <Heading title="Look at your mail" />
      <p class="mt-3 text-muted">
        If <strong class="font-semibold text-text">{email}</strong> has an account, a link is on its way. On a
        server that sends no mail, the link is in the server's log: ask whoever runs it.
      </p>
      <div class="mt-5 grid">
        <ButtonLink href="/sign-in">Back to sign-in</ButtonLink>
      </div>
    </div>
  )
}

export function ResetPasswordPage() {
  const { calls, session } = useServices()
  const token = new URLSearchParams(useSearch()).get('token') ?? ''
  const [password, setPassword] = useState('')
  const reset = useMutation({
    mutationFn: calls.confirmPasswordReset,
    gcTime: 0,
    // Every session of the account ended with the old password, this browser's too.
    onSuccess: () => session.end(),
  })
  const failure = failureIn(reset)
  if (reset.isSuccess || token === '') return <ResetDone isDone={reset.isSuccess} />
  return (
    <>
      <Heading title="Choose a new password" />
      <form
        class="mt-5 space-y-4"
        onSubmit={(event) => {
          event.preventDefault()
          reset.mutate({ token, password })
        }}
      >
        {failure && <ProblemNotice failure={failure} />}
        <TextField
          label="New password"
          type="password"
          autocomplete="new-password"
          required
          autofocus
          minLength={10}
          maxLength={200}
          hint={passwordHint}
          value={password}
          onInput={(event) => setPassword(event.currentTarget.value)}
        />
        <div class="grid pt-1">
          <Button type="submit" look="accent" isBusy={reset.isPending}>
            Set the password
          </Button>
        </div>
      </form>
    </>
  )
}

function ResetDone({ isDone }: { isDone: boolean }) {
  return (
    <div role="status">
      <Heading title={isDone ? 'The password is set' : 'The link is not complete'} />
      <p class="mt-3 text-muted">
        {isDone
          ? 'All sessions of the account have ended. Sign in with the new password.'
          : 'Open the link from the mail again, in full, or ask for another one.'}
      </p>
      <div class="mt-5 grid">
        {isDone ? (
          <ButtonLink href="/sign-in" look="accent">
            Sign in
          </ButtonLink>
        ) : (
          <ButtonLink href="/forgot-password">Ask for another link</ButtonLink>
        )}
      </div>
    </div>
  )
}
