/** All tunnels of the account: trouble first, searched and ordered by the server, with live figures. */

import type { Tunnel, TunnelCounts } from '@porttunneler/shared/api/schemas/tunnels'
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { failureIn } from '../api/queries.ts'
import { type TunnelList, useDeleteTunnels, useTunnelList } from '../api/tunnel-list.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button, ButtonLink } from '../parts/button.tsx'
import { CommandLine } from '../parts/copy-button.tsx'
import { ConfirmDialog } from '../parts/dialog.tsx'
import { formatClock, formatCount, formatCounted } from '../parts/format.ts'
import { Card, Page, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { TransferNotice } from './transfer-card.tsx'
import { type Filter, FilterBar, isNarrowed, useFilter, wishOf } from './tunnel-filter.tsx'
import { TunnelRows } from './tunnel-rows.tsx'
import { TagsDialog } from './tunnel-tags.tsx'

/** Fewer never-used ones are not worth a fold. */
const foldedMin = 4

export function TunnelsPage() {
  const [filter, change] = useFilter()
  const [shown, setShown] = useState<readonly [number, number]>([0, 0])
  const list = useTunnelList(wishOf(filter), shown)
  const { counts } = list
  const isEmpty = !list.isPending && list.items.length === 0 && !list.hasMore
  const isNew = isEmpty && !isNarrowed(filter) && !list.failure
  return (
    <Page
      title="Tunnels"
      isBroad
      lead={counts && counts.total > 0 ? summary(counts, list.asOf) : undefined}
      actions={
        <ButtonLink href="/new" look="accent">
          New tunnel
        </ButtonLink>
      }
    >
      <div class="space-y-4">
        <TransferNotice />
        {list.failure && (
          <ProblemNotice failure={list.failure} onRetry={list.refetch} isRetrying={list.isFetching} />
        )}
        {!isNew && (counts || isNarrowed(filter)) && <FilterBar filter={filter} onChange={change} />}
        {list.isPending && <Skeleton what="the tunnels" rows={4} />}
        {isNew && <FirstTunnel />}
        {isEmpty && isNarrowed(filter) && <NothingFound onReset={() => change(everything)} />}
        {list.items.length === 0 && list.hasMore && <p role="status">Searching…</p>}
        {(list.items.length > 0 || list.hasMore) && (
          <Listed list={list} filter={filter} onChange={change} onRange={setShown} />
        )}
      </div>
    </Page>
  )
}

const everything = { search: '', state: '', kind: '', tag: '' } as const

/** "2 need a look, 48 of 1,000 healthy", and as of when if the server cannot be asked. */
function summary(counts: TunnelCounts, readAt: number | undefined): string {
  const trouble = counts.upstream_failing + counts.refused + counts.degraded
  const parts = [
    ...(trouble > 0 ? [`${formatCount(trouble)} ${trouble === 1 ? 'needs' : 'need'} a look`] : []),
    `${formatCount(counts.healthy)} of ${formatCount(counts.total)} healthy`,
  ]
  return `${parts.join(', ')}${readAt === undefined ? '' : `, as of ${formatClock(readAt)}`}`
}

function NothingFound({ onReset }: { onReset: () => void }) {
  return (
    <div role="status" class="rounded-xl border border-line bg-surface px-6 py-10 text-center">
      <p class="mb-4 text-muted">No tunnel is like that.</p>
      <Button onClick={onReset}>Show all tunnels</Button>
    </div>
  )
}

function FirstTunnel() {
  return (
    <Card title="Your first tunnel takes two commands">
      <p class="text-muted">Run them on the machine whose port you want to reach from outside.</p>
      <ol class="mt-5 space-y-5">
        <li>
          <p class="mb-2 font-medium">1. Connect the machine to this account</p>
          <CommandLine command={`npx porttunneler login --server ${location.origin}`} />
        </li>
        <li>
          <p class="mb-2 font-medium">2. Open a tunnel to a local port, here 3000</p>
          <CommandLine command="npx porttunneler http 3000" />
          <p class="mt-2 text-sm text-muted">
            For anything that is not HTTP: <code class="font-mono">npx porttunneler tcp 5432</code>
          </p>
        </li>
      </ol>
      <p class="mt-5 text-muted">The tunnel appears here as soon as it is open.</p>
    </Card>
  )
}

function Listed({
  list,
  filter,
  onChange,
  onRange,
}: {
  list: TunnelList
  filter: Filter
  onChange: (change: Partial<Filter>) => void
  onRange: (range: readonly [number, number]) => void
}) {
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())
  const { items, counts } = list
  const unused = items.filter(({ state }) => state === 'never_used').length
  const mayFold = !isNarrowed(filter) && filter.sort === 'trouble' && unused >= foldedMin
  const isFolded = mayFold && !filter.isUnfolded && unused < items.length
  const rows = isFolded ? items.filter(({ state }) => state !== 'never_used') : items
  const chosen = rows.filter(({ id }) => selected.has(id))
  const hidden = list.hasMore ? Math.max(counts?.total ?? 0, items.length) - rows.length : unused
  const { current: more } = useRef({ load: list.loadMore })
  more.load = list.loadMore
  const onMore = useCallback(() => more.load(), [more])
  useFocusWhenGone(chosen.length > 0)
  return (
    <div class="space-y-3">
      {chosen.length > 0 && <Chosen tunnels={chosen} onDone={() => setSelected(new Set())} />}
      <TunnelRows
        tunnels={rows}
        total={list.hasMore && !isNarrowed(filter) ? (counts?.total ?? rows.length) : rows.length}
        readAt={list.asOf}
        onTag={(tag) => onChange({ tag })}
        selection={{ ids: selected, onChange: setSelected }}
        hasMore={list.hasMore && !isFolded && !list.isLoadingMore}
        onMore={onMore}
        onRange={onRange}
      />
      {list.isLoadingMore && <p role="status">Loading more…</p>}
      {isFolded && (
        <Button onClick={() => onChange({ isUnfolded: true })}>
          {list.hasMore
            ? `Show ${formatCount(hidden)} more that nobody serves`
            : `Show ${formatCount(hidden)} that were never used`}
        </Button>
      )}
      {mayFold && filter.isUnfolded && (
        <Button look="quiet" onClick={() => onChange({ isUnfolded: false })}>
          Hide those that were never used
        </Button>
      )}
    </div>
  )
}

