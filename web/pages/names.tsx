/** Host names and ports that the account keeps, whether or not a tunnel uses them. */
import { useState } from 'preact/hooks'
import { type Kept, type KeptKind, useGiveKept, useKept, useReleaseKept } from '../api/kept-queries.ts'
import { failureIn, useMe, useTunnels } from '../api/queries.ts'
import { useAccounts } from '../api/team-queries.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button, TextLink } from '../parts/button.tsx'
import { CopyButton } from '../parts/copy-button.tsx'
import { ConfirmDialog } from '../parts/dialog.tsx'
import { Page, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { MoveDialog } from './move-dialog.tsx'
import { ReserveDialog } from './reserve-dialog.tsx'

const texts = {
  names: {
    title: 'Host names',
    none: 'None yet. A kept name stays yours while no tunnel uses it: only your tunnel of that name gets it.',
    reserve: 'Reserve name',
    any: 'the tunnel of this name',
  },
  ports: {
    title: 'Ports',
    none: 'None yet. A kept port stays yours while no tunnel uses it, so its address can be given to others.',
    reserve: 'Reserve port',
    any: 'any tunnel that asks for it',
  },
} as const

export function NamesPage() {
  return (
    <Page
      title="Names and ports"
      lead={
        <>
          Addresses under this service that stay yours. Hosts of your own domains are under{' '}
          <TextLink href="/domains">Domains</TextLink>.
        </>
      }
    >
      <div class="space-y-8">
        <KeptSection kind="names" />
        <KeptSection kind="ports" />
      </div>
    </Page>
  )
}

function KeptSection({ kind }: { kind: KeptKind }) {
  const query = useKept(kind)
  const failure = failureIn(query)
  const [isReserving, setReserving] = useState(false)
  const { title, none, reserve } = texts[kind]
  const items = query.data?.items
  return (
    <section aria-label={title} class="rounded-xl border border-line bg-surface p-5 sm:p-6">
      <div class="mb-4 flex flex-wrap items-center justify-between gap-3">
        <h2 class="text-base font-semibold">{title}</h2>
        <Button onClick={() => setReserving(true)}>{reserve}</Button>
      </div>
      {failure && (
        <ProblemNotice failure={failure} onRetry={() => void query.refetch()} isRetrying={query.isFetching} />
      )}
      {query.isPending && <Skeleton rows={1} what={title} />}
      {items?.length === 0 && <p class="text-sm text-muted">{none}</p>}
      {items && items.length > 0 && (
        <ul aria-label={title} class="space-y-3">
          {items.map((kept) => (
            <KeptItem key={kept.url} kind={kind} kept={kept} />
          ))}
        </ul>
      )}
      {items && items.length > 0 && (
        <p class="mt-3 text-sm text-muted">
          A tunnel that gets one by your choice takes it at once, in place of the address that it had.
        </p>
      )}
      {query.data?.isCut && <p class="mt-3 text-sm text-muted">There are more; the API lists them all.</p>}
      {isReserving && <ReserveDialog kind={kind} onClose={() => setReserving(false)} />}
    </section>
  )
}

/** The words by which people know it. */
function addressOf(kept: Kept): string {
  return 'id' in kept ? `${kept.host}:${kept.port}` : kept.host
}

function KeptItem({ kind, kept }: { kind: KeptKind; kept: Kept }) {
  const [isReleasing, setReleasing] = useState(false)
  const [isMoving, setMoving] = useState(false)
  const address = addressOf(kept)
  const here = useMe().data?.account
  const others = (useAccounts().data?.items ?? []).filter(({ id }) => id !== here)
  return (
    <li class="rounded-xl border border-line p-4 text-sm">
      <div class="flex items-start justify-between gap-3">
        <div class="min-w-0">
          <p class="font-mono font-semibold break-all">{address}</p>
          <p class="mt-1 text-muted">
            {stateText(kept)} Reserved <TimeText at={kept.reservedAt} />.
          </p>
        </div>
        <CopyButton text={kept.url} what={`address of ${address}`} />
      </div>
      <div class="mt-3 flex flex-wrap items-end justify-between gap-3">
        <GoesTo kind={kind} kept={kept} />
        <div class="flex flex-wrap gap-3">
          {others.length > 0 && (
            <Button look="quiet" onClick={() => setMoving(true)} aria-label={`Move ${address}`}>
              Move
            </Button>
          )}
          <Button look="danger" onClick={() => setReleasing(true)} aria-label={`Release ${address}`}>
            Release
          </Button>
        </div>
      </div>
      {isMoving && <MoveDialog {...{ kind, kept, address, others }} onClose={() => setMoving(false)} />}
      {isReleasing && <ReleaseDialog kind={kind} kept={kept} onClose={() => setReleasing(false)} />}
    </li>
  )
}

function stateText({ state, tunnel, restsUntil }: Kept) {
  switch (state) {
    case 'in_use':
      return `In use${tunnel ? ` by ${tunnel.name}` : ''}.`
    case 'resting':
      return restsUntil === undefined ? (
        'It rests after its move.'
      ) : (
        <>
          It rests after its move until <TimeText at={restsUntil} isExact />.
        </>
      )
    case 'unused':
      return 'Not in use.'
  }
}

function GoesTo({ kind, kept }: { kind: KeptKind; kept: Kept }) {
  const tunnels = useTunnels()
  const give = useGiveKept(kind, kept)
  const announce = useAnnounce()
  const failure = failureIn(give)
  const possible =
    tunnels.data?.items.filter((tunnel) => (tunnel.kind === 'tcp') === (kind === 'ports')) ?? []
  return (
    <div class="min-w-0 space-y-2">
      <label class="block font-semibold">
        Goes to
        <select
          class="mt-1.5 block h-11 w-full min-w-48 rounded-md border border-edge bg-surface px-3 text-text"
          value={kept.isOnlyFor ? kept.tunnel?.id : ''}
          disabled={give.isPending}
          onChange={(event) => {
            const id = event.currentTarget.value
            give.mutate(id === '' ? null : id, { onSuccess: () => announce(`Changed: ${addressOf(kept)}`) })
          }}
        >
          <option value="">{texts[kind].any}</option>
          {possible.map(({ id, name }) => (
            <option key={id} value={id}>
              {name} only
            </option>
          ))}
        </select>
      </label>
      {failure && <ProblemNotice failure={failure} />}
    </div>
  )
}

function ReleaseDialog({ kind, kept, onClose }: { kind: KeptKind; kept: Kept; onClose: () => void }) {
  const announce = useAnnounce()
  const address = addressOf(kept)
  const release = useReleaseKept(kind, () => {
    announce(`Released: ${address}`)
    onClose()
  })
  return (
    <ConfirmDialog
      title={`Release ${address}?`}
      action="Release"
      onConfirm={() => release.mutate(kept)}
      onClose={onClose}
      isBusy={release.isPending}
      failure={failureIn(release)}
    >
      <p>
        It rests as long as you kept it, at least an hour and at most 30 days; meanwhile you can take it back.
        Then others can get it. A tunnel that uses it now goes on.
      </p>
    </ConfirmDialog>
  )
}
