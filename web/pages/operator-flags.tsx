/** Feature flags, for operators: who has a feature, and how to give it to more or take it from all. */
import { useState } from 'preact/hooks'
import { useOperatorAct } from '../api/operator-queries.ts'
import type { Flag } from '../api/operator-service-calls.ts'
import { useFlags } from '../api/operator-service-queries.ts'
import { failureIn } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { Button, TextLink } from '../parts/button.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { TextField } from '../parts/field.tsx'
import { FormOf, useApiForm } from '../parts/form.tsx'
import { formatDay } from '../parts/format.ts'
import { Reading, ToneBadge } from '../parts/operator-parts.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { FlagOfAccountDialog } from './operator-account-flags.tsx'
import { ReasonDialog } from './operator-dialogs.tsx'

type Asked = { readonly flag: Flag; readonly act: 'share' | 'account' | 'kill' }

export function FlagsSection() {
  const query = useFlags()
  const { calls } = useServices()
  const [asked, setAsked] = useState<Asked>()
  const revive = useOperatorAct((flag: string) => calls.reviveFlag(flag))
  const failure = failureIn(revive)
  const close = () => setAsked(undefined)
  return (
    <section aria-label="Feature flags" class="space-y-3">
      <h2 class="text-base font-semibold">Feature flags</h2>
      {failure && <ProblemNotice failure={failure} />}
      <Reading query={query} what="the flags">
        {query.data && (
          <DataTable
            label="Feature flags"
            columns={columnsOf({ onAsk: setAsked, onRevive: (flag) => revive.mutate(flag) })}
            rows={query.data.items}
            keyOf={({ flag }) => flag}
          />
        )}
      </Reading>
      {asked?.act === 'share' && <ShareDialog flag={asked.flag} onClose={close} />}
      {asked?.act === 'account' && <FlagOfAccountDialog flag={asked.flag.flag} onClose={close} />}
      {asked?.act === 'kill' && <KillDialog flag={asked.flag} onClose={close} />}
    </section>
  )
}

function columnsOf({
  onAsk,
  onRevive,
}: {
  onAsk: (asked: Asked) => void
  onRevive: (flag: string) => void
}): readonly Column<Flag>[] {
  return [
    {
      head: 'Flag',
      cell: ({ flag, does }) => (
        <span>
          {flag}
          <span class="block max-w-prose font-normal text-muted">{does}</span>
        </span>
      ),
    },
    {
      head: 'Who has it',
      cell: ({ percent, killed }) =>
        killed ? (
          <ToneBadge tone="bad">Nobody, {percent} % before</ToneBadge>
        ) : percent >= 100 ? (
          'Everybody'
        ) : percent <= 0 ? (
          'Nobody else'
        ) : (
          `${percent} % of the accounts`
        ),
    },
    { head: 'Always', cell: ({ in: added }) => <Accounts ids={added} /> },
    { head: 'Never', cell: ({ out }) => <Accounts ids={out} /> },
    { head: 'Goes by', cell: ({ removeBy }) => <span class="whitespace-nowrap">{formatDay(removeBy)}</span> },
    {
      head: 'Actions',
      isActions: true,
      cell: (flag) => (
        <span class="flex flex-wrap justify-end gap-1">
          <Button look="quiet" onClick={() => onAsk({ flag, act: 'share' })}>
            Change the share
          </Button>
          <Button look="quiet" onClick={() => onAsk({ flag, act: 'account' })}>
            Set for an account
          </Button>
          {flag.killed ? (
            <Button look="quiet" onClick={() => onRevive(flag.flag)}>
              End the stop
            </Button>
          ) : (
            <Button look="quiet" onClick={() => onAsk({ flag, act: 'kill' })}>
              Stop for everybody
            </Button>
          )}
        </span>
      ),
    },
  ]
}

function Accounts({ ids }: { ids: readonly string[] }) {
  if (ids.length === 0) return <span class="whitespace-nowrap text-muted">no account</span>
  return (
    <span class="flex flex-wrap gap-x-2">
      {ids.map((id) => (
        <TextLink key={id} href={`/operator/accounts/${id}`}>
          {id.slice(0, 4)}…{id.slice(-6)}
        </TextLink>
      ))}
    </span>
  )
}

type DialogProps = { readonly flag: Flag; readonly onClose: () => void }

function ShareDialog({ flag: { flag, percent }, onClose }: DialogProps) {
  const { calls } = useServices()
  const act = useOperatorAct((share: number) => calls.shareFlag(flag, { percent: share }), onClose)
  const form = useApiForm({
    initial: { percent: `${percent}` },
    act,
    toWish: (typed) => Number(typed.percent),
  })
  return (
    <Dialog title={`Who has ${flag}?`} onClose={onClose}>
      <FormOf form={form} action="Change the share" onCancel={onClose}>
        <TextField
          label="Share of the accounts, per cent"
          hint="Raising it takes the feature from nobody. It is in force everywhere within a minute."
          type="number"
          min={0}
          max={100}
          step="any"
          required
          autofocus
          {...form.text('percent')}
        />
      </FormOf>
    </Dialog>
  )
}

function KillDialog({ flag: { flag }, onClose }: DialogProps) {
  const { calls } = useServices()
  const act = useOperatorAct((reason: string) => calls.killFlag(flag, { reason }), onClose)
  return (
    <ReasonDialog
      title={`Stop ${flag} for everybody?`}
      action="Stop it"
      isDanger
      hint="It goes into the audit log."
      onSubmit={(reason) => act.mutate(reason)}
      onClose={onClose}
      isBusy={act.isPending}
      failure={failureIn(act)}
    >
      <p>
        Nobody has the feature then, also accounts that always have it. What is set now stays, and applies
        again when you end the stop.
      </p>
    </ReasonDialog>
  )
}
