/** What is wrong with the account and what was, and who is told of it when: rules, maintenance, webhooks. */
import type { Alert } from '@porttunneler/shared/api/schemas/alerts'
import { useState } from 'preact/hooks'
import { useAlerts } from '../api/alert-queries.ts'
import { useMe } from '../api/queries.ts'
import { Choice, More, Reading } from '../parts/operator-parts.tsx'
import { Card, Page } from '../parts/page.tsx'
import { type Tab, Tabs } from '../parts/tabs.tsx'
import { AlertCard } from './alert-card.tsx'
import { AlertRulesTab } from './alert-rules.tsx'
import { MaintenanceTab } from './maintenance.tsx'
import { WebhooksTab } from './webhooks.tsx'

export function AlertsPage() {
  const mayManage = useMe().data?.permissions.includes('account.update') ?? false
  const tabs: readonly Tab[] = [
    { name: 'all', label: 'Alerts', content: () => <AlertList /> },
    { name: 'rules', label: 'Rules', content: () => <AlertRulesTab mayChange={mayManage} /> },
    { name: 'maintenance', label: 'Maintenance', content: () => <MaintenanceTab /> },
    ...(mayManage ? [{ name: 'webhooks', label: 'Webhooks', content: () => <WebhooksTab /> }] : []),
  ]
  return (
    <Page title="Alerts" lead="Owners and admins are mailed when one begins and when it ends.">
      <Tabs label="About alerts" tabs={tabs} />
    </Page>
  )
}

const states = [
  ['all', 'All'],
  ['firing', 'Firing'],
  ['acknowledged', 'Acknowledged'],
  ['resolved', 'Over'],
] as const satisfies readonly (readonly [Alert['state'] | 'all', string])[]

function AlertList() {
  const [state, setState] = useState<Alert['state'] | 'all'>('all')
  const query = useAlerts(state === 'all' ? {} : { state })
  const items = query.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <div class="space-y-5">
      <Choice label="State" value={state} options={states} onChange={setState} />
      <Reading query={query} what="the alerts">
        {query.data && items.length === 0 && <NoAlerts isAll={state === 'all'} />}
        {items.map((alert) => (
          <AlertCard key={alert.id} alert={alert} />
        ))}
        <More query={query} />
      </Reading>
    </div>
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
