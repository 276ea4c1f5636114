/** API keys: what there is, how to make one, how to end one. */
import type { Key } from '@porttunneler/shared/api/schemas/accounts'
import { useState } from 'preact/hooks'
import type { KeyCreated } from '../api/calls.ts'
import { failureIn, useKeys, useRevokeKey } from '../api/queries.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button } from '../parts/button.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { ConfirmDialog } from '../parts/dialog.tsx'
import { formatDay } from '../parts/format.ts'
import { Card, Page, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { scopeTexts } from '../parts/scope-text.ts'
import { TimeText } from '../parts/time-text.tsx'
import { CreateKeyDialog, SecretDialog } from './key-dialogs.tsx'

export function KeysPage() {
  const query = useKeys()
  const failure = failureIn(query)
  const [isCreating, setCreating] = useState(false)
  const [created, setCreated] = useState<KeyCreated>()
  const keys = query.data?.items
  return (
    <Page
      title="API keys"
      lead="Each machine and each script has a key of its own, so that one can be revoked without the others."
      actions={
        <Button look="accent" onClick={() => setCreating(true)}>
          Create key
        </Button>
      }
    >
      <div class="space-y-5">
        {failure && (
          <ProblemNotice
            failure={failure}
            onRetry={() => void query.refetch()}
            isRetrying={query.isFetching}
          />
        )}
        {query.isPending && <Skeleton what="the keys" />}
        {keys?.length === 0 && <NoKeys />}
        {keys && keys.length > 0 && <KeyList keys={keys} />}
        {query.data?.isCut && <p class="text-sm text-muted">There are more; the API lists them all.</p>}
      </div>
      {isCreating && (
        <CreateKeyDialog
          onClose={() => setCreating(false)}
          onCreated={(key) => {
            setCreating(false)
            setCreated(key)
          }}
        />
      )}
      {created && <SecretDialog created={created} onClose={() => setCreated(undefined)} />}
    </Page>
  )
}

function NoKeys() {
  return (
    <Card title="No keys yet">
      <p class="text-muted">
        <code class="font-mono text-sm">ptun login</code> makes one for its machine by itself. Create one by
        hand for a script or a server without a browser.
      </p>
    </Card>
  )
}

function KeyList({ keys }: { keys: readonly Key[] }) {
  const [asked, setAsked] = useState<Key>()
  const columns: readonly Column<Key>[] = [
    { head: 'Name', cell: ({ name }) => name },
    { head: 'Key', cell: ({ hint }) => <span class="font-mono text-muted">…{hint}</span> },
    { head: 'May', cell: scopesText },
    {
      head: 'Ends',
      cell: ({ expiresAt }) => (expiresAt === undefined ? 'when it is revoked' : <TimeText at={expiresAt} />),
    },
    { head: 'Created', cell: ({ createdAt }) => <TimeText at={createdAt} /> },
    { head: 'Last used', cell: lastUseText },
    { head: 'Actions', isActions: true, cell: (key) => <RevokeButton apiKey={key} onRevoke={setAsked} /> },
  ]
  return (
    <>
      <DataTable label="API keys" columns={columns} rows={keys} keyOf={({ id }) => id} />
      {asked && <RevokeDialog key={asked.id} asked={asked} onClose={() => setAsked(undefined)} />}
    </>
  )
}

function RevokeButton({ apiKey, onRevoke }: { apiKey: Key; onRevoke: (key: Key) => void }) {
  return (
    <Button look="danger" onClick={() => onRevoke(apiKey)} aria-label={`Revoke ${apiKey.name}`}>
      Revoke
    </Button>
  )
}

/** What it may do, and for which tunnels alone. */
function scopesText({ scopes, tunnels }: Key): string {
  const labels = scopes.map((scope) => scopeTexts[scope].label).join(', ')
  return tunnels && tunnels.length > 0 ? `${labels}, only ${tunnels.join(', ')}` : labels
}

function lastUseText(key: Key): string {
  return key.lastUsedDay ? formatDay(key.lastUsedDay) : 'never'
}

function RevokeDialog({ asked, onClose }: { asked: Key; onClose: () => void }) {
  const announce = useAnnounce()
  const revoke = useRevokeKey({
    onRevoked: () => {
      announce(`Revoked: ${asked.name}`)
      onClose()
    },
  })
  return (
    <ConfirmDialog
      title={`Revoke ${asked.name}?`}
      action="Revoke key"
      onConfirm={() => revoke.mutate(asked.id)}
      onClose={onClose}
      isBusy={revoke.isPending}
      failure={failureIn(revoke)}
    >
      <p>
        Whatever uses the key …{asked.hint} can no longer claim or renew tunnels with it. This cannot be
        undone; make a new key instead.
      </p>
    </ConfirmDialog>
  )
}
