/** One webhook: how it is set, and what was sent to it with the answers. */
import type { Delivery, Webhook } from '@porttunneler/shared/api/schemas/webhooks'
import { useState } from 'preact/hooks'
import { useLocation, useParams } from 'wouter-preact'
import type { WebhookCreated } from '../api/alert-calls.ts'
import { failureIn } from '../api/queries.ts'
import {
  useChangeWebhook,
  useDeliveries,
  useRemoveWebhook,
  useReplayDelivery,
  useRotateSecret,
  useTestWebhook,
  useWebhooks,
} from '../api/webhook-queries.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button } from '../parts/button.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { ConfirmDialog, Dialog } from '../parts/dialog.tsx'
import { FormOf, useApiForm } from '../parts/form.tsx'
import { Choice, More, Reading, type Tone, ToneBadge } from '../parts/operator-parts.tsx'
import { Card, Page } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { TimeText } from '../parts/time-text.tsx'
import {
  AddressField,
  answerText,
  FormatField,
  formatTexts,
  LastAnswer,
  WebhookSecretDialog,
  WebhookState,
} from './webhooks.tsx'

export function WebhookPage() {
  const { id = '' } = useParams<{ id: string }>()
  const query = useWebhooks()
  const webhook = query.data?.items.find((one) => one.id === id)
  return (
    <Page
      title={webhook ? new URL(webhook.url).host : 'Webhook'}
      actions={webhook && <WebhookState webhook={webhook} />}
    >
      <Reading query={query} what="the webhook">
        {query.data && !webhook && <p class="text-muted">There is no such webhook any more.</p>}
        {webhook && (
          <div class="space-y-6">
            <About webhook={webhook} />
            <Deliveries id={id} />
          </div>
        )}
      </Reading>
    </Page>
  )
}

function About({ webhook }: { webhook: Webhook }) {
  const { url, format, createdAt, failingSince, rotating } = webhook
  return (
    <Card>
      <dl class="grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1 text-sm">
        <dt class="text-muted">Address</dt>
        <dd class="font-mono break-all">{url}</dd>
        <dt class="text-muted">It gets</dt>
        <dd>{formatTexts[format]}</dd>
        <dt class="text-muted">Last answer</dt>
        <dd>
          <LastAnswer webhook={webhook} />
        </dd>
        {failingSince !== undefined && (
          <>
            <dt class="text-muted">Failing</dt>
            <dd>
              since <TimeText at={failingSince} isExact />; after five days it is turned off
            </dd>
          </>
        )}
        <dt class="text-muted">Added</dt>
        <dd>
          <TimeText at={createdAt} isExact />
        </dd>
        {rotating && (
          <>
            <dt class="text-muted">Secret</dt>
            <dd>changed; the one before signs as well for a day</dd>
          </>
        )}
      </dl>
      <Acts webhook={webhook} />
    </Card>
  )
}

type Asked = 'change' | 'rotate' | 'remove'

function Acts({ webhook }: { webhook: Webhook }) {
  const announce = useAnnounce()
  const test = useTestWebhook(webhook.id)
  const change = useChangeWebhook(webhook.id)
  const [asked, setAsked] = useState<Asked>()
  const [created, setCreated] = useState<WebhookCreated>()
  const close = () => setAsked(undefined)
  const isOn = webhook.state === 'active'
  const failure = failureIn(test) ?? failureIn(change)
  const turn = () =>
    change.mutate({ on: !isOn }, { onSuccess: () => announce(isOn ? 'It is off.' : 'It is on.') })
  const send = () =>
    test.mutate(undefined, { onSuccess: () => announce('A test is on its way; see below how it went.') })
  return (
    <div class="mt-5 space-y-4">
      <div class="flex flex-wrap gap-3">
        {isOn && (
          <Button onClick={send} isBusy={test.isPending}>
            Send a test
          </Button>
        )}
        <Button onClick={turn} isBusy={change.isPending}>
          {isOn ? 'Turn off' : 'Turn on'}
        </Button>
        <Button onClick={() => setAsked('change')}>Change</Button>
        <Button onClick={() => setAsked('rotate')}>New secret</Button>
        <Button look="danger" onClick={() => setAsked('remove')}>
          Remove
        </Button>
      </div>
      {failure && <ProblemNotice failure={failure} />}
      {asked === 'change' && <ChangeDialog webhook={webhook} onClose={close} />}
      {asked === 'rotate' && (
        <RotateDialog
          webhook={webhook}
          onClose={close}
          onCreated={(made) => {
            close()
            setCreated(made)
          }}
        />
      )}
      {asked === 'remove' && <RemoveDialog webhook={webhook} onClose={close} />}
      {created && <WebhookSecretDialog created={created} onClose={() => setCreated(undefined)} />}
    </div>
  )
}

