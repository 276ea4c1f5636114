/** The addresses that get the account's alerts, and how to add one. */
import type { Webhook } from '@porttunneler/shared/api/schemas/webhooks'
import type { ComponentProps } from 'preact'
import { useState } from 'preact/hooks'
import type { WebhookCreated } from '../api/alert-calls.ts'
import { useAddWebhook, useWebhooks } from '../api/webhook-queries.ts'
import { Button, TextLink } from '../parts/button.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { SelectField, TextField } from '../parts/field.tsx'
import { FormOf, useApiForm } from '../parts/form.tsx'
import { Reading, ToneBadge } from '../parts/operator-parts.tsx'
import { Card } from '../parts/page.tsx'
import { SecretOnce } from '../parts/secret-once.tsx'
import { TimeText } from '../parts/time-text.tsx'

export const formatTexts: Record<Webhook['format'], string> = {
  standard: 'Signed events',
  slack: 'Messages for Slack',
}

export function WebhooksTab() {
  const query = useWebhooks()
  const [isAdding, setAdding] = useState(false)
  const [created, setCreated] = useState<WebhookCreated>()
  const webhooks = query.data?.items
  return (
    <div class="space-y-5">
      <div class="flex flex-wrap items-start justify-between gap-3">
        <p class="max-w-prose text-muted">Each of these gets what people are mailed, at the same moment.</p>
        <Button onClick={() => setAdding(true)}>Add webhook</Button>
      </div>
      <Reading query={query} what="the webhooks">
        {webhooks?.length === 0 && (
          <Card title="No webhooks yet">
            <p class="text-muted">
              Have alerts sent to a channel of your team, or to a program of yours that wakes somebody.
            </p>
          </Card>
        )}
        {webhooks && webhooks.length > 0 && (
          <DataTable label="Webhooks" columns={columns} rows={webhooks} keyOf={({ id }) => id} />
        )}
      </Reading>
      {isAdding && (
        <AddDialog
          onClose={() => setAdding(false)}
          onCreated={(webhook) => {
            setAdding(false)
            setCreated(webhook)
          }}
        />
      )}
      {created && <WebhookSecretDialog created={created} onClose={() => setCreated(undefined)} />}
    </div>
  )
}

const columns: readonly Column<Webhook>[] = [
  {
    head: 'Address',
    cell: ({ id, url }) => (
      <span class="break-all">
        <TextLink href={`/alerts/webhooks/${id}`}>{url}</TextLink>
      </span>
    ),
  },
  { head: 'It gets', cell: ({ format }) => formatTexts[format] },
  { head: 'State', cell: (webhook) => <WebhookState webhook={webhook} /> },
  { head: 'Last answer', cell: (webhook) => <LastAnswer webhook={webhook} /> },
]

export function WebhookState({ webhook: { state, failingSince } }: { webhook: Webhook }) {
  if (state === 'disabled') return <ToneBadge tone="none">Off</ToneBadge>
  return failingSince === undefined ? (
    <ToneBadge tone="ok">On</ToneBadge>
  ) : (
    <ToneBadge tone="bad">Failing</ToneBadge>
  )
}

export function LastAnswer({ webhook: { lastStatus, lastAt } }: { webhook: Webhook }) {
  if (lastAt === undefined) return <span class="text-muted">nothing was sent yet</span>
  return (
    <span>
      {answerText(lastStatus)}, <TimeText at={lastAt} />
    </span>
  )
}

/** @param status of HTTP; 0 = there was no answer */
export function answerText(status: number | undefined): string {
  return status === undefined || status === 0 ? 'no answer' : `${status}`
}

function AddDialog({
  onClose,
  onCreated,
}: {
  onClose: () => void
  onCreated: (created: WebhookCreated) => void
}) {
  const add = useAddWebhook()
  const form = useApiForm({
    initial: { url: '', format: '' },
    act: {
      ...add,
      mutate: (wish: Parameters<typeof add.mutate>[0], options?: { readonly onSuccess?: () => void }) =>
        add.mutate(wish, {
          onSuccess: (created) => {
            options?.onSuccess?.()
            onCreated(created)
          },
        }),
    },
    toWish: ({ url, format }) => ({
      url: url.trim(),
      ...(format !== '' && { format: format as Webhook['format'] }),
    }),
  })
  return (
    <Dialog title="Add a webhook" onClose={onClose}>
      <FormOf form={form} action="Add webhook" onCancel={onClose}>
        <AddressField
          placeholder="https://hooks.example.com/alerts"
          hint="It begins with https:// and is reached from the public internet."
          {...form.text('url')}
        />
        <FormatField {...form.choice('format')} hasDefault />
      </FormOf>
    </Dialog>
  )
}

type AddressProps = Omit<ComponentProps<typeof TextField>, 'label' | 'type'>

export function AddressField(field: AddressProps) {
  return (
    <TextField label="Address" type="url" required autofocus maxLength={500} autocomplete="off" {...field} />
  )
}

export function FormatField({
  hasDefault = false,
  ...field
}: {
  hasDefault?: boolean
  value: string
  error: string | undefined
  onChange: (event: { currentTarget: { value: string } }) => void
}) {
  return (
    <SelectField label="It gets" hint="Mattermost and Discord take Slack's messages too." {...field}>
      {hasDefault && <option value="">what fits the address</option>}
      <option value="standard">signed events, for programs</option>
      <option value="slack">messages for a channel at Slack</option>
    </SelectField>
  )
}

export function WebhookSecretDialog({ created, onClose }: { created: WebhookCreated; onClose: () => void }) {
  return (
    <SecretOnce
      title="Its secret"
      secret={created.secret}
      what="secret"
      before="Programs check with it that an event is from here."
      after={created.rotating && 'The secret before it works for one more day.'}
      onClose={onClose}
    />
  )
}
