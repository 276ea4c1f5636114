/** API keys: what there is, how to make one, how to end one. */
import type { Key } from '@porttunneler/shared/api/schemas/accounts'
import { useState } from 'preact/hooks'
import type { KeyCreated } from '../api/calls.ts'
import { failureIn, useKeys, useRevokeKey } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button } from '../parts/button.tsx'
import { ConfirmDialog } from '../parts/dialog.tsx'
import { formatAgo, formatDay } from '../parts/format.ts'
import { useWide } from '../parts/media.ts'
import { Card, Page, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { scopeTexts } from '../parts/scope-text.ts'
import { TableHead } from '../parts/table-head.tsx'
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
  const isWide = useWide()
  const [asked, setAsked] = useState<Key>()
  return (
    <>
      {isWide ? <KeyTable keys={keys} onRevoke={setAsked} /> : <KeyCards keys={keys} onRevoke={setAsked} />}
      {asked && <RevokeDialog key={asked.id} asked={asked} onClose={() => setAsked(undefined)} />}
    </>
  )
}

type ListProps = { keys: readonly Key[]; onRevoke: (key: Key) => void }

function KeyTable({ keys, onRevoke }: ListProps) {
  return (
    <div class="overflow-x-auto rounded-2xl border border-line bg-surface">
      <table class="w-full text-left text-sm">
        <caption class="sr-only">API keys</caption>
        <thead class="border-b border-line text-muted">
          <tr>
            <TableHead>Name</TableHead>
            <TableHead>Key</TableHead>
            <TableHead>May</TableHead>
            <TableHead>Created</TableHead>
            <TableHead>Last used</TableHead>
            <TableHead>
              <span class="sr-only">Actions</span>
            </TableHead>
          </tr>
        </thead>
        <tbody class="divide-y divide-line">
          {keys.map((key) => (
            <tr key={key.id}>
              <th scope="row" class="px-4 py-3 pl-6 font-semibold break-words">
                {key.name}
              </th>
              <td class="px-4 py-3 font-mono text-muted">…{key.hint}</td>
              <td class="px-4 py-3">{scopesText(key)}</td>
              <td class="px-4 py-3 whitespace-nowrap">
                <Created apiKey={key} />
              </td>
              <td class="px-4 py-3 whitespace-nowrap">{lastUseText(key)}</td>
              <td class="px-4 py-2 pr-6 text-right">
                <RevokeButton apiKey={key} onRevoke={onRevoke} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function KeyCards({ keys, onRevoke }: ListProps) {
  return (
    <ul aria-label="API keys" class="space-y-3">
      {keys.map((key) => (
        <li key={key.id} class="rounded-2xl border border-line bg-surface p-4 text-sm">
          <div class="flex items-start justify-between gap-3">
            <p class="min-w-0 break-words">
              <span class="block font-semibold">{key.name}</span>
              <span class="font-mono text-muted">…{key.hint}</span>
            </p>
            <RevokeButton apiKey={key} onRevoke={onRevoke} />
          </div>
          <p class="mt-2">{scopesText(key)}</p>
          <p class="mt-1 text-muted">
            Created <Created apiKey={key} />, last used: {lastUseText(key)}
          </p>
        </li>
      ))}
    </ul>
  )
}

function Created({ apiKey }: { apiKey: Key }) {
  const { clock } = useServices()
  return <>{formatAgo(apiKey.createdAt, clock.now())}</>
}

function RevokeButton({ apiKey, onRevoke }: { apiKey: Key; onRevoke: (key: Key) => void }) {
  return (
    <Button look="danger" onClick={() => onRevoke(apiKey)} aria-label={`Revoke ${apiKey.name}`}>
      Revoke
    </Button>
  )
}

/** What it may do, and until when if it ends by itself. */
function scopesText({ scopes, expiresAt }: Key): string {
  const labels = scopes.map((scope) => scopeTexts[scope].label).join(', ')
  if (expiresAt === undefined) return labels
  return `${labels}, until ${formatDay(new Date(expiresAt).toISOString().slice(0, 10))}`
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
