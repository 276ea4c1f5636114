/** What is stored about the person and the account: a file of it, and its end. */
import { failureIn, useMe } from '../api/queries.ts'
import { Page, Panel, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { OwnDataCard } from './own-data-card.tsx'

export function OwnDataPage() {
  const me = useMe()
  const failure = failureIn(me)
  return (
    <Page title="Data" lead="Take what is stored with you, or have it deleted.">
      {failure && (
        <ProblemNotice failure={failure} onRetry={() => void me.refetch()} isRetrying={me.isFetching} />
      )}
      {me.isPending && <Skeleton what="your data" />}
      <Panel>{me.data && <OwnDataCard me={me.data} />}</Panel>
    </Page>
  )
}
