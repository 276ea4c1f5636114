/** Approving `ptun login` on another device (RFC 8628): the person compares the code, then says yes or no. */
import type { Scope } from '@porttunneler/shared/api/schemas/access'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'preact/hooks'
import { useLocation, useSearch } from 'wouter-preact'
import type { DevicePending } from '../api/calls.ts'
import { failureIn, useDeviceRequest, useMe } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { Button, ButtonLink } from '../parts/button.tsx'
import { Checkbox, TextField } from '../parts/field.tsx'
import { formatCounted } from '../parts/format.ts'
import { Icon } from '../parts/icon.tsx'
import { Heading, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { scopeTexts } from '../parts/scope-text.ts'
import { TimeText } from '../parts/time-text.tsx'

export function DevicePage() {
  const code = codeIn(useSearch())
  return code === '' ? <CodeForm /> : <Approval code={code} key={code} />
}

/** `user_code` as in RFC 8628, section 3.3.1; `code` for short. */
function codeIn(search: string): string {
  const parameters = new URLSearchParams(search)
  return (parameters.get('user_code') ?? parameters.get('code') ?? '').trim()
}

function CodeForm() {
  const [, navigate] = useLocation()
  const [code, setCode] = useState('')
  return (
    <>
      <Heading title="Approve a device" />
      <form
        class="mt-3 space-y-4"
        onSubmit={(event) => {
          event.preventDefault()
          navigate(`/device?user_code=${encodeURIComponent(code.trim())}`)
        }}
      >
        <p class="text-muted">
          Type the code that <code class="font-mono">ptun login</code> shows.
        </p>
        <TextField
          label="Code"
          required
          autofocus
          maxLength={20}
          autocomplete="off"
          autocapitalize="characters"
          spellcheck={false}
          value={code}
          onInput={(event) => setCode(event.currentTarget.value.toUpperCase())}
        />
        <div class="grid pt-1">
          <Button type="submit" look="accent">
            Continue
          </Button>
        </div>
      </form>
    </>
  )
}

function Approval({ code }: { code: string }) {
  const { calls } = useServices()
  const request = useDeviceRequest(code)
  const decide = useMutation({ mutationFn: calls.decideDevice })
  const failure = failureIn(request)
  if (decide.isSuccess) return <Decided isApproved={decide.variables.approve} />
  return (
    <>
      <Heading title="Approve a device" />
      <div class="mt-4">
        {request.isPending && <Skeleton what="the request" />}
        {failure && (
          <div class="space-y-4">
            <ProblemNotice failure={failure} />
            <ButtonLink href="/device">Type another code</ButtonLink>
          </div>
        )}
        {request.data && (
          <Decision
            request={request.data}
            isBusy={decide.isPending}
            failure={failureIn(decide)}
            onDecide={(given) => decide.mutate({ userCode: request.data.userCode, ...given })}
          />
        )}
      </div>
    </>
  )
}

function Decision({
  request,
  isBusy,
  failure,
  onDecide,
}: {
  request: DevicePending
  isBusy: boolean
  failure: ReturnType<typeof failureIn>
  onDecide: (given: { approve: boolean; scopes?: Scope[] }) => void
}) {
  const [ticked, setTicked] = useState<readonly Scope[]>([])
  const usual = request.granted ?? request.scopes
  return (
    <div class="space-y-5">
      <p class="text-muted">Is this the code on the other screen?</p>
      <p class="rounded-xl bg-raised py-4 text-center font-mono text-3xl font-semibold tracking-[0.15em]">
        <span class="sr-only">Code: </span>
        {request.userCode}
      </p>
      <div class="flex gap-3 text-sm">
        <Icon name="device" size={20} />
        <p class="min-w-0">
          <span class="block font-semibold break-words">{request.device}</span>
          <span class="text-muted">
            asked <TimeText at={request.createdAt} /> from {request.from}
          </span>
        </p>
      </div>
      <Allowance request={request} usual={usual} ticked={ticked} onTick={setTicked} />
      {failure && <ProblemNotice failure={failure} />}
      <div class="grid grid-cols-2 gap-3">
        <Button onClick={() => onDecide({ approve: false })} isBusy={isBusy}>
          Deny
        </Button>
        <Button
          look="accent"
          onClick={() => onDecide({ approve: true, scopes: [...usual, ...ticked] })}
          isBusy={isBusy}
        >
          Approve
        </Button>
      </div>
      <p class="text-sm text-muted">You did not start this? Deny it: nothing happens then.</p>
    </div>
  )
}

/** What it gets anyway, and what it asks for beyond that: nothing is ticked for the person. */
function Allowance({
  request,
  usual,
  ticked,
  onTick,
}: {
  request: DevicePending
  usual: readonly Scope[]
  ticked: readonly Scope[]
  onTick: (ticked: readonly Scope[]) => void
}) {
  const me = useMe()
  const more = request.scopes.filter((scope) => !usual.includes(scope))
  return (
    <div class="text-sm">
      <p class="font-semibold">It will be allowed to</p>
      <ul class="mt-1 list-disc space-y-1 pl-5 text-muted">
        {usual.map((scope) => (
          <li key={scope}>{scopeTexts[scope].meaning}</li>
        ))}
      </ul>
      {me.data && <p class="mt-3 text-muted">in the account of {me.data.email ?? me.data.accountName}.</p>}
      {more.length > 0 && <p class="mt-3 font-semibold">It asks for more. Tick what you want to allow</p>}
      {more.map((scope) => (
        <div key={scope} class="mt-2">
          <Checkbox
            label={scopeTexts[scope].label}
            hint={scopeTexts[scope].meaning}
            isChecked={ticked.includes(scope)}
            onChange={(isTicked) =>
              onTick(isTicked ? [...ticked, scope] : ticked.filter((one) => one !== scope))
            }
          />
        </div>
      ))}
      {request.keyDays !== undefined && (
        <p class="mt-3 text-muted">Its key ends by itself after {formatCounted(request.keyDays, 'day')}.</p>
      )}
    </div>
  )
}

function Decided({ isApproved }: { isApproved: boolean }) {
  return (
    <div role="status">
      <Heading title={isApproved ? 'The device is signed in' : 'The device was turned away'} />
      <p class="mt-3 text-muted">
        {isApproved
          ? 'Go back to the terminal. The device has an API key of its own, which you can revoke here at any time.'
          : 'It got no access. If you did not expect the request, there is nothing else to do.'}
      </p>
      <div class="mt-5 grid">
        <ButtonLink href={isApproved ? '/' : '/keys'}>
          {isApproved ? 'Go to the tunnels' : 'Look at the API keys'}
        </ButtonLink>
      </div>
    </div>
  )
}
