/** Whether an account or a person is on a legal hold, and the way to place one. */
import { useHolds } from '../api/operator-keeping-queries.ts'
import { ButtonLink } from '../parts/button.tsx'
import { Reading } from '../parts/operator-parts.tsx'
import { Card } from '../parts/page.tsx'
import { TimeText } from '../parts/time-text.tsx'

export function HoldCard({ about }: { about: string }) {
  const query = useHolds()
  const hold = query.data?.items.find((one) => one.about === about)
  return (
    <Card title="Legal hold">
      <Reading query={query} what="the holds">
        {query.data && (
          <div class="flex flex-wrap items-center justify-between gap-3">
            <p class="min-w-0 break-words">
              {hold ? (
                <>
                  On hold until <TimeText at={hold.until} isExact />: {hold.reason}
                </>
              ) : (
                <span class="text-muted">It is not on hold.</span>
              )}
            </p>
            <ButtonLink href={`/operator/retention${hold ? '' : `?${new URLSearchParams({ hold: about })}`}`}>
              {hold ? 'Show the holds' : 'Place a hold'}
            </ButtonLink>
          </div>
        )}
      </Reading>
    </Card>
  )
}
