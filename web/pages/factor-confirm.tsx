/** A fresh proof by a second factor (pages/confirm.tsx). A chunk of its own, as the second step of a sign-in is. */
import { useWays } from '../api/factor-queries.ts'
import { failureIn } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { Button } from '../parts/button.tsx'
import { Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { ShowFactor } from './second-step.tsx'

export function FactorConfirm() {
  const { confirming } = useServices()
  const ways = useWays()
  const failure = failureIn(ways)
  return (
    <div class="mt-4 space-y-5">
      {failure && <ProblemNotice failure={failure} onRetry={() => void ways.refetch()} />}
      {ways.isPending && <Skeleton what="what you can show" />}
      {ways.data && <ShowFactor ways={ways.data} onDone={() => confirming.settle(true)} />}
      <Button onClick={() => confirming.settle(false)}>Cancel</Button>
    </div>
  )
}
