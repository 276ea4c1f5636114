/** A button for each service to sign in with beside a password, the same wherever the accounts are kept. */
import { useMutation } from '@tanstack/react-query'
import { useSearch } from 'wouter-preact'
import { leaveFor } from '../api/begun-sign-in.ts'
import type { ApiFailure } from '../api/failure.ts'
import { failureIn, useConfig } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { Button } from './button.tsx'
import { ProblemNotice } from './problem-notice.tsx'

export type Service<Id extends string = string> = { readonly id: Id; readonly name: string }

export function ServiceButtons<Id extends string>({
  services,
  choose,
  busy,
  failure,
}: {
  services: readonly Service<Id>[]
  choose: (id: Id) => void
  /** The one whose click is being answered. */
  busy: Id | undefined
  failure: ApiFailure | undefined
}) {
  if (services.length === 0) return null
  return (
    <div class="mt-5 space-y-3">
      <p class="flex items-center gap-3 text-sm text-muted before:h-px before:flex-1 before:bg-line after:h-px after:flex-1 after:bg-line">
        or
      </p>
      {failure && <ProblemNotice failure={failure} />}
      {services.map(({ id, name }) => (
        <div key={id} class="grid">
          <Button onClick={() => choose(id)} isBusy={busy === id}>
            Continue with {name}
          </Button>
        </div>
      ))}
    </div>
  )
}

/** Those of a server that keeps the accounts itself. */
export function LocalServices({ onLeave }: { onLeave?: () => void }) {
  const { calls } = useServices()
  const search = useSearch()
  const { services = [] } = useConfig().data ?? {}
  const begin = useMutation({
    mutationFn: async (service: string) => {
      onLeave?.()
      leaveFor(await calls.beginServiceSignIn(service), { service, purpose: 'sign-in', search })
    },
    gcTime: 0,
  })
  // Until the page is gone the button stays busy.
  const busy = begin.isPending || begin.isSuccess ? begin.variables : undefined
  return <ServiceButtons services={services} choose={begin.mutate} busy={busy} failure={failureIn(begin)} />
}
