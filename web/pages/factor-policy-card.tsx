/** Whether the account asks its members for a second factor. */
import { useFactorPolicy } from '../api/factor-queries.ts'
import { failureIn, useAccount, useMe } from '../api/queries.ts'
import { Button } from '../parts/button.tsx'
import { Card } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { TimeText } from '../parts/time-text.tsx'

export function FactorPolicyCard() {
  const me = useMe()
  const account = useAccount()
  const change = useFactorPolicy()
  const failure = failureIn(change)
  if (!account.data || !me.data?.permissions.includes('account.update')) return null
  const { factorPolicy } = account.data
  return (
    <Card title="Second factor">
      <p class="max-w-prose text-muted">
        {factorPolicy ? (
          <>
            Members need a passkey or an authenticator app since <TimeText at={factorPolicy.since} isExact />.
            Keys of members who never had one stop on <TimeText at={factorPolicy.keysFrom} isExact />.
          </>
        ) : (
          'Members may sign in with a password alone. If you ask for a second factor, members without one are kept out until they add it, and after 14 days their API keys stop. Keys of services go on.'
        )}
      </p>
      {failure && (
        <div class="mt-4">
          <ProblemNotice failure={failure} />
        </div>
      )}
      <div class="mt-4">
        <Button onClick={() => change.mutate(!factorPolicy)} isBusy={change.isPending}>
          {factorPolicy ? 'Ask for it no longer' : 'Ask every member for one'}
        </Button>
      </div>
    </Card>
  )
}
