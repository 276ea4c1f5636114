/** One alert with everything that has happened to it. */
import type { Alert } from '@porttunneler/shared/api/schemas/alerts'
import { useParams } from 'wouter-preact'
import { useAlert } from '../api/alert-queries.ts'
import { ActorText } from '../parts/actor-text.tsx'
import { Reading } from '../parts/operator-parts.tsx'
import { Card, Page } from '../parts/page.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { AlertActs, AlertBadge, AlertText } from './alert-card.tsx'

export function AlertPage() {
  const { id = '' } = useParams<{ id: string }>()
  const query = useAlert(id)
  const alert = query.data
  return (
    <Page
      title={alert ? `${alert.title}: ${alert.name}` : 'Alert'}
      actions={alert && <AlertBadge alert={alert} />}
    >
      <Reading query={query} what="the alert">
        {alert && (
          <div class="space-y-5">
            <Card>
              <AlertText alert={alert} more={<Told alert={alert} />} />
              {alert.state !== 'resolved' && <AlertActs alert={alert} />}
            </Card>
            <Timeline alert={alert} />
          </div>
        )}
      </Reading>
    </Page>
  )
}

function Told({ alert: { toldAt } }: { alert: Alert }) {
  if (toldAt === undefined) return <>. Nobody was told of it</>
  return (
    <>
      . Last told <TimeText at={toldAt} isExact />
    </>
  )
}

/** The server keeps the last 40 steps; the newest is the first here. */
function Timeline({ alert: { timeline } }: { alert: Alert }) {
  return (
    <Card title="How it went on">
      <ol class="divide-y divide-line text-sm">
        {timeline.toReversed().map(({ at, what, by }) => (
          <li key={`${at} ${what}`} class="flex flex-wrap gap-x-4 gap-y-1 py-2">
            <span class="w-44 text-muted">
              <TimeText at={at} isExact isInRow />
            </span>
            <span class="min-w-0 break-words">{what}</span>
            {by !== undefined && (
              <span class="text-muted">
                by <ActorText id={by} />
              </span>
            )}
          </li>
        ))}
      </ol>
    </Card>
  )
}
