/** One report, for operators: what people wrote, whose the address is, what that was reported for; and deciding it. */
import { type Decision, decisionWords, shortKinds } from '@porttunneler/shared/api/schemas/report-words'
import { useState } from 'preact/hooks'
import { useParams } from 'wouter-preact'
import type { ReportPage } from '../api/operator-abuse-calls.ts'
import { useReport } from '../api/operator-abuse-queries.ts'
import { useOperatorAct } from '../api/operator-queries.ts'
import { failureIn } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button, TextLink } from '../parts/button.tsx'
import { DataTable } from '../parts/data-table.tsx'
import { formatBytes, formatCount, formatCounted } from '../parts/format.ts'
import { Reading } from '../parts/operator-parts.tsx'
import { Card, Page } from '../parts/page.tsx'
import { StateBadge } from '../parts/state-badge.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { AccountBadge } from './operator-badges.tsx'
import { ReasonDialog } from './operator-dialogs.tsx'
import { Facts } from './operator-facts.tsx'
import { CaseBadge, columns } from './operator-reports.tsx'

export function OperatorReportPage() {
  const { id = '' } = useParams<{ id: string }>()
  const query = useReport(id)
  const [decision, setDecision] = useState<Decision>()
  const report = query.data
  return (
    <Page
      title={report?.address ?? 'Report'}
      lead={report && <CaseBadge state={report.state} />}
      actions={report?.state === 'open' && <Acts report={report} onChoose={setDecision} />}
      isBroad
    >
      <Reading query={query} what="the report">
        {report && <Evidence report={report} />}
      </Reading>
      {report && decision && (
        <DecideDialog report={report} decision={decision} onClose={() => setDecision(undefined)} />
      )}
    </Page>
  )
}

function Acts({ report, onChoose }: { report: ReportPage; onChoose: (decision: Decision) => void }) {
  const { tunnelNow, owner } = report
  return (
    <div class="flex flex-wrap gap-3">
      <Button onClick={() => onChoose('dismissed')}>Dismiss</Button>
      {tunnelNow && <Button onClick={() => onChoose('warned')}>Warn the owner</Button>}
      {tunnelNow && (
        <Button look="danger" onClick={() => onChoose('taken_down')}>
          Take the tunnel down
        </Button>
      )}
      {owner && owner.status !== 'closed' && (
        <Button look="danger" onClick={() => onChoose('suspended')}>
          Suspend the account
        </Button>
      )}
    </div>
  )
}

function Evidence({ report }: { report: ReportPage }) {
  const { reports, count, earlier, decidedBy, decidedAt, reason } = report
  return (
    <div class="space-y-5">
      {decidedBy !== undefined && decidedAt !== undefined && (
        <p class="rounded-xl border border-line bg-surface p-4">
          Decided <TimeText at={decidedAt} isExact />: {reason}
        </p>
      )}
      <div class="grid gap-5 lg:grid-cols-2">
        <TunnelCard report={report} />
        <OwnerCard report={report} />
      </div>
      <Card title={`Reported ${formatCounted(count, 'time')}`}>
        <ul aria-label="What people wrote" class="divide-y divide-line">
          {reports.toReversed().map(({ at, kind, text, wantsAnswer }) => (
            <li key={`${at} ${text}`} class="py-3 first:pt-0 last:pb-0">
              <p class="text-sm text-muted">
                {shortKinds[kind]}, <TimeText at={at} />
                {wantsAnswer && ', wants an answer'}
              </p>
              <p class="max-w-prose break-words whitespace-pre-wrap">{text === '' ? 'No text.' : text}</p>
            </li>
          ))}
        </ul>
      </Card>
      <section aria-label="Other reports of this account" class="space-y-3">
        <h2 class="text-base font-semibold">Other reports of this account</h2>
        {earlier.length === 0 && <p class="text-muted">None in the last 400 days.</p>}
        {earlier.length > 0 && (
          <DataTable label="Other reports" columns={columns} rows={earlier} keyOf={({ id }) => id} />
        )}
      </section>
    </div>
  )
}

