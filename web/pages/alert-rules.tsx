/** When alerts are made and who hears of them: the usual rules, and what the account has set in their place. */
import type { AlertRule } from '@porttunneler/shared/api/schemas/alerts'
import { useState } from 'preact/hooks'
import type { AlertRules } from '../api/alert-calls.ts'
import { useAlertRules, useSetAlertRules } from '../api/alert-queries.ts'
import { failureIn, useTunnel } from '../api/queries.ts'
import { changedRules, isOfTunnels, ruleKey, whenText } from '../parts/alert-rule-text.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button, TextLink } from '../parts/button.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { ConfirmDialog } from '../parts/dialog.tsx'
import { Reading } from '../parts/operator-parts.tsx'
import { AddRuleDialog, ChangeRuleDialog } from './alert-rule-dialogs.tsx'

/** Names of tunnels change seldom, and only the rules for single ones show any. */
const namesEveryMs = 10 * 60_000

type Asked = { readonly act: 'add' } | { readonly act: 'change' | 'remove'; readonly rule: AlertRule }

export function AlertRulesTab({ mayChange }: { mayChange: boolean }) {
  const query = useAlertRules()
  const [asked, setAsked] = useState<Asked>()
  const close = () => setAsked(undefined)
  const rules = query.data
  return (
    <div class="space-y-5">
      <div class="flex flex-wrap items-start justify-between gap-3">
        <p class="max-w-prose text-muted">
          Where several rules fit a tunnel the narrowest counts: one for this tunnel, then one for a tag of
          it.
        </p>
        {mayChange && rules && <Button onClick={() => setAsked({ act: 'add' })}>Add rule</Button>}
      </div>
      <Reading query={query} what="the rules">
        {rules && (
          <DataTable
            label="Rules of alerts"
            columns={columnsOf(mayChange ? setAsked : undefined)}
            rows={rules.items}
            keyOf={ruleKey}
          />
        )}
      </Reading>
      {rules && asked?.act === 'add' && <AddRuleDialog rules={rules} onClose={close} />}
      {rules && asked?.act === 'change' && (
        <ChangeRuleDialog rules={rules} rule={asked.rule} onClose={close} />
      )}
      {rules && asked?.act === 'remove' && (
        <RemoveRuleDialog rules={rules} rule={asked.rule} onClose={close} />
      )}
    </div>
  )
}

function columnsOf(onAsk: ((asked: Asked) => void) | undefined): readonly Column<AlertRule>[] {
  const shown: readonly Column<AlertRule>[] = [
    { head: 'Alert', cell: ({ title }) => title },
    { head: 'For', cell: (rule) => <ScopeText rule={rule} /> },
    { head: 'People are told', cell: whenText },
    { head: 'Set by', cell: ({ own }) => (own ? 'your account' : <span class="text-muted">the usual</span>) },
  ]
  if (!onAsk) return shown
  return [
    ...shown,
    { head: 'Actions', isActions: true, cell: (rule) => <RuleButtons rule={rule} onAsk={onAsk} /> },
  ]
}

function RuleButtons({ rule, onAsk }: { rule: AlertRule; onAsk: (asked: Asked) => void }) {
  const what = `${rule.title}, ${scopeText(rule)}`
  return (
    <div class="flex flex-wrap justify-end gap-2">
      <Button onClick={() => onAsk({ act: 'change', rule })} aria-label={`Change: ${what}`}>
        Change
      </Button>
      {rule.own && (
        <Button look="quiet" onClick={() => onAsk({ act: 'remove', rule })} aria-label={`Undo: ${what}`}>
          Undo
        </Button>
      )}
    </div>
  )
}

function scopeText({ tunnel, tag }: AlertRule): string {
  if (tag !== undefined) return `tunnels with the tag ${tag}`
  return tunnel ?? 'everything'
}

function ScopeText({ rule }: { rule: AlertRule }) {
  if (rule.tunnel !== undefined) return <TunnelName id={rule.tunnel} />
  if (rule.tag !== undefined) return <span>tag {rule.tag}</span>
  return <span class="text-muted">{isOfTunnels(rule) ? 'all tunnels' : 'the account'}</span>
}

/** Its name as a link, or its id once it is gone. */
export function TunnelName({ id }: { id: string }) {
  const query = useTunnel(id, namesEveryMs)
  if (query.data) return <TextLink href={`/tunnels/${id}`}>{query.data.name}</TextLink>
  return <span class="text-muted">{query.isPending ? '…' : 'a tunnel that is gone'}</span>
}

function RemoveRuleDialog({
  rules,
  rule,
  onClose,
}: {
  rules: AlertRules
  rule: AlertRule
  onClose: () => void
}) {
  const announce = useAnnounce()
  const set = useSetAlertRules()
  const isNarrow = rule.tunnel !== undefined || rule.tag !== undefined
  const undo = () =>
    set.mutate(
      { wish: changedRules(rules.items, rule, undefined), revision: rules.revision },
      {
        onSuccess: () => {
          announce('The rule is as before.')
          onClose()
        },
      },
    )
  return (
    <ConfirmDialog
      title={`${rule.title}: undo this rule?`}
      action="Undo rule"
      onConfirm={undo}
      onClose={onClose}
      isBusy={set.isPending}
      failure={failureIn(set)}
    >
      <p>
        {isNarrow
          ? 'The wider rule counts for these tunnels again.'
          : 'The usual rule counts again, which everybody has who has set none.'}
      </p>
    </ConfirmDialog>
  )
}
