/** The forms of a rule: one for what is there already, one for another scope of it. */
import type { AlertRule } from '@porttunneler/shared/api/schemas/alerts'
import { useRef, useState } from 'preact/hooks'
import type { AlertRules, RulesWish } from '../api/alert-calls.ts'
import { useAlertRules, useSetAlertRules } from '../api/alert-queries.ts'
import { useTunnels } from '../api/queries.ts'
import { changedRules, isOfTunnels, ruleKey } from '../parts/alert-rule-text.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { Checkbox, SelectField, TextField } from '../parts/field.tsx'
import { type ApiForm, FormOf, useApiForm, Wrong } from '../parts/form.tsx'

type Values = { on: boolean; minutes: string; threshold: string }
type Limits = Pick<AlertRule, 'forMs' | 'threshold' | 'unit'>
const minuteMs = 60_000

function valuesOf({ on, forMs, threshold }: AlertRule): Values {
  return {
    on,
    minutes: forMs === undefined ? '' : `${Math.round(forMs / minuteMs)}`,
    threshold: threshold === undefined ? '' : `${threshold}`,
  }
}

/** A time or a limit that the rule does not have is not sent. */
function toRule({ on, minutes, threshold }: Values, { forMs, threshold: limit }: Limits) {
  return {
    on,
    ...(forMs !== undefined && { forMs: Number(minutes) * minuteMs }),
    ...(limit !== undefined && { threshold: Number(threshold) }),
  }
}

export function ChangeRuleDialog({
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
  const query = useAlertRules()
  // What a change builds on is the list as it was opened, or as it was read again after a conflict.
  const base = useRef(rules)
  const form = useApiForm<Values, Parameters<typeof set.mutate>[0]>({
    initial: valuesOf(rule),
    version: {
      revision: rules.revision,
      newest: async () => {
        const { data } = await query.refetch()
        if (!data) return undefined
        base.current = data
        const found = data.items.find((one) => ruleKey(one) === ruleKey(rule)) ?? rule
        return { values: valuesOf(found), revision: data.revision }
      },
    },
    act: set,
    toWish: (values, revision) => {
      const { kind, tunnel, tag } = rule
      const scope = { ...(tunnel !== undefined && { tunnel }), ...(tag !== undefined && { tag }) }
      const next = { kind, ...scope, ...toRule(values, rule) } as RulesWish['items'][number]
      return { wish: changedRules(base.current.items, rule, next), revision }
    },
    onSent: () => {
      announce('The rule is changed.')
      onClose()
    },
  })
  return (
    <Dialog title={rule.title} onClose={onClose}>
      <FormOf form={form} action="Save rule" names={fieldNames} onCancel={onClose}>
        <RuleFields form={form} limits={rule} />
      </FormOf>
    </Dialog>
  )
}

const fieldNames: Record<keyof Values, string> = {
  on: 'whether people are told',
  minutes: 'how long it must last',
  threshold: 'the limit',
}

function RuleFields({
  form,
  limits,
}: {
  form: Pick<ApiForm<Values>, 'text' | 'check' | 'values'>
  limits: Limits
}) {
  const { on } = form.values
  return (
    <>
      <Checkbox label="Tell people" hint="By mail and webhooks, and here." {...form.check('on')} />
      {on && limits.threshold !== undefined && (
        <TextField
          label={limits.unit === 'ms' ? 'Above, in milliseconds' : 'Above, in per cent'}
          type="number"
          required
          min={limits.unit === 'ms' ? 1_000 : 5}
          max={limits.unit === 'ms' ? 3_600_000 : 100}
          step="any"
          {...form.text('threshold')}
        />
      )}
      {on && limits.forMs !== undefined && (
        <TextField
          label="It must last, in minutes"
          type="number"
          required
          min={1}
          max={60}
          hint="Shorter interruptions tell nobody."
          {...form.text('minutes')}
        />
      )}
    </>
  )
}

/** For one tunnel or a tag: only alerts about tunnels have such rules. */
export function AddRuleDialog({ rules, onClose }: { rules: AlertRules; onClose: () => void }) {
  const announce = useAnnounce()
  const set = useSetAlertRules()
  const tunnels = useTunnels().data?.items ?? []
  const kinds = rules.items.filter(
    (rule) => isOfTunnels(rule) && rule.tunnel === undefined && rule.tag === undefined,
  )
  const [first] = kinds
  const [revision] = useState(rules.revision)
  const usual = first ? valuesOf(first) : { on: true, minutes: '5', threshold: '' }
  const form = useApiForm({
    initial: { ...usual, kind: first?.kind ?? '', scope: 'tunnel', tunnel: '', tag: '' },
    act: set,
    toWish: ({ kind, scope, tunnel, tag, ...values }) => {
      if (scope === 'tunnel' && tunnel === '') return new Wrong({ tunnel: 'Choose one.' })
      const limits = kinds.find((rule) => rule.kind === kind) ?? {}
      const where = scope === 'tunnel' ? { tunnel } : { tag: tag.trim() }
      const next = { kind, ...where, ...toRule(values, limits) } as RulesWish['items'][number]
      return { wish: changedRules(rules.items, next, next), revision }
    },
    onSent: () => {
      announce('The rule is added.')
      onClose()
    },
  })
  const { kind, scope } = form.values
  const chosen = kinds.find((rule) => rule.kind === kind)
  return (
    <Dialog title="Add a rule" onClose={onClose}>
      <FormOf form={form} action="Add rule" onCancel={onClose}>
        <SelectField
          label="Alert"
          {...form.choice('kind')}
          onChange={(event) => {
            const found = kinds.find((rule) => rule.kind === event.currentTarget.value)
            if (found) form.set({ ...valuesOf(found), kind: found.kind })
          }}
        >
          {kinds.map((rule) => (
            <option key={rule.kind} value={rule.kind}>
              {rule.title}
            </option>
          ))}
        </SelectField>
        <SelectField label="For" {...form.choice('scope')}>
          <option value="tunnel">one tunnel</option>
          <option value="tag">tunnels with a tag</option>
        </SelectField>
        {scope === 'tunnel' ? (
          <SelectField label="Tunnel" {...form.choice('tunnel')}>
            <option value="">Choose…</option>
            {tunnels.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </SelectField>
        ) : (
          <TextField label="Tag" required maxLength={32} autocapitalize="none" {...form.text('tag')} />
        )}
        {chosen && <RuleFields form={form} limits={chosen} />}
      </FormOf>
    </Dialog>
  )
}
