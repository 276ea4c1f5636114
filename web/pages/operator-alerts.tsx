/** What is wrong with the service itself, for its operators, and what they do about it. */
import type { Alert } from '@porttunneler/shared/api/schemas/alerts'
import { useState } from 'preact/hooks'
import type { AlertAct } from '../api/alert-calls.ts'
import { useOperatorAct } from '../api/operator-queries.ts'
import { useServiceAlerts } from '../api/operator-service-queries.ts'
import { failureIn } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { Button } from '../parts/button.tsx'
import { CodeText } from '../parts/code-text.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { Choice, More, Reading, type Tone, ToneBadge } from '../parts/operator-parts.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { TimeText } from '../parts/time-text.tsx'

const tones: Record<Alert['state'], readonly [Tone, string]> = {
  firing: ['bad', 'Firing'],
  acknowledged: ['warn', 'Acknowledged'],
  resolved: ['ok', 'Over'],
}

export function AlertsSection() {
  const [state, setState] = useState<'firing' | 'all'>('all')
  const query = useServiceAlerts(state === 'all' ? undefined : state)
  const { calls } = useServices()
  const act = useOperatorAct(async ({ id, what }: { id: string; what: AlertAct }) => {
    await calls.actOnServiceAlert(id, what)
  })
  const failure = failureIn(act)
  const alerts = query.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <section aria-label="Alerts" class="space-y-3">
      <div class="flex flex-wrap items-center justify-between gap-3">
        <h2 class="text-base font-semibold">Alerts</h2>
        <Choice
          label="Which alerts"
          value={state}
          options={[
            ['all', 'All'],
            ['firing', 'Firing'],
          ]}
          onChange={setState}
        />
      </div>
      {failure && <ProblemNotice failure={failure} />}
      <Reading query={query} what="the alerts">
        {query.isSuccess && alerts.length === 0 && <p class="text-muted">Nothing is wrong.</p>}
        {alerts.length > 0 && (
          <DataTable
            label="Alerts of the service"
            columns={columnsOf((id, what) => act.mutate({ id, what }))}
            rows={alerts}
            keyOf={({ id }) => id}
          />
        )}
        <More query={query} />
      </Reading>
    </section>
  )
}

function columnsOf(onAct: (id: string, act: AlertAct) => void): readonly Column<Alert>[] {
  return [
    { head: 'Alert', cell: ({ title, name }) => `${title}: ${name}` },
    { head: 'State', cell: (alert) => <StateText alert={alert} /> },
    { head: 'Since', cell: ({ since }) => <TimeText at={since} isExact /> },
    {
      head: 'Why',
      cell: ({ code, cause, cure, state }) => (
        <span>
          {code && <CodeText code={code} />} {cause} {state !== 'resolved' && cure}
        </span>
      ),
    },
    {
      head: 'Actions',
      isActions: true,
      cell: ({ id, state, title, name }) => (
        <span class="flex justify-end gap-1">
          {state === 'firing' && (
            <Button
              look="quiet"
              onClick={() => onAct(id, { act: 'acknowledge' })}
              aria-label={`Acknowledge: ${title}, ${name}`}
            >
              Acknowledge
            </Button>
          )}
          {state !== 'resolved' && (
            <Button
              look="quiet"
              onClick={() => onAct(id, { act: 'resolve' })}
              aria-label={`Close: ${title}, ${name}`}
            >
              Close
            </Button>
          )}
        </span>
      ),
    },
  ]
}

function StateText({ alert: { state, unsteady } }: { alert: Alert }) {
  const [tone, word] = tones[state]
  return <ToneBadge tone={tone}>{unsteady ? `${word}, comes and goes` : word}</ToneBadge>
}