function ChangeDialog({ webhook, onClose }: { webhook: Webhook; onClose: () => void }) {
  const announce = useAnnounce()
  const form = useApiForm({
    initial: { url: webhook.url, format: webhook.format as string },
    act: useChangeWebhook(webhook.id),
    toWish: ({ url, format }) => ({ url: url.trim(), format: format as Webhook['format'] }),
    onSent: () => {
      announce('The webhook is changed.')
      onClose()
    },
  })
  return (
    <Dialog title="Change the webhook" onClose={onClose}>
      <FormOf form={form} action="Save" isDisabled={!form.isDirty} onCancel={onClose}>
        <AddressField
          hint="The secret stays: the new address gets events that are signed with it."
          {...form.text('url')}
        />
        <FormatField {...form.choice('format')} />
      </FormOf>
    </Dialog>
  )
}

function RotateDialog({
  webhook,
  onClose,
  onCreated,
}: {
  webhook: Webhook
  onClose: () => void
  onCreated: (created: WebhookCreated) => void
}) {
  const rotate = useRotateSecret(webhook.id)
  return (
    <ConfirmDialog
      title="Make a new secret?"
      action="Make a new secret"
      onConfirm={() => rotate.mutate(undefined, { onSuccess: onCreated })}
      onClose={onClose}
      isBusy={rotate.isPending}
      failure={failureIn(rotate)}
    >
      <p>
        For a day events are signed with both, so that the program can change over. Then the old one ends.
      </p>
    </ConfirmDialog>
  )
}

function RemoveDialog({ webhook, onClose }: { webhook: Webhook; onClose: () => void }) {
  const announce = useAnnounce()
  const [, navigate] = useLocation()
  const remove = useRemoveWebhook(webhook.id)
  const done = () => {
    announce('The webhook is removed.')
    navigate('/alerts?tab=webhooks')
  }
  return (
    <ConfirmDialog
      title={`Remove ${new URL(webhook.url).host}?`}
      action="Remove webhook"
      onConfirm={() => remove.mutate(undefined, { onSuccess: done })}
      onClose={onClose}
      isBusy={remove.isPending}
      failure={failureIn(remove)}
    >
      <p>
        Nothing is sent there any more, not even what waits. Its secret is gone; a new webhook has another.
      </p>
    </ConfirmDialog>
  )
}

const lists = [
  ['all', 'All'],
  ['waiting', 'Waiting'],
  ['dead', 'Given up'],
] as const

const tones: Record<Delivery['state'], readonly [Tone, string]> = {
  waiting: ['warn', 'Waiting'],
  delivered: ['ok', 'Arrived'],
  dead: ['bad', 'Given up'],
}

function Deliveries({ id }: { id: string }) {
  const [shown, setShown] = useState<(typeof lists)[number][0]>('all')
  const query = useDeliveries(id, { state: shown === 'all' ? undefined : shown })
  const replay = useReplayDelivery(id)
  const failure = failureIn(replay)
  const items = query.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <section aria-label="What was sent" class="space-y-3">
      <div class="flex flex-wrap items-center justify-between gap-3">
        <h2 class="text-base font-semibold">What was sent in the last 30 days</h2>
        <Choice label="Which" value={shown} options={lists} onChange={setShown} />
      </div>
      {failure && <ProblemNotice failure={failure} />}
      <Reading query={query} what="what was sent">
        {query.data && items.length === 0 && <p class="text-muted">Nothing.</p>}
        {items.length > 0 && (
          <DataTable
            label="Deliveries"
            columns={deliveryColumns((delivery) => replay.mutate(delivery), replay.isPending)}
            rows={items}
            keyOf={(one) => one.id}
          />
        )}
        <More query={query} />
      </Reading>
    </section>
  )
}

function deliveryColumns(onReplay: (id: string) => void, isBusy: boolean): readonly Column<Delivery>[] {
  return [
    { head: 'When', cell: ({ createdAt }) => <TimeText at={createdAt} isExact isInRow /> },
    {
      head: 'State',
      cell: ({ state }) => {
        const [tone, word] = tones[state]
        return <ToneBadge tone={tone}>{word}</ToneBadge>
      },
    },
    { head: 'Answer', cell: ({ tries, status }) => (tries === 0 ? '' : answerText(status)) },
    { head: 'Tries', isNumber: true, cell: ({ tries }) => tries },
    { head: 'Next try', cell: ({ nextAt }) => nextAt !== undefined && <TimeText at={nextAt} isInRow /> },
    { head: 'What went wrong', cell: ({ reason }) => reason && <span class="break-words">{reason}</span> },
    {
      head: 'Actions',
      isActions: true,
      cell: ({ id, state }) =>
        state === 'dead' && (
          <Button onClick={() => onReplay(id)} isBusy={isBusy}>
            Send again
          </Button>
        ),
    },
  ]
}