function TunnelCard({ report: { tunnelNow, firstAt, lastAt } }: { report: ReportPage }) {
  const times = [
    ['First reported', <TimeText key="first" at={firstAt} isExact />],
    ['Last reported', <TimeText key="last" at={lastAt} isExact />],
  ] as const
  if (!tunnelNow)
    return (
      <Card title="Tunnel">
        <p class="mb-3 text-muted">No tunnel has the address any more.</p>
        <Facts rows={times} />
      </Card>
    )
  const { name, kind, state, url, createdAt, takenDownAt } = tunnelNow
  return (
    <Card title={`Tunnel ${name}`}>
      <Facts
        rows={[
          ['State', <StateBadge key="state" state={state} />],
          ...(takenDownAt === undefined
            ? []
            : ([['Taken down', <TimeText key="down" at={takenDownAt} isExact />]] as const)),
          ['Kind', kind],
          ['Address', url ?? 'none now'],
          ['Made', <TimeText key="made" at={createdAt} isExact />],
          ...times,
        ]}
      />
    </Card>
  )
}

function OwnerCard({ report: { owner } }: { report: ReportPage }) {
  if (!owner)
    return (
      <Card title="Account">
        <p class="text-muted">Nobody had the address when it was reported.</p>
      </Card>
    )
  const { id, name, plan, status, createdAt, owners, mailProven, tunnels, online, usedBytes } = owner
  return (
    <Card title="Account">
      <Facts
        rows={[
          [
            'Name',
            <span key="name" class="flex flex-wrap items-center gap-2">
              <TextLink href={`/operator/accounts/${id}`}>{name || id}</TextLink>
              <AccountBadge status={status} />
            </span>,
          ],
          ['Owners', owners.join(', ')],
          ['Mail address', mailProven ? 'proven' : 'not proven'],
          ['Plan', plan],
          ['Made', <TimeText key="made" at={createdAt} isExact />],
          ['Tunnels', `${formatCount(tunnels)}, ${formatCount(online)} with an agent`],
          ...(usedBytes === undefined ? [] : ([['Transfer', formatBytes(usedBytes)]] as const)),
        ]}
      />
    </Card>
  )
}

const verbs: Readonly<Record<Decision, string>> = {
  dismissed: 'Dismiss',
  warned: 'Warn the owner',
  taken_down: 'Take it down',
  suspended: 'Suspend',
}

const asks: Readonly<Record<Decision, { readonly title: string; readonly text: string }>> = {
  dismissed: {
    title: 'Dismiss this report?',
    text: 'Nothing is done about the address. The reason goes into the audit log.',
  },
  warned: {
    title: 'Warn the owner?',
    text: 'The owners get a mail with the reason. The tunnel goes on.',
  },
  taken_down: {
    title: 'Take the tunnel down?',
    text: 'Its visitors are cut within seconds, and nobody can serve it. The owners get a mail with the reason.',
  },
  suspended: {
    title: 'Suspend the account?',
    text: 'All its tunnels go offline within seconds, its keys are refused, and its owners get a mail.',
  },
}

function DecideDialog({
  report: { id },
  decision,
  onClose,
}: {
  report: ReportPage
  decision: Decision
  onClose: () => void
}) {
  const { calls } = useServices()
  const announce = useAnnounce()
  const act = useOperatorAct(
    (reason: string) => calls.decideReport(id, { decision, reason }),
    () => {
      announce(decisionWords[decision])
      onClose()
    },
  )
  const { title, text } = asks[decision]
  return (
    <ReasonDialog
      title={title}
      action={verbs[decision]}
      isDanger={decision === 'taken_down' || decision === 'suspended'}
      onSubmit={(reason) => act.mutate(reason)}
      onClose={onClose}
      isBusy={act.isPending}
      failure={failureIn(act)}
    >
      <p>{text}</p>
      <p>Who reported it and left a mail address is told whether somebody acted, and not what was done.</p>
    </ReasonDialog>
  )
}
