/** Asks for an address, and has a link mailed to it: for a new password, and for an account. */
import { useMutation } from '@tanstack/react-query'
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { failureIn } from '../api/queries.ts'
import { Button, ButtonLink, TextLink } from './button.tsx'
import { TextField } from './field.tsx'
import { ProblemNotice } from './problem-notice.tsx'

/** What to do where the server keeps its mails in files. */
export const fileHint =
  'On a server that sends no mail, the link is in a file of the server: ask whoever runs it.'

export function LinkRequest({
  send,
  intro,
  fields,
  action = 'Send the link',
  done = 'Look at your mail',
  sent,
  unsentHint = '',
}: {
  send: (email: string) => Promise<void>
  intro: string
  /** Below the address. */
  fields?: ComponentChildren
  /** What the button says, and the heading afterwards. */
  action?: string
  done?: string
  /** What is said once the mail is on its way, which must not tell whether the address has an account. */
  sent: (email: ComponentChildren) => ComponentChildren
  /** What to do when no mail comes. */
  unsentHint?: string
}) {
  const [email, setEmail] = useState('')
  const ask = useMutation({ mutationFn: send })
  const failure = failureIn(ask)
  if (ask.isSuccess) {
    const address = <strong class="font-semibold break-words text-text">{email.trim()}</strong>
    return (
      <LetterSent title={done}>
        {sent(address)} {unsentHint}
      </LetterSent>
    )
  }
  return (
    <>
      <form
        class="mt-3 space-y-4"
        onSubmit={(event) => {
          event.preventDefault()
          ask.mutate(email.trim())
        }}
      >
        <p class="text-muted">{intro}</p>
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
        {fields}
        <div class="grid pt-1">
          <Button type="submit" look="accent" isBusy={ask.isPending}>
            {action}
          </Button>
        </div>
      </form>
      <p class="mt-5 text-sm">
        <TextLink href="/sign-in">Back to sign-in</TextLink>
      </p>
    </>
  )
}

function LetterSent({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <div role="status">
      <h2 class="mt-3 text-base font-semibold">{title}</h2>
      <p class="mt-2 text-muted">{children}</p>
      <div class="mt-5 grid">
        <ButtonLink href="/sign-in">Back to sign-in</ButtonLink>
      </div>
    </div>
  )
}
