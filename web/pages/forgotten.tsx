/** The way back in when a password is forgotten: asking for a letter, and the page that the letter links to. */
import type { Key } from '@porttunneler/shared/api/schemas/accounts'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'preact/hooks'
import { useSearch } from 'wouter-preact'
import { failureIn, useConfig } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { Button, ButtonLink } from '../parts/button.tsx'
import { passwordHint } from '../parts/credentials-form.tsx'
import { Checkbox, TextField } from '../parts/field.tsx'
import { keysLeftText } from '../parts/keys-left-text.ts'
import { fileHint, LinkRequest } from '../parts/link-request.tsx'
import { Heading, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'

export function ForgotPasswordPage() {
  const { calls } = useServices()
  const config = useConfig()
  const firebase = config.data?.firebase
  const send = async (email: string) => {
    if (firebase) await (await import('./firebase.tsx')).sendReset(firebase, email)
    else await calls.requestPasswordReset({ email })
  }
  const failure = failureIn(config)
  return (
    <>
      <Heading title="Reset the password" />
      {config.isPending && <Skeleton what="the form" />}
      {failure && (
        <ProblemNotice
          failure={failure}
          onRetry={() => void config.refetch()}
          isRetrying={config.isFetching}
        />
      )}
      {config.data && (
        <LinkRequest
          send={send}
          intro="We send a link to the account's address. It works once, for a short time."
          sent={(email) => <>If {email} has an account, a link is on its way.</>}
          unsentHint={firebase ? '' : fileHint}
        />
      )}
    </>
  )
}

export function ResetPasswordPage() {
  const { calls, session } = useServices()
  const token = new URLSearchParams(useSearch()).get('token') ?? ''
  const [password, setPassword] = useState('')
  const [endKeys, setEndKeys] = useState(false)
  const reset = useMutation({
    mutationFn: calls.confirmPasswordReset,
    gcTime: 0,
    // Every session of the account ended with the old password, this browser's too.
    onSuccess: () => session.end(),
  })
  const failure = failureIn(reset)
  if (reset.isSuccess) return <ResetDone keys={reset.data.keys} />
  if (token === '') return <LinkIncomplete />
  return (
    <>
      <Heading title="Choose a new password" />
      <form
        class="mt-5 space-y-4"
        onSubmit={(event) => {
          event.preventDefault()
          reset.mutate({ token, password, endKeys })
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
        <Checkbox
          label="Also end my API keys"
          hint="Devices and services that use them go offline, and sign-ins of other services are removed. Tick it if somebody else may have used your account."
          isChecked={endKeys}
          onChange={setEndKeys}
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

function ResetDone({ keys }: { keys: readonly Key[] }) {
  return (
    <div role="status">
      <Heading title="The password is set" />
      <p class="mt-3 text-muted">All sessions of the account have ended. Sign in with the new password.</p>
      <p class="mt-3 text-muted">
        {keysLeftText(keys)}
        {keys.length > 0 && ' Revoke those that you do not know, on the page of the API keys.'}
      </p>
      <div class="mt-5 grid">
        <ButtonLink href="/sign-in" look="accent">
          Sign in
        </ButtonLink>
      </div>
    </div>
  )
}

function LinkIncomplete() {
  return (
    <div role="status">
      <Heading title="The link is not complete" />
      <p class="mt-3 text-muted">Open the link from the mail again, in full, or ask for another one.</p>
      <div class="mt-5 grid">
        <ButtonLink href="/forgot-password">Ask for another link</ButtonLink>
      </div>
    </div>
  )
}
