/** The connections of a tunnel: those that are open, those that ended and were kept, and whether any are kept. */
import type { EndedConnection, LiveConnections } from '@porttunneler/shared/api/schemas/connections'
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import { formatBytes } from '@porttunneler/shared/base/amounts'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'preact/hooks'
import {
  type ConnectionFilter,
  useForgetConnections,
  useKeptConnections,
  useLiveConnections,
} from '../api/connection-queries.ts'
import { failureIn, useMe, useUpdateTunnel } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button } from '../parts/button.tsx'
import { CodeText } from '../parts/code-text.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { ConfirmDialog } from '../parts/dialog.tsx'
import { SelectField, TextField } from '../parts/field.tsx'
import { formatCount, formatCounted } from '../parts/format.ts'
import { Card, Skeleton } from '../parts/page.tsx'
import type { KeepWish } from '../parts/policy-text.ts'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { TimeText } from '../parts/time-text.tsx'

const shownMax = 100

type Open = LiveConnections['open'][number]
const openColumns: readonly Column<Open>[] = [
  { head: 'From', cell: ({ from }) => <code class="font-mono text-[0.8125rem]">{from}</code> },
  { head: 'Since', cell: ({ startedAt }) => <TimeText at={startedAt} isExact isInRow /> },
  { head: 'Open for', cell: ({ ms }) => lasted(ms), isNumber: true },
  { head: 'In', cell: (row) => formatBytes(row.in), isNumber: true },
  { head: 'Out', cell: (row) => formatBytes(row.out), isNumber: true },
]
const endedColumns: readonly Column<EndedConnection>[] = [
  { head: 'From', cell: ({ from }) => <code class="font-mono text-[0.8125rem]">{from}</code> },
  { head: 'Ended', cell: ({ endedAt }) => <TimeText at={endedAt} isExact isInRow /> },
  { head: 'Lasted', cell: ({ ms }) => lasted(ms), isNumber: true },
  { head: 'In', cell: (row) => formatBytes(row.in), isNumber: true },
  { head: 'Out', cell: (row) => formatBytes(row.out), isNumber: true },
  { head: 'Why it ended', cell: Why },
]

function Why({ code, reason }: EndedConnection) {
  return (
    <span class="inline-flex flex-wrap items-center gap-2">
      {code && <CodeText code={code} />}
      {reason}
    </span>
  )
}

