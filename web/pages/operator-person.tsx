/** A person for operators: accounts, how and where they sign in, notes; and the switch that refuses them. */
import { useState } from 'preact/hooks'
import { useParams } from 'wouter-preact'
import type { OperatorPerson } from '../api/operator-calls.ts'
import { useOperatorAct, useOperatorPerson } from '../api/operator-queries.ts'
import { failureIn } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button, TextLink } from '../parts/button.tsx'
import { CopyButton } from '../parts/copy-button.tsx'
import { ConfirmDialog } from '../parts/dialog.tsx'
import { Card, Page, Panel, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { roleTexts } from '../parts/role-text.ts'
import { TimeText } from '../parts/time-text.tsx'
import { AccountBadge, PersonBadge } from './operator-badges.tsx'
import { ReasonDialog, ViewDialog, type ViewWish } from './operator-dialogs.tsx'
import { Facts } from './operator-facts.tsx'
import { HoldCard } from './operator-hold-card.tsx'
import { NotesCard } from './operator-notes.tsx'

export function OperatorPersonPage() {
  const { id = '' } = useParams<{ id: string }>()
  const query = useOperatorPerson(id)
  const person = query.data
  const failure = failureIn(query)
  const [isAsking, setAsking] = useState(false)
  const [wish, setWish] = useState<ViewWish>()
  return (
    <Page
      title={person?.email ?? 'Person'}
      lead={<IdText id={id} />}
      actions={
        person &&
        !person.operator && (
          <Button look={person.status === 'active' ? 'danger' : 'plain'} onClick={() => setAsking(true)}>
            {person.status === 'active' ? 'Disable sign-in' : 'Enable sign-in'}
          </Button>
        )
      }
    >
      {failure && <ProblemNotice failure={failure} onRetry={() => void query.refetch()} />}
      {query.isPending && <Skeleton what="the person" />}
      {person && (
        <Panel>
          <About person={person} />
          <Accounts person={person} onView={setWish} />
          <SignIns person={person} />
          <NotesCard about={id} />
          <HoldCard about={id} />
        </Panel>
      )}
      {isAsking && person?.status === 'active' && (
        <DisableDialog person={person} onClose={() => setAsking(false)} />
      )}
      {isAsking && person?.status === 'disabled' && (
        <EnableDialog person={person} onClose={() => setAsking(false)} />
      )}
      {wish && <ViewDialog wish={wish} onClose={() => setWish(undefined)} />}
    </Page>
  )
}

/** As the sign-in services call themselves, but for our own. */
function providerText(provider: string): string {
  return provider === 'local' ? 'password' : provider.replace(/^oidc\./, '')
}

export function IdText({ id }: { id: string }) {
  return (
    <span class="flex items-center gap-1">
      <code class="min-w-0 font-mono text-sm break-all">{id}</code>
      <CopyButton text={id} what="id" />
    </span>
  )
}

function About({ person }: { person: OperatorPerson }) {
  const { status, leavingAt, emailVerified, factor, recovering, providers, operator } = person
  const isPlain = status === 'active' && leavingAt === undefined
  return (
    <Card title="Sign-in">
      <Facts
        rows={[
          ['State', isPlain ? 'Active' : <PersonBadge status={status} leavingAt={leavingAt} />],
          ['Address', emailVerified ? 'Proven' : 'Not proven'],
          ['Signs in with', providers.map(providerText).join(', ') || 'nothing'],
          [
            'Second factor',
            recovering ? 'Lost; waits to get in without one' : factor ? 'Has one' : 'Has none',
          ],
          ...(operator ? ([['Operator', 'Yes: cannot be disabled or viewed here']] as const) : []),
        ]}
      />
    </Card>
  )
}

function Accounts({ person, onView }: { person: OperatorPerson; onView: (wish: ViewWish) => void }) {
  const { id, email, accounts, operator } = person
  return (
    <Card title="Accounts">
      {accounts.length === 0 && <p class="text-muted">A member of no account.</p>}
      {accounts.length > 0 && (
        <ul aria-label="Accounts" class="divide-y divide-line">
          {accounts.map((account) => (
            <li
              key={account.id}
              class="flex flex-wrap items-center justify-between gap-3 py-3 first:pt-0 last:pb-0"
            >
              <p class="min-w-0">
                <span class="block break-words">
                  <TextLink href={`/operator/accounts/${account.id}`}>{account.name}</TextLink>
                </span>
                <span class="text-sm text-muted">
                  {roleTexts[account.role].label}, plan {account.plan}
                  {account.member === 'disabled' && ', membership disabled'}{' '}
                  <AccountBadge status={account.status} />
                </span>
              </p>
              {!operator && account.status !== 'closed' && (
                <Button
                  onClick={() =>
                    onView({ account: account.id, accountName: account.name, person: { id, email } })
                  }
                  aria-label={`View as this person: ${email}, in ${account.name}`}
                >
                  View as this person
                </Button>
              )}
            </li>
          ))}
        </ul>
      )}
    </Card>
  )
}

function SignIns({ person: { signIns } }: { person: OperatorPerson }) {
  return (
    <Card title="Where they are signed in">
      {signIns.length === 0 && <p class="text-muted">Nowhere.</p>}
      {signIns.length > 0 && (
        <ul aria-label="Sign-ins" class="divide-y divide-line">
          {signIns.map(({ method, signedInAt, lastUsedAt, from, device }) => (
            <li key={`${signedInAt} ${device}`} class="py-3 first:pt-0 last:pb-0">
              <span class="block font-medium break-words">{device || 'Unknown program'}</span>
              <span class="text-sm break-words text-muted">
                {from === '' ? 'from an unknown network' : `from ${from}`} · by {method} · signed in{' '}
                <TimeText at={signedInAt} /> · last used <TimeText at={lastUsedAt} />
              </span>
            </li>
          ))}
        </ul>
      )}
    </Card>
  )
}

type Close = { readonly person: OperatorPerson; readonly onClose: () => void }

function DisableDialog({ person: { id, email }, onClose }: Close) {
  const { calls } = useServices()
  const announce = useAnnounce()
  const disable = useOperatorAct(
    (reason: string) => calls.disablePerson(id, { reason }),
    () => {
      announce(`${email} is disabled`)
      onClose()
    },
  )
  return (
    <ReasonDialog
      title={`Disable ${email}?`}
      action="Disable sign-in"
      isDanger
      onSubmit={(reason) => disable.mutate(reason)}
      onClose={onClose}
      isBusy={disable.isPending}
      failure={failureIn(disable)}
    >
      <p>
        Their sign-ins end everywhere within 30 seconds, and their keys and the tunnels of those keys end.
      </p>
    </ReasonDialog>
  )
}

function EnableDialog({ person: { id, email }, onClose }: Close) {
  const { calls } = useServices()
  const announce = useAnnounce()
  const enable = useOperatorAct(
    () => calls.enablePerson(id),
    () => {
      announce(`${email} is enabled`)
      onClose()
    },
  )
  return (
    <ConfirmDialog
      title={`Enable ${email}?`}
      action="Enable sign-in"
      onConfirm={() => enable.mutate(undefined)}
      onClose={onClose}
      isBusy={enable.isPending}
      failure={failureIn(enable)}
    >
      <p>They sign in again, and their memberships count again.</p>
    </ConfirmDialog>
  )
}
