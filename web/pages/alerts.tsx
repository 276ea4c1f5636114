/** What is wrong with the account's tunnels, names and payments, and what was: with cause, cure and how it went on. */
import type { Alert } from '@porttunneler/shared/api/schemas/alerts'
import { useState } from 'preact/hooks'
import { Link } from 'wouter-preact'
import { useActOnAlert, useAlerts } from '../api/alert-queries.ts'
import { failureIn, useMe } from '../api/queries.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button } from '../parts/button.tsx'
import { CodeText } from '../parts/code-text.tsx'
import { SelectField } from '../parts/field.tsx'
import { Icon, type IconName } from '../parts/icon.tsx'
import { Card, Page, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { TimeText } from '../parts/time-text.tsx'

const dayMs = 24 * 3_600_000

export function AlertsPage() {
  const [state, setState] = useState<Alert['state'] | 'all'>('all')
  const query = useAlerts(state === 'all' ? {} : { state })
  const failure = failureIn(query)
  const items = query.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <Page title="Alerts" lead="Owners and admins are mailed when one begins and when it ends.">
      <div class="space-y-5">
        <SelectField
          label="State"
          value={state}
          onChange={(event) => setState(event.currentTarget.value as Alert['state'] | 'all')}
        >
          <option value="all">All</option>
          <option value="firing">Firing</option>
          <option value="acknowledged">Acknowledged</option>
          <option value="resolved">Over</option>
        </SelectField>
        {failure && <ProblemNotice failure={failure} onRetry={() => void query.refetch()} />}
        {query.isPending && <Skeleton what="the alerts" />}
        {query.data && items.length === 0 && <NoAlerts isAll={state === 'all'} />}
        {items.map((alert) => (
          <AlertCard key={alert.id} alert={alert} />
        ))}
        {query.hasNextPage && (
          <Button onClick={() => void query.fetchNextPage()} isBusy={query.isFetchingNextPage}>
            Show older ones
          </Button>
        )}
      </div>
    </Page>
  )
}

function NoAlerts({ isAll }: { isAll: boolean }) {
  return (
    <Card title="No alerts">
      <p class="text-muted">
        {isAll ? 'Nothing has been wrong for long enough to tell you of it.' : 'None is in this state.'}
      </p>
    </Card>
  )
}

const looks: Record<Alert['state'], { label: string; icon: IconName; look: string }> = {
  firing: { label: 'Firing', icon: 'alert', look: 'bg-danger-soft text-danger' },
  acknowledged: { label: 'Acknowledged', icon: 'away', look: 'bg-warn-soft text-warn' },
  resolved: { label: 'Over', icon: 'check', look: 'bg-ok-soft text-ok' },
}

function AlertCard({ alert }: { alert: Alert }) {
  const { title, name, state, unsteady, since, endedAt, cause, cure, code } = alert
  const { label, icon, look } = looks[state]
  const isTunnel = alert.subject.startsWith('tun_')
  return (
    <section aria-label={`${title}: ${name}`} class="rounded-xl border border-line bg-surface p-5 sm:p-6">
      <div class="flex flex-wrap items-center justify-between gap-3">
        <h2 class="min-w-0 text-base font-semibold break-words">
          {title}:{' '}
          {isTunnel ? (
            <Link href={`/tunnels/${alert.subject}`} class="underline">
              {name}
            </Link>
          ) : (
            name
          )}
        </h2>
        <span
          class={`inline-flex items-center gap-1.5 rounded-full py-1 pr-3 pl-2 text-sm font-medium ${look}`}
        >
          <Icon name={icon} size={16} />
          {unsteady ? `${label}, comes and goes` : label}
        </span>
      </div>
      <p class="mt-1 text-sm text-muted">
        Since <TimeText at={since} isExact />
        {endedAt !== undefined && (
          <>
            , over since <TimeText at={endedAt} isExact />
          </>
        )}
      </p>
      <p class="mt-3 max-w-prose">
        {code && <CodeText code={code} />} {cause} {state !== 'resolved' && cure}
      </p>
      <Timeline alert={alert} />
      {state !== 'resolved' && <Acts alert={alert} />}
    </section>
  )
}

function Timeline({ alert: { timeline } }: { alert: Alert }) {
  return (
    <details class="mt-4 text-sm">
      <summary class="cursor-pointer text-muted">How it went on</summary>
      <ol class="mt-2 space-y-1">
        {timeline.map(({ at, what }) => (
          <li key={`${at} ${what}`}>
            <TimeText at={at} isExact isInRow /> {what}
          </li>
        ))}
      </ol>
    </details>
  )
}

function Acts({ alert: { id, state, title, name, mutedUntil } }: { alert: Alert }) {
  const announce = useAnnounce()
  const mayAct = useMe().data?.permissions.includes('tunnels.write') ?? false
  const act = useActOnAlert(id)
  const failure = failureIn(act)
  if (!mayAct) return null
  const button = (label: string, wish: Parameters<typeof act.mutate>[0], said: string) => (
    <Button
      onClick={() => act.mutate(wish, { onSuccess: () => announce(said) })}
      isBusy={act.isPending}
      aria-label={`${label}: ${title}, ${name}`}
    >
      {label}
    </Button>
  )
  return (
    <div class="mt-5 flex flex-wrap items-center gap-3">
      {state === 'firing' && button('Acknowledge', { act: 'acknowledge' }, 'Others see that you look at it.')}
      {button('No mails for a day', { act: 'mute', forMs: dayMs }, 'Nobody is mailed about it for a day.')}
      {button('Close', { act: 'resolve' }, 'It is closed until it begins again.')}
      {mutedUntil !== undefined && (
        <span class="text-sm text-muted">
          No mails until <TimeText at={mutedUntil} isExact />
        </span>
      )}
      {failure && <ProblemNotice failure={failure} />}
    </div>
  )
}
