/** An account for operators: plan, limits, people, tunnels with their agents, notes; suspending it, and viewing it. */
import { useState } from 'preact/hooks'
import { useParams } from 'wouter-preact'
import type { OperatorAccount } from '../api/operator-calls.ts'
import { useOperatorAccount, useOperatorAct } from '../api/operator-queries.ts'
import { failureIn } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button, TextLink } from '../parts/button.tsx'
import { ConfirmDialog } from '../parts/dialog.tsx'
import { formatBytes, formatCount } from '../parts/format.ts'
import { Card, Page, Panel, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { roleTexts } from '../parts/role-text.ts'
import { StateBadge } from '../parts/state-badge.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { AccountFlagsCard } from './operator-account-flags.tsx'
import { AccountBadge } from './operator-badges.tsx'
import { ReasonDialog, ViewDialog, type ViewWish } from './operator-dialogs.tsx'
import { Facts } from './operator-facts.tsx'
import { HoldCard } from './operator-hold-card.tsx'
import { NotesCard } from './operator-notes.tsx'
import { IdText } from './operator-person.tsx'

export function OperatorAccountPage() {
  const { id = '' } = useParams<{ id: string }>()
  const query = useOperatorAccount(id)
  const account = query.data
  const failure = failureIn(query)
  const [isAsking, setAsking] = useState(false)
  const [wish, setWish] = useState<ViewWish>()
  const isOpen = account && account.status !== 'closed'
  return (
    <Page
      title={account?.name ?? 'Account'}
      lead={<IdText id={id} />}
      actions={
        isOpen && (
          <div class="flex flex-wrap gap-3">
            <Button look="accent" onClick={() => setWish({ account: id, accountName: account.name })}>
              View as an owner
            </Button>
            <Button look={account.status === 'active' ? 'danger' : 'plain'} onClick={() => setAsking(true)}>
              {account.status === 'active' ? 'Suspend' : 'Lift the suspension'}
            </Button>
          </div>
        )
      }
    >
      {failure && <ProblemNotice failure={failure} onRetry={() => void query.refetch()} />}
      {query.isPending && <Skeleton what="the account" />}
      {account && (
        <Panel>
          <About account={account} />
          <People account={account} onView={setWish} />
          <Tunnels account={account} />
          <AccountFlagsCard account={account} />
          <NotesCard about={id} />
          <HoldCard about={id} />
        </Panel>
      )}
      {isAsking && account?.status === 'active' && (
        <SuspendDialog account={account} onClose={() => setAsking(false)} />
      )}
      {isAsking && account?.status === 'suspended' && (
        <ResumeDialog account={account} onClose={() => setAsking(false)} />
      )}
      {wish && <ViewDialog wish={wish} onClose={() => setWish(undefined)} />}
    </Page>
  )
}

const limitTexts: readonly (readonly [limit: string, term: string, text: (value: number) => string])[] = [
  ['tunnelsOnline', 'Tunnels online at once', formatCount],
  ['transferBytesMonth', 'Transfer a month', formatBytes],
  ['reservedHosts', 'Reserved host names', formatCount],
  ['reservedPorts', 'Reserved ports', formatCount],
  ['domains', 'Own domains', formatCount],
  ['connectionsPerMinute', 'New connections a minute', formatCount],
]

function About({ account }: { account: OperatorAccount }) {
  const { plan, status, leavingAt, createdAt, counts, limits, overrides } = account
  const isPlain = status === 'active' && leavingAt === undefined
  return (
    <div class="grid gap-5 lg:grid-cols-2">
      <Card title="Account">
        <Facts
          rows={[
            ['State', isPlain ? 'Active' : <AccountBadge status={status} leavingAt={leavingAt} />],
            ['Plan', plan],
            ['Made', <TimeText key="made" at={createdAt} isExact />],
            ['Tunnels', `${formatCount(counts.tunnels)}, ${formatCount(counts.online)} with an agent`],
            ['API keys', formatCount(counts.keys)],
            ['Own domains', formatCount(counts.domains)],
            [
              'Abuse',
              <TextLink key="abuse" href={`/operator/abuse?${new URLSearchParams({ account: account.id })}`}>
                Reports of this account
              </TextLink>,
            ],
          ]}
        />
      </Card>
      <Card title="Limits">
        <Facts
          rows={limitTexts.flatMap(([limit, term, text]) => {
            const value = limits[limit]
            if (value === undefined) return []
            return [[term, `${text(value)}${overrides.includes(limit) ? ', changed for this account' : ''}`]]
          })}
        />
      </Card>
    </div>
  )
}

function People({ account, onView }: { account: OperatorAccount; onView: (wish: ViewWish) => void }) {
  const { id, name, members, status } = account
  return (
    <Card title="Members">
      <ul aria-label="Members" class="divide-y divide-line">
        {members.map((member) => (
          <li
            key={member.id}
            class="flex flex-wrap items-center justify-between gap-3 py-3 first:pt-0 last:pb-0"
          >
            <p class="min-w-0">
              <span class="block break-all">
                {member.email === undefined ? (
                  (member.name ?? member.id)
                ) : (
                  <TextLink href={`/operator/people/${member.id}`}>{member.email}</TextLink>
                )}
              </span>
              <span class="text-sm text-muted">
                {roleTexts[member.role].label}
                {member.email === undefined && ', service'}
                {member.status === 'disabled' && ', disabled'}
                {member.mailRefused && ', mails are refused'}
              </span>
            </p>
            {member.email !== undefined && status !== 'closed' && (
              <Button
                onClick={() =>
                  onView({
                    account: id,
                    accountName: name,
                    person: { id: member.id, email: member.email ?? '' },
                  })
                }
                aria-label={`View as this person: ${member.email}, in ${name}`}
              >
                View as this person
              </Button>
            )}
          </li>
        ))}
      </ul>
    </Card>
  )
}

function Tunnels({ account: { tunnels, counts } }: { account: OperatorAccount }) {
  return (
    <Card title="Tunnels">
      {tunnels.length === 0 && <p class="text-muted">No tunnels.</p>}
      {tunnels.length > 0 && (
        <ul aria-label="Tunnels" class="divide-y divide-line">
          {tunnels.map(({ id, name, kind, state, endpoint, holders }) => (
            <li key={id} class="flex flex-wrap items-center justify-between gap-3 py-3 first:pt-0 last:pb-0">
              <p class="min-w-0">
                <span class="block font-medium break-words">
                  {name} <span class="font-normal text-muted">{kind}</span>
                </span>
                <span class="font-mono text-[0.8125rem] break-all text-muted">
                  {endpoint?.url ?? 'No address now'}
                </span>
                {holders.map(({ agent }) => (
                  <span key={agent} class="block font-mono text-[0.8125rem] break-all text-muted">
                    {agent}
                  </span>
                ))}
              </p>
              <StateBadge state={state} />
            </li>
          ))}
        </ul>
      )}
      {counts.tunnels > tunnels.length && (
        <p class="mt-3 text-sm text-muted">The newest {tunnels.length}. The view shows all of them.</p>
      )}
    </Card>
  )
}

type Close = { readonly account: OperatorAccount; readonly onClose: () => void }

function SuspendDialog({ account: { id, name }, onClose }: Close) {
  const { calls } = useServices()
  const announce = useAnnounce()
  const suspend = useOperatorAct(
    (reason: string) => calls.suspendAccount(id, { reason }),
    () => {
      announce(`${name} is suspended`)
      onClose()
    },
  )
  return (
    <ReasonDialog
      title={`Suspend ${name}?`}
      action="Suspend"
      isDanger
      onSubmit={(reason) => suspend.mutate(reason)}
      onClose={onClose}
      isBusy={suspend.isPending}
      failure={failureIn(suspend)}
    >
      <p>Its tunnels go offline within seconds, its keys are refused, and its owners get a mail.</p>
    </ReasonDialog>
  )
}

function ResumeDialog({ account: { id, name }, onClose }: Close) {
  const { calls } = useServices()
  const announce = useAnnounce()
  const resume = useOperatorAct(
    () => calls.resumeAccount(id),
    () => {
      announce(`${name} is active again`)
      onClose()
    },
  )
  return (
    <ConfirmDialog
      title={`Lift the suspension of ${name}?`}
      action="Lift the suspension"
      onConfirm={() => resume.mutate(undefined)}
      onClose={onClose}
      isBusy={resume.isPending}
      failure={failureIn(resume)}
    >
      <p>Its keys are accepted again, and agents that still try bring their tunnels online.</p>
    </ConfirmDialog>
  )
}
