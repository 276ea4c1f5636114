/** One alert: what is wrong, since when, why, what helps, and what may be done about it. */
import type { Alert } from '@porttunneler/shared/api/schemas/alerts'
import type { ComponentChildren } from 'preact'
import { Link } from 'wouter-preact'
import { useActOnAlert } from '../api/alert-queries.ts'
import { failureIn, useMe } from '../api/queries.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button, TextLink } from '../parts/button.tsx'
import { CodeText } from '../parts/code-text.tsx'
import { Icon, type IconName } from '../parts/icon.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { TimeText } from '../parts/time-text.tsx'

const dayMs = 24 * 3_600_000

const looks: Record<Alert['state'], { label: string; icon: IconName; look: string }> = {
  firing: { label: 'Firing', icon: 'alert', look: 'bg-danger-soft text-danger' },
  acknowledged: { label: 'Acknowledged', icon: 'away', look: 'bg-warn-soft text-warn' },
  resolved: { label: 'Over', icon: 'check', look: 'bg-ok-soft text-ok' },
}

export function AlertBadge({ alert: { state, unsteady } }: { alert: Alert }) {
  const { label, icon, look } = looks[state]
  return (
    <span class={`inline-flex items-center gap-1.5 rounded-full py-1 pr-3 pl-2 text-sm font-medium ${look}`}>
      <Icon name={icon} size={16} />
      {unsteady ? `${label}, comes and goes` : label}
    </span>
  )
}

/** In a list of them: its page has what happened to it. */
export function AlertCard({ alert }: { alert: Alert }) {
  const { title, name } = alert
  return (
    <section aria-label={`${title}: ${name}`} class="rounded-xl border border-line bg-surface p-5 sm:p-6">
      <div class="flex flex-wrap items-center justify-between gap-3">
        <h2 class="min-w-0 text-base font-semibold break-words">
          <Link href={`/alerts/${alert.id}`} class="underline">
            {title}: {name}
          </Link>
        </h2>
        <AlertBadge alert={alert} />
      </div>
      <AlertText alert={alert} />
      {alert.state !== 'resolved' && <AlertActs alert={alert} />}
    </section>
  )
}

/** Since when, why, and what helps. */
export function AlertText({ alert, more }: { alert: Alert; more?: ComponentChildren }) {
  const { state, since, endedAt, cause, cure, code } = alert
  return (
    <>
      <p class="mt-1 text-sm text-muted">
        Since <TimeText at={since} isExact />
        {endedAt !== undefined && (
          <>
            , over since <TimeText at={endedAt} isExact />
          </>
        )}
        {more}
      </p>
      <p class="mt-3 max-w-prose">
        {code && <CodeText code={code} />} {cause} {state !== 'resolved' && cure}
      </p>
      {alert.subject.startsWith('tun_') && (
        <p class="mt-2 text-sm">
          <TextLink href={`/tunnels/${alert.subject}`}>The tunnel {alert.name}</TextLink>
        </p>
      )}
    </>
  )
}

export function AlertActs({ alert: { id, state, title, name, mutedUntil } }: { alert: Alert }) {
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
