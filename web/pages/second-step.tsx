/** The second step of a sign-in, and the way back in for somebody who has lost every factor. */
import type { Ways } from '@porttunneler/shared/api/schemas/factors'
import { useState } from 'preact/hooks'
import { useLocation, useSearch } from 'wouter-preact'
import {
  type RecoveryStep,
  useFollowRecovery,
  useRecovery,
  useShowCode,
  useShowPasskey,
  useWays,
} from '../api/factor-queries.ts'
import { failureIn } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { useSignOut } from '../api/sign-out.ts'
import { Button } from '../parts/button.tsx'
import { TextField } from '../parts/field.tsx'
import { Heading, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { TimeText } from '../parts/time-text.tsx'

export function SecondStepPage() {
  const ways = useWays()
  const failure = failureIn(ways)
  const signOut = useSignOut()
  const [isLost, setLost] = useState(false)
  return (
    <>
      <Heading title="Second step" />
      <div class="mt-4 space-y-5">
        {failure && <ProblemNotice failure={failure} onRetry={() => void ways.refetch()} />}
        {ways.isPending && <Skeleton what="what you can show" />}
        {ways.data &&
          (isLost ? <Lost ways={ways.data} /> : <ShowFactor ways={ways.data} onDone={nothingMore} />)}
        <div class="flex flex-wrap justify-between gap-3">
          <Button look="quiet" onClick={() => setLost(!isLost)}>
            {isLost ? 'Back' : 'I lost all of them'}
          </Button>
          <Button
            look="quiet"
            onClick={() => signOut.mutate({ everywhere: false })}
            isBusy={signOut.isPending}
          >
            Sign out
          </Button>
        </div>
      </div>
    </>
  )
}

/** The page behind is shown as soon as the person's data are read again. */
const nothingMore = () => {}

/** What a person can show, here and where a call wants a fresh proof. */
export function ShowFactor({ ways, onDone }: { ways: Ways; onDone: () => void }) {
  const passkey = useShowPasskey(onDone)
  const code = useShowCode(onDone)
  const [typed, setTyped] = useState('')
  const failure = failureIn(passkey) ?? failureIn(code)
  const label = ways.app ? 'Code of your app, or a recovery code' : 'Recovery code'
  return (
    <div class="space-y-5">
      <p class="text-muted">Show that it is you, with one of your second factors.</p>
      {failure && <ProblemNotice failure={failure} />}
      {ways.passkey && (
        <div class="grid">
          <Button look="accent" onClick={() => passkey.mutate(undefined)} isBusy={passkey.isPending}>
            Use a passkey
          </Button>
        </div>
      )}
      {(ways.app || ways.codes) && (
        <form
          class="space-y-4"
          onSubmit={(event) => {
            event.preventDefault()
            code.mutate(typed.trim())
          }}
        >
          <TextField
            label={label}
            required
            autofocus={ways.passkey === undefined}
            autocomplete="one-time-code"
            maxLength={64}
            value={typed}
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
          <div class="grid">
            <Button type="submit" look={ways.passkey ? 'plain' : 'accent'} isBusy={code.isPending}>
              Go on
            </Button>
          </div>
        </form>
      )}
    </div>
  )
}

function Lost({ ways }: { ways: Ways }) {
  const { clock } = useServices()
  const recovery = useRecovery()
  const failure = failureIn(recovery)
  const { recovery: asked } = ways
  const isWaiting = asked !== undefined && asked.readyAt > 0
  const isReady = isWaiting && asked.readyAt <= clock.now()
  const act = (step: RecoveryStep, words: string, look: 'accent' | 'plain') => (
    <Button look={look} onClick={() => recovery.mutate(step)} isBusy={recovery.isPending}>
      {words}
    </Button>
  )
  return (
    <div class="space-y-4">
      {failure && <ProblemNotice failure={failure} />}
      {!isWaiting && (
        <>
          <p class="text-muted">
            We mail you a link. Following it begins a wait of 72 hours, in which we mail you each day and any
            of your signed-in browsers can stop it. Then you can remove your factors. An owner or admin of
            your team can end the wait.
          </p>
          {asked && <p role="status">A link is on its way. Open it in this browser within an hour.</p>}
          <div class="grid">{act('ask', asked ? 'Send another link' : 'Send me the link', 'accent')}</div>
        </>
      )}
      {isWaiting && !isReady && (
        <>
          <p role="status">
            The wait ends on <TimeText at={asked.readyAt} isExact />. Come back then and sign in again.
          </p>
          <div class="grid">{act('end', 'Stop the request', 'plain')}</div>
        </>
      )}
      {isReady && (
        <>
          <p>The wait is over. This removes all your factors and ends all your sessions.</p>
          <div class="grid gap-3">
            {act('complete', 'Remove my factors', 'accent')}
            {act('end', 'Stop the request', 'plain')}
          </div>
        </>
      )}
    </div>
  )
}

/** Where the link in the mail leads: the wait begins with a click, because mail programs follow links by themselves. */
export function RecoverPage() {
  const token = new URLSearchParams(useSearch()).get('token') ?? ''
  const [, navigate] = useLocation()
  const follow = useFollowRecovery()
  const failure = failureIn(follow)
  return (
    <>
      <Heading title="Sign in without your second factor" />
      <div class="mt-4 space-y-5">
        {failure && <ProblemNotice failure={failure} />}
        {follow.isSuccess ? (
          <p role="status">
            The wait of 72 hours has begun. Sign in again after that, choose "I lost all of them", and remove
            your factors.
          </p>
        ) : (
          <p class="text-muted">
            This begins a wait of 72 hours. After it you can remove all your passkeys, the app and the
            recovery codes.
          </p>
        )}
        <div class="grid gap-3">
          {!follow.isSuccess && (
            <Button look="accent" onClick={() => follow.mutate(token)} isBusy={follow.isPending}>
              Begin the wait
            </Button>
          )}
          <Button onClick={() => navigate('/', { replace: true })}>Back</Button>
        </div>
      </div>
    </>
  )
}
