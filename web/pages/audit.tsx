/** Who did what in the account, newest first; the proof of each entry, and a file of all. */

import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import {
  useAudit,
  useAuditExport,
  useAuditProof,
  useFoundAudit,
  useSaveAuditExport,
  useStartAuditExport,
} from '../api/audit-queries.ts'
import type { AuditWish, Calls } from '../api/calls.ts'
import { failureIn } from '../api/queries.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { fileOf } from '../parts/audit-file.ts'
import { actionText, detailsText } from '../parts/audit-text.ts'
import { Button } from '../parts/button.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { formatCount, formatCounted, formatTime } from '../parts/format.ts'
import { Card, Page, Panel, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { saveFile } from '../parts/save-file.ts'
import { TimeText } from '../parts/time-text.tsx'
import { AuditSearch, useAuditWish } from './audit-search.tsx'
import { ViewsCard } from './views-card.tsx'

type Entry = Awaited<ReturnType<Calls['audit']>>['items'][number]

export function AuditPage() {
  const [wish, change] = useAuditWish()
  const log = useAudit(wish)
  const failure = failureIn(log)
  const entries = log.data?.pages.flatMap(({ items }) => items) ?? []
  const [asked, setAsked] = useState<Entry>()
  return (
    <Page
      title="Audit log"
      isBroad
      lead="Who did what, newest first. Each entry can be proven to be as it was written."
    >
      <div class="space-y-4">
        <AuditSearch key={JSON.stringify(wish)} wish={wish} onChange={change} />
        {failure && (
          <ProblemNotice failure={failure} onRetry={() => void log.refetch()} isRetrying={log.isFetching} />
        )}
        {log.isPending && <Skeleton what="the audit log" />}
        {log.data && entries.length === 0 && <p class="text-muted">There is no such entry.</p>}
        {entries.length > 0 && (
          <DataTable label="Entries" columns={columnsOf(setAsked)} rows={entries} keyOf={({ id }) => id} />
        )}
        {log.hasNextPage && (
          <Button onClick={() => void log.fetchNextPage()} isBusy={log.isFetchingNextPage}>
            Show older ones
          </Button>
        )}
        {entries.length > 0 && <SaveFound key={JSON.stringify(wish)} wish={wish} />}
        <Panel>
          <ExportCard />
          <ViewsCard />
        </Panel>
      </div>
      {asked && <ProofDialog entry={asked} onClose={() => setAsked(undefined)} />}
    </Page>
  )
}

/** Ids are long and alike: the end tells them apart, and the whole is on hover and in the dialog. */
function ShortId({ id }: { id: string }) {
  const [, prefix, end] = /^([a-z]{3}_)\w*(\w{8})$/.exec(id) ?? []
  return (
    <code class={`font-mono text-xs ${prefix ? 'whitespace-nowrap' : 'break-all'}`} title={id}>
      {prefix ? `${prefix}…${end}` : id}
    </code>
  )
}

function columnsOf(onProve: (entry: Entry) => void): readonly Column<Entry>[] {
  return [
    { head: 'What happened', cell: ({ action }) => actionText(action) },
    { head: 'To what', cell: ({ target }) => <ShortId id={target} /> },
    {
      head: 'Who',
      cell: ({ actor }) => (actor === 'system' ? 'The service' : <ShortId id={actor} />),
    },
    { head: 'From', cell: ({ from }) => (from === '' ? '–' : <span class="font-mono text-xs">{from}</span>) },
    { head: 'Details', cell: ({ details }) => <span class="text-muted">{detailsText(details) || '–'}</span> },
    { head: 'When', cell: ({ at }) => <TimeText at={at} /> },
    {
      head: 'Actions',
      isActions: true,
      cell: (entry) => (
        <Button
          look="quiet"
          onClick={() => onProve(entry)}
          aria-label={`Prove ${actionText(entry.action)}, ${formatTime(entry.at)}`}
        >
          Prove
        </Button>
      ),
    },
  ]
}

function SaveFound({ wish }: { wish: AuditWish }) {
  const announce = useAnnounce()
  const read = useFoundAudit()
  const failure = failureIn(read)
  const save = (form: 'csv' | 'json') =>
    read.mutate(wish, {
      onSuccess: ({ items, isCut }) => {
        saveFile(fileOf(items, form), `porttunneler-audit.${form}`)
        announce(
          `${isCut ? 'Saved the newest' : 'Saved'}: ${formatCounted(items.length, 'entry', 'entries')}.`,
        )
      },
    })
  return (
    <div class="space-y-3">
      <div class="flex flex-wrap items-center gap-3">
        <Button onClick={() => save('csv')} isBusy={read.isPending}>
          Save what was found as CSV
        </Button>
        <Button onClick={() => save('json')} isBusy={read.isPending}>
          Save it as JSON
        </Button>
        {read.data?.isCut && (
          <p class="text-sm text-muted">
            These are the newest {formatCounted(read.data.items.length, 'entry', 'entries')}. Choose a shorter
            span for the others, or write the file of all entries below.
          </p>
        )}
      </div>
      {failure && <ProblemNotice failure={failure} />}
    </div>
  )
}

function ExportCard() {
  const announce = useAnnounce()
  const query = useAuditExport()
  const start = useStartAuditExport()
  const save = useSaveAuditExport((file) => {
    saveFile(file, 'porttunneler-audit.ndjson')
    announce('The audit log was saved.')
  })
  const failure = failureIn(query) ?? failureIn(start) ?? failureIn(save)
  const made = query.data
  return (
    <Card title="File of all entries">
      <div class="space-y-3">
        <p class="max-w-prose text-muted">
          One entry on each line, with its proof, for your records. The command{' '}
          <code class="font-mono text-xs">ptunctl audit check</code> checks it without this server.
        </p>
        {made?.state === 'writing' && (
          <p role="status">It is being written, which takes about three minutes.</p>
        )}
        {made?.state === 'ready' && (
          <p>
            {formatCounted(made.entries, 'entry', 'entries')}, written <TimeText at={made.createdAt} />, here
            until <TimeText at={made.expiresAt} isExact />.
          </p>
        )}
        {failure && <ProblemNotice failure={failure} />}
        <div class="flex flex-wrap gap-3">
          {made?.state === 'ready' && (
            <Button onClick={() => save.mutate(made.parts)} isBusy={save.isPending}>
              Save the file
            </Button>
          )}
          <Button onClick={() => start.mutate()} isBusy={start.isPending || made?.state === 'writing'}>
            {made ? 'Write a new one' : 'Write the file'}
          </Button>
        </div>
      </div>
    </Card>
  )
}

function ProofDialog({ entry, onClose }: { entry: Entry; onClose: () => void }) {
  const prove = useAuditProof()
  const failure = failureIn(prove)
  const proof = prove.data
  return (
    <Dialog title={actionText(entry.action)} onClose={onClose}>
      <dl class="mt-3 grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1 text-sm">
        {facts(entry).map(([name, text]) => (
          <div key={name} class="col-span-2 grid grid-cols-subgrid">
            <dt class="text-muted">{name}</dt>
            <dd class="break-words">{text}</dd>
          </div>
        ))}
      </dl>
      <p class="mt-4 text-sm text-muted">
        Entries are sealed within two minutes. A seal names the one before it, so that nobody can change an
        entry later without changing every seal since.
      </p>
      {proof && (
        <p role="status" class="mt-3 text-sm">
          Sealed <TimeText at={proof.seal.at} isExact /> with {formatCounted(proof.seal.count, 'other')}, as
          seal {formatCount(proof.seal.number)}: <code class="font-mono text-xs break-all">{proof.hash}</code>
        </p>
      )}
      {failure && (
        <div class="mt-3">
          <ProblemNotice failure={failure} />
        </div>
      )}
      <div class="mt-6 flex flex-wrap justify-end gap-3">
        {proof && (
          <Button
            onClick={() =>
              saveFile(
                new Blob([JSON.stringify(proof, undefined, 2)], { type: 'application/json' }),
                `${entry.id}.json`,
              )
            }
          >
            Save the proof
          </Button>
        )}
        {!proof && (
          <Button onClick={() => prove.mutate(entry.id)} isBusy={prove.isPending}>
            Get the proof
          </Button>
        )}
        <Button look="accent" onClick={onClose}>
          Close
        </Button>
      </div>
    </Dialog>
  )
}

function facts({
  at,
  actor,
  target,
  from,
  userAgent,
  details,
}: Entry): readonly (readonly [string, ComponentChildren])[] {
  return [
    ['When', <TimeText key="when" at={at} isExact />],
    ['Who', actor === 'system' ? 'the service' : actor],
    ['To what', target],
    ['From', from || 'the service itself'],
    ...(userAgent ? [['Program', userAgent] as const] : []),
    ...(detailsText(details) ? [['Details', detailsText(details)] as const] : []),
  ]
}
