/** Making an account where the server keeps the accounts itself: asking for a link, and the page that it leads to. */
import { useMutation } from '@tanstack/react-query'
import { useState } from 'preact/hooks'
import { useSearch } from 'wouter-preact'
import { failureIn, useConfig } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { Button } from '../parts/button.tsx'
import { passwordHint, useEnter } from '../parts/credentials-form.tsx'
import { TextField } from '../parts/field.tsx'
import { keepInvite, keptInvite } from '../parts/kept-invite.ts'
import { fileHint, LinkRequest } from '../parts/link-request.tsx'
import { invitationIn } from '../parts/next.ts'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { LocalServices } from '../parts/service-buttons.tsx'

export function LocalRegister() {
  const { calls } = useServices()
  const search = useSearch()
  const token = new URLSearchParams(search).get('token') ?? ''
  const needsCode = useConfig().data?.beta
  const [code, setCode] = useState(keptInvite)
  if (token !== '') return <ChoosePassword token={token} />
  const invitation = invitationIn(search)
  const isBeta = needsCode && invitation === undefined
  return (
    <>
      <LinkRequest
        send={(email) => {
          if (invitation !== undefined) return calls.register({ email, invitation })
          if (!isBeta) return calls.register({ email })
          keepInvite(code.trim())
          return calls.register({ email, code: code.trim() })
        }}
        fields={
          isBeta && (
            <TextField
              label="Invite code"
              autocomplete="off"
              spellcheck={false}
              required
              maxLength={200}
              value={code}
              onInput={(event) => setCode(event.currentTarget.value)}
            />
          )
        }
        intro="We send a link to your address. Behind it you choose a password, which makes the account."
        sent={(email) => (
          <>
            A mail is on its way to {email}. Its link works once, for an hour.
            {invitation !== undefined && ' When the account is made, open the link of the invitation again.'}
          </>
        )}
        unsentHint={fileHint}
      />
      <LocalServices onLeave={() => isBeta && keepInvite(code.trim())} />
    </>
  )
}

function ChoosePassword({ token }: { token: string }) {
  const { calls } = useServices()
  const enter = useEnter()
  const [password, setPassword] = useState('')
  const make = useMutation({ mutationFn: calls.confirmRegistration, gcTime: 0, onSuccess: enter })
  const failure = failureIn(make)
  return (
    <form
      class="mt-5 space-y-4"
      onSubmit={(event) => {
        event.preventDefault()
        make.mutate({ token, password })
      }}
    >
      {failure && <ProblemNotice failure={failure} />}
      <TextField
        label="Password"
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
        <Button type="submit" look="accent" isBusy={make.isPending}>
          Create the account
        </Button>
      </div>
    </form>
  )
}
