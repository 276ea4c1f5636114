/** Asks a signed-in person to show that it is still them. A call waits for the answer (api/confirming.ts). */
import { useMutation } from '@tanstack/react-query'
import { useState } from 'preact/hooks'
import { useFactors } from '../api/factor-queries.ts'
import { useLinks } from '../api/link-queries.ts'
import { failureIn, useConfig } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { useSignOut } from '../api/sign-out.ts'
import { Button } from '../parts/button.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { TextField } from '../parts/field.tsx'
import { LazyPage } from '../parts/lazy-page.tsx'
import { Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'

const byFactor = async () => (await import('./factor-confirm.tsx')).FactorConfirm
const atFirebase = async () => (await import('./firebase-confirm.tsx')).FirebaseConfirm

export function ConfirmPage() {
  const { confirming } = useServices()
  const identity = useConfig().data?.identity
  const factors = useFactors()
  const failure = failureIn(factors)
  const { data } = factors
  // Who has a second factor shows that: a password is what a thief has more easily.
  const hasFactor = data && (data.passkeys.length > 0 || data.app !== undefined)
  return (
    <Dialog title="Confirm that it is you" onClose={() => confirming.settle(false)}>
      <p class="mt-2 text-muted">
        This step needs a fresh proof, because you signed in a while ago. It is good for 15 minutes.
      </p>
      {failure && <ProblemNotice failure={failure} onRetry={() => void factors.refetch()} />}
      {factors.isPending && <Skeleton rows={1} what="what you can show" />}
      {hasFactor && <LazyPage load={byFactor} />}
      {hasFactor === false && identity === 'local' && <Locally />}
      {hasFactor === false && identity === 'firebase' && <LazyPage load={atFirebase} />}
    </Dialog>
  )
}

/** People who signed up by another service have no password here: a new sign-in there is their proof. */
function Locally() {
  const links = useLinks(true)
  const failure = failureIn(links)
  if (failure) return <ProblemNotice failure={failure} onRetry={() => void links.refetch()} />
  if (!links.data) return <Skeleton rows={1} what="how you sign in" />
  if (links.data.hasPassword) return <ByPassword />
  return <BySigningIn names={links.data.items.map(({ name }) => name)} />
}

function BySigningIn({ names }: { names: readonly string[] }) {
  const { confirming } = useServices()
  const signOut = useSignOut()
  return (
    <div class="mt-4 space-y-4">
      <p>
        You have no password here: you sign in with {names.join(' or ')}. Sign in that way once more, and do
        this step again within 15 minutes. What you have typed on this page is lost.
      </p>
      <div class="flex flex-wrap justify-end gap-3">
        <Button onClick={() => confirming.settle(false)}>Cancel</Button>
        <Button
          look="accent"
          isBusy={signOut.isPending}
          onClick={() => signOut.mutate({ everywhere: false }, { onSuccess: () => confirming.settle(false) })}
        >
          Sign in again
        </Button>
      </div>
    </div>
  )
}

function ByPassword() {
  const { calls } = useServices()
  return <PasswordProof prove={(password) => calls.confirm({ password })} />
}

/** @param prove rejects with what the form shall say */
export function PasswordProof({ prove }: { prove: (password: string) => Promise<void> }) {
  const { confirming } = useServices()
  const [password, setPassword] = useState('')
  const check = useMutation({ mutationFn: prove, gcTime: 0, onSuccess: () => confirming.settle(true) })
  const failure = failureIn(check)
  return (
    <form
      aria-label="Confirm that it is you"
      class="mt-4 space-y-4"
      onSubmit={(event) => {
        event.preventDefault()
        check.mutate(password)
      }}
    >
      {failure && <ProblemNotice failure={failure} />}
      <TextField
        label="Your password"
        type="password"
        autocomplete="current-password"
        required
        autofocus
        maxLength={200}
        value={password}
        onInput={(event) => setPassword(event.currentTarget.value)}
      />
      <div class="flex flex-wrap justify-end gap-3">
        <Button onClick={() => confirming.settle(false)}>Cancel</Button>
        <Button type="submit" look="accent" isBusy={check.isPending}>
          Confirm
        </Button>
      </div>
    </form>
  )
}