function lasted(ms: number): string {
  if (ms < 1_000) return `${ms} ms`
  if (ms < 60_000) return `${Math.round(ms / 1_000)} s`
  return ms < 3_600_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 360_000) / 10} h`
}

export function OpenConnections({ tunnel }: { tunnel: Tunnel }) {
  const { data } = useLiveConnections(tunnel.id)
  const open = data?.open.slice(0, shownMax) ?? []
  return (
    <Card title={data ? `Open now: ${formatCount(data.total)}` : 'Open now'}>
      {data && open.length === 0 && <p class="text-muted">No visitor is connected.</p>}
      {open.length > 0 && (
        <DataTable
          label="Open connections"
          columns={openColumns}
          rows={open}
          keyOf={({ from, port, startedAt }) => `${from} ${port} ${startedAt}`}
        />
      )}
      {data && data.total > open.length && (
        <p class="mt-3 text-sm text-muted">The newest {formatCount(open.length)} are shown.</p>
      )}
    </Card>
  )
}

export function KeptConnections({ tunnel }: { tunnel: Tunnel }) {
  const [filter, setFilter] = useState<ConnectionFilter>({})
  const kept = useKeptConnections(tunnel.id, filter)
  const live = useLiveConnections(tunnel.id)
  const failure = failureIn(kept)
  const pages = kept.data?.pages ?? []
  // What relays have not reported yet comes first, where nothing is searched for.
  const waiting = Object.keys(filter).length === 0 ? (live.data?.ended ?? []) : []
  const all = [...waiting, ...pages.flatMap(({ items }) => items)]
  const rows = [...new Map(all.map((row) => [keyOf(row), row])).values()]
  const counted = pages.reduce((sum, page) => sum + page.counted, 0)
  const sampled = pages.reduce((sum, page) => sum + page.kept, 0)
  return (
    <Card title="Connections that ended">
      <KeepChoice tunnel={tunnel} days={pages[0]?.days} />
      <FilterForm onFilter={setFilter} />
      {failure && <ProblemNotice failure={failure} onRetry={() => void kept.refetch()} />}
      {kept.isPending && <Skeleton what="the connections" rows={3} />}
      {kept.data && rows.length === 0 && (
        <p class="text-muted">{kept.hasNextPage ? 'None found so far.' : 'None.'}</p>
      )}
      {rows.length > 0 && (
        <DataTable label="Connections that ended" columns={endedColumns} rows={rows} keyOf={keyOf} />
      )}
      {counted > sampled && (
        <p class="mt-3 text-sm text-muted">
          {formatCount(counted)} ended and {formatCount(sampled)} of them were kept: of more than 100 in a
          minute a sample is.
        </p>
      )}
      {kept.hasNextPage && (
        <div class="mt-4">
          <Button onClick={() => void kept.fetchNextPage()} isBusy={kept.isFetchingNextPage}>
            {rows.length === 0 ? 'Search further back' : 'Show older ones'}
          </Button>
        </div>
      )}
    </Card>
  )
}

function keyOf({ from, startedAt, endedAt, ...bytes }: EndedConnection): string {
  return `${endedAt} ${startedAt} ${from} ${bytes.in} ${bytes.out}`
}

function KeepChoice({ tunnel, days = 0 }: { tunnel: Tunnel; days: number | undefined }) {
  const announce = useAnnounce()
  const { calls } = useServices()
  const forget = useForgetConnections(tunnel.id)
  const update = useUpdateTunnel(tunnel.id)
  const mayWrite = useMe().data?.permissions.includes('tunnels.write') ?? false
  const failure = failureIn(update)
  const choose = (wish: KeepWish) => {
    const { keepConnections: _, ...rest } = tunnel.policy
    const policy = wish === 'off' ? rest : { ...rest, keepConnections: wish }
    update.mutate(
      { change: { policy }, revision: tunnel.revision },
      { onSuccess: () => announce('Saved. Relays follow within seconds.') },
    )
  }
  const [isAsking, setAsking] = useState(false)
  const erase = useMutation({
    mutationFn: async () => {
      while ((await calls.eraseConnections(tunnel.id)).more);
    },
    onSuccess: () => {
      setAsking(false)
      announce('All kept connections are erased.')
    },
    onSettled: forget,
  })
  return (
    <div class="mb-5 flex flex-wrap items-end gap-4">
      <div class="min-w-0 grow">
        <SelectField
          label="Keep connections that end"
          hint={`Off unless you choose: a list of visitors is personal data. Kept ones are deleted after ${formatCounted(days, 'day')}.`}
          value={tunnel.policy.keepConnections ?? 'off'}
          disabled={!mayWrite || update.isPending}
          onChange={(event) => choose(event.currentTarget.value as KeepWish)}
        >
          <option value="off">No</option>
          <option value="shortened">Yes, with addresses shortened to /24 and /48</option>
          <option value="whole">Yes, with whole addresses</option>
        </SelectField>
      </div>
      {mayWrite && (
        <Button look="danger" onClick={() => setAsking(true)}>
          Erase kept ones
        </Button>
      )}
      {failure && <ProblemNotice failure={failure} />}
      {isAsking && (
        <ConfirmDialog
          title="Erase kept connections?"
          action="Erase them"
          onConfirm={() => erase.mutate()}
          onClose={() => setAsking(false)}
          isBusy={erase.isPending}
          failure={failureIn(erase)}
        >
          <p>All that was kept of this tunnel’s connections goes, and cannot be brought back.</p>
        </ConfirmDialog>
      )}
    </div>
  )
}

function FilterForm({ onFilter }: { onFilter: (filter: ConnectionFilter) => void }) {
  const [address, setAddress] = useState('')
  const [code, setCode] = useState('')
  return (
    <form
      aria-label="Search connections"
      class="mb-5 flex flex-wrap items-end gap-4"
      onSubmit={(event) => {
        event.preventDefault()
        const [from, reason] = [address.trim(), code.trim().toUpperCase()]
        onFilter({
          ...(from !== '' && { address: from }),
          ...(reason === 'ANY' ? { failed: 'true' as const } : reason !== '' && { code: reason }),
        })
      }}
    >
      <TextField
        label="Address or network"
        placeholder="203.0.113.0/24"
        value={address}
        onInput={(event) => setAddress(event.currentTarget.value)}
      />
      <TextField
        label="Code"
        placeholder="PT-3022"
        hint="“any” finds all that did not end in order."
        value={code}
        onInput={(event) => setCode(event.currentTarget.value)}
      />
      <Button type="submit">Search</Button>
    </form>
  )
}