/** The button that was pressed goes with its bar: the focus goes to the heading and not nowhere. */
function useFocusWhenGone(isThere: boolean): void {
  const wasThere = useRef(isThere)
  useEffect(() => {
    if (wasThere.current && !isThere && document.activeElement === document.body)
      document.querySelector<HTMLElement>('h1')?.focus()
    wasThere.current = isThere
  }, [isThere])
}

/** What can be done with the tunnels that are ticked. */
function Chosen({ tunnels, onDone }: { tunnels: readonly Tunnel[]; onDone: () => void }) {
  const [isAsking, setAsking] = useState(false)
  const [isTagging, setTagging] = useState(false)
  const announce = useAnnounce()
  const remove = useDeleteTunnels()
  const count = formatCounted(tunnels.length, 'tunnel')
  const served = tunnels.filter(({ endpoint }) => endpoint).length
  const confirm = () =>
    remove.mutate(
      tunnels.map(({ id }) => id),
      {
        onSuccess: ({ done, failures }) => {
          if (failures.length > 0) return
          announce(`Deleted: ${formatCount(done)}`)
          onDone()
        },
      },
    )
  const [failure] = remove.data?.failures ?? []
  return (
    <div class="sticky top-2 z-10 flex flex-wrap items-center gap-3 rounded-xl border border-line bg-raised px-4 py-2 text-sm">
      <p role="status" class="mr-auto font-medium">
        {count} selected
      </p>
      <Button look="quiet" onClick={onDone}>
        Select none
      </Button>
      <Button onClick={() => setTagging(true)}>Tags</Button>
      <Button look="danger" onClick={() => setAsking(true)}>
        Delete
      </Button>
      {isTagging && <TagsDialog tunnels={tunnels} onClose={() => setTagging(false)} />}
      {isAsking && (
        <ConfirmDialog
          title={`Delete ${count}?`}
          action={`Delete ${count}`}
          onConfirm={confirm}
          onClose={() => {
            setAsking(false)
            remove.reset()
          }}
          isBusy={remove.isPending}
          failure={failure ?? failureIn(remove)}
        >
          <p class="break-words">{namesOf(tunnels)}</p>
          {served > 0 && (
            <p>
              Their addresses are given up: nobody can reach {served === 1 ? 'it' : 'them'} any more, and
              later somebody else may get {served === 1 ? 'it' : 'them'}.
            </p>
          )}
          <p>An agent that still asks for a tunnel of such a name creates a new one.</p>
        </ConfirmDialog>
      )}
    </div>
  )
}

const namedMax = 12

function namesOf(tunnels: readonly Tunnel[]): string {
  const named = tunnels.slice(0, namedMax).map(({ name }) => name)
  const others = tunnels.length - named.length
  return `${named.join(', ')}${others > 0 ? ` and ${formatCount(others)} more` : ''}`
}
