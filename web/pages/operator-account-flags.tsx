/** Feature flags of one account, for operators: what it has and why, and how to set it for this account alone. */
import { useState } from 'preact/hooks'
import type { OperatorAccount } from '../api/operator-calls.ts'
import { useOperatorAct } from '../api/operator-queries.ts'
import { useServices } from '../api/services.tsx'
import { Button } from '../parts/button.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { SelectField, TextField } from '../parts/field.tsx'
import { FormOf, useApiForm } from '../parts/form.tsx'
import { Card } from '../parts/page.tsx'

type AccountFlag = OperatorAccount['flags'][number]
type FlagValue = AccountFlag['set']

export function AccountFlagsCard({ account: { id, flags } }: { account: OperatorAccount }) {
  const [asked, setAsked] = useState<AccountFlag>()
  return (
    <Card title="Feature flags">
      {flags.length === 0 && <p class="text-muted">This release has none.</p>}
      <ul aria-label="Feature flags" class="divide-y divide-line">
        {flags.map((one) => (
          <li
            key={one.flag}
            class="flex flex-wrap items-center justify-between gap-3 py-3 first:pt-0 last:pb-0"
          >
            <p class="min-w-0">
              <span class="block font-medium break-words">
                {one.flag} <span class="font-normal text-muted">{whyText(one)}</span>
              </span>
              <span class="block max-w-prose text-sm text-muted">{one.does}</span>
            </p>
            <Button onClick={() => setAsked(one)} aria-label={`Set ${one.flag} for this account`}>
              Set
            </Button>
          </li>
        ))}
      </ul>
      {asked && (
        <FlagOfAccountDialog
          flag={asked.flag}
          account={id}
          value={asked.set}
          onClose={() => setAsked(undefined)}
        />
      )}
    </Card>
  )
}

function whyText({ on, set, percent, killed }: AccountFlag): string {
  if (killed) return 'off: it is stopped for everybody'
  if (set !== 'share') return on ? 'always on' : 'always off'
  return `${on ? 'on' : 'off'}: the share is ${percent} % of the accounts`
}

/** @param account whom it is for; undefined: the operator types it */
export function FlagOfAccountDialog({
  flag,
  account,
  value = 'on',
  onClose,
}: {
  flag: string
  account?: string
  value?: FlagValue
  onClose: () => void
}) {
  const { calls } = useServices()
  const act = useOperatorAct(
    (wish: { account: string; value: FlagValue }) => calls.setFlagOfAccount(flag, wish),
    onClose,
  )
  const form = useApiForm({
    initial: { account: account ?? '', value: value as string },
    act,
    toWish: (typed) => ({ account: typed.account.trim(), value: typed.value as FlagValue }),
  })
  return (
    <Dialog title={`${flag} for ${account === undefined ? 'one' : 'this'} account`} onClose={onClose}>
      <FormOf form={form} action="Set it" onCancel={onClose}>
        {account === undefined && (
          <TextField
            label="Account"
            hint="Its id, which begins with acc_; the search under Accounts finds it."
            required
            autofocus
            autocomplete="off"
            spellcheck={false}
            maxLength={64}
            {...form.text('account')}
          />
        )}
        <SelectField
          label="It has the feature"
          hint="It is in force everywhere within a minute."
          {...form.choice('value')}
        >
          <option value="on">always</option>
          <option value="off">never</option>
          <option value="share">as the share decides</option>
        </SelectField>
      </FormOf>
    </Dialog>
  )
}
