/** The page that a sign-in service sends the browser back to: it finishes what this tab began there. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'preact/hooks'
import { useLocation, useSearch } from 'wouter-preact'
import { type BegunSignIn, takeBegun } from '../api/begun-sign-in.ts'
import { ApiFailure } from '../api/failure.ts'
import { failureIn } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { ButtonLink } from '../parts/button.tsx'
import { keptInvite } from '../parts/kept-invite.ts'
import { invitationIn, nextAfterSignIn } from '../parts/next.ts'
import { Heading, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'

export function ReturnedPage() {
  const [path, navigate] = useLocation()
  const service = path.split('/').at(-1) ?? ''
  const search = useSearch()
  // Read once: the code is taken out of the address at once.
  const [came] = useState(() => ({ begun: takeBegun(service), search }))
  const { begun } = came
  const finish = useFinish(service, came)
  const { mutate } = finish
  useEffect(() => {
    navigate(path, { replace: true })
    mutate()
  }, [mutate, navigate, path])
  const failure = failureIn(finish)
  return (
    <>
      <Heading title={begun?.purpose === 'link' ? 'Add a sign-in' : 'Sign in'} />
      <div class="mt-5 space-y-5">
        {failure ? (
          <>
            <ProblemNotice failure={failure} />
            <div class="grid gap-3">
              {failure.problem.code === 'PT-1015' && (
                <ButtonLink href={`/register?${begun?.search ?? ''}`}>Enter an invite code</ButtonLink>
              )}
              <WayBack begun={begun} />
            </div>
          </>
        ) : (
          <Skeleton what="the answer of the sign-in service" />
        )}
      </div>
    </>
  )
}

function WayBack({ begun }: { begun: BegunSignIn | undefined }) {
  if (begun?.purpose === 'link') return <ButtonLink href="/account">Back to the account</ButtonLink>
  return (
    <ButtonLink href={`/sign-in${begun?.search ? `?${begun.search}` : ''}`}>Back to the sign-in</ButtonLink>
  )
}

function useFinish(
  service: string,
  { begun, search }: { readonly begun: BegunSignIn | undefined; readonly search: string },
) {
  const { calls, session } = useServices()
  const client = useQueryClient()
  const [, navigate] = useLocation()
  return useMutation({
    gcTime: 0,
    mutationFn: async () => {
      if (!begun) throw notBegun()
      const returned = { ...returnedIn(search), secret: begun.secret }
      if (begun.purpose === 'link') {
        await calls.finishLink(service, returned)
        return undefined
      }
      const invite = keptInvite()
      const invitation = invitationIn(begun.search)
      return calls.finishServiceSignIn(service, {
        ...returned,
        ...(invite !== '' && { invite }),
        ...(invitation !== undefined && { invitation }),
      })
    },
    onSuccess: async (tokens) => {
      if (tokens) session.accept(tokens)
      else await client.invalidateQueries({ queryKey: ['links'] })
      navigate(tokens ? nextAfterSignIn(begun?.search ?? '') : '/account', { replace: true })
    },
  })
}

/** The parameters that the service has added (RFC 6749, section 4.1.2; RFC 9207). */
function returnedIn(search: string) {
  const parameters = new URLSearchParams(search)
  const named = (name: string) => {
    const value = parameters.get(name)
    return value === null ? {} : { [name]: value }
  }
  return { state: parameters.get('state') ?? '', ...named('code'), ...named('iss'), ...named('error') }
}

function notBegun(): ApiFailure {
  return new ApiFailure({
    title: 'Sign-in was not begun here',
    status: 400,
    code: 'PT-1033',
    type: '/errors/PT-1033',
    detail: 'This tab has begun no sign-in at this service, or it has finished it.',
    cure: 'Begin again on the sign-in page, and stay in one tab. If you did not begin one, somebody sent you this link: close the page.',
  })
}
