/**
 * The log of relays, control plane and functions, for operators: searched, and followed while it is written. The page's
 * address keeps the search, so that it can be sent to somebody else.
 */
import { useState } from 'preact/hooks'
import { useLocation, useSearch } from 'wouter-preact'
import { useFollowedLogs, useLogs } from '../api/log-queries.ts'
import type { LogLine } from '../api/operator-service-calls.ts'
import { Button, TextLink } from '../parts/button.tsx'
import { CodeText } from '../parts/code-text.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { TextField } from '../parts/field.tsx'
import { formatCounted } from '../parts/format.ts'
import { More, Reading, type Tone, ToneBadge } from '../parts/operator-parts.tsx'
import { Page } from '../parts/page.tsx'
import { TimeText } from '../parts/time-text.tsx'

const path = '/operator/logs'
const linkTo = (query: string) => `${path}?${new URLSearchParams({ q: query })}`

export function OperatorLogsPage() {
  const query = new URLSearchParams(useSearch()).get('q') ?? ''
  const [isFollowing, setFollowing] = useState(false)
  return (
    <Page
      title="Log"
      lead="What relays, control plane and functions have said, the newest first. Searches are in the audit log."
      isBroad
    >
      <div class="space-y-5">
        <SearchForm key={query} query={query} />
        <div class="flex flex-wrap items-center gap-3">
          <Button aria-pressed={isFollowing} onClick={() => setFollowing(!isFollowing)}>
            {isFollowing ? 'Stop following' : 'Follow'}
          </Button>
          {isFollowing && <span class="text-sm text-muted">New lines come every three seconds.</span>}
        </div>
        {isFollowing ? <Followed query={query} onEnd={() => setFollowing(false)} /> : <Found query={query} />}
      </div>
    </Page>
  )
}

function Found({ query }: { query: string }) {
  const read = useLogs(query)
  const lines = read.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <Reading query={read} what="the log">
      {read.isSuccess && lines.length === 0 && (
        <p class="text-muted">
          {read.hasNextPage
            ? 'Nothing yet; older lines are still to be looked at.'
            : 'No line has all of that.'}
        </p>
      )}
      <Lines lines={lines} />
      <More query={read} />
    </Reading>
  )
}

function Followed({ query, onEnd }: { query: string; onEnd: () => void }) {
  const read = useFollowedLogs(query, onEnd)
  const { lines = [], isCut = false } = read.data ?? {}
  return (
    <Reading query={read} what="the log">
      {read.isSuccess && lines.length === 0 && <p class="text-muted">No line has all of that yet.</p>}
      {isCut && (
        <p class="text-sm text-muted">
          More lines came than are shown. Search for fewer, or stop following to see all.
        </p>
      )}
      <Lines lines={lines} />
    </Reading>
  )
}

function Lines({ lines }: { lines: readonly LogLine[] }) {
  if (lines.length === 0) return null
  return <DataTable label="Lines of the log" columns={columns} rows={lines} keyOf={({ id }) => id} />
}

function SearchForm({ query }: { query: string }) {
  const [, navigate] = useLocation()
  const [text, setText] = useState(query)
  return (
    <search>
      <form
        class="flex flex-wrap items-start gap-3"
        onSubmit={(event) => {
          event.preventDefault()
          navigate(linkTo(text.trim()))
        }}
      >
        <div class="w-full max-w-2xl">
          <TextField
            label="Words and fields"
            hint="sync failed · code:PT-5108 · request:ID · relay:r1 · account:acc_… · source:control · level>=warn · since:2h"
            autocomplete="off"
            spellcheck={false}
            maxLength={500}
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </div>
        {/* Beside the field, between its label and its hint. */}
        <div class="flex gap-3 sm:pt-[26px]">
          <Button type="submit">Search</Button>
          {query !== '' && (
            <Button look="quiet" onClick={() => navigate(path)}>
              Show all
            </Button>
          )}
        </div>
      </form>
    </search>
  )
}

const tones: Record<LogLine['level'], readonly [Tone, string]> = {
  debug: ['none', 'Debug'],
  info: ['none', 'Info'],
  warn: ['warn', 'Warning'],
  error: ['bad', 'Error'],
}

const columns: readonly Column<LogLine>[] = [
  {
    head: 'When',
    cell: ({ at }) => (
      <span class="whitespace-nowrap tabular-nums">
        <TimeText at={at} isExact isInRow isMoment />
      </span>
    ),
  },
  {
    head: 'Level',
    cell: ({ level }) => {
      const [tone, word] = tones[level]
      return <ToneBadge tone={tone}>{word}</ToneBadge>
    },
  },
  {
    head: 'From',
    cell: ({ source, relay }) => (
      <span class="whitespace-nowrap">
        {source} {relay !== undefined && <TextLink href={linkTo(`relay:${relay}`)}>{relay}</TextLink>}
      </span>
    ),
  },
  { head: 'Line', cell: (line) => <What line={line} /> },
]

function What({ line: { message, code, request, account, fields } }: { line: LogLine }) {
  const more = Object.entries(fields)
  return (
    <div class="min-w-0 space-y-1 py-1.5 whitespace-normal">
      <p class="break-words">
        {message} {code !== undefined && <CodeText code={code} />}
      </p>
      {(request !== undefined || account !== undefined) && (
        <p class="flex flex-wrap gap-x-3 text-xs text-muted">
          {request !== undefined && (
            <TextLink href={linkTo(`request:${request}`)}>Request {request.slice(0, 8)}…</TextLink>
          )}
          {account !== undefined && <TextLink href={`/operator/accounts/${account}`}>Account</TextLink>}
        </p>
      )}
      {more.length > 0 && (
        <details class="text-xs text-muted">
          <summary class="cursor-pointer">{formatCounted(more.length, 'more field')}</summary>
          <pre class="mt-1 max-h-80 overflow-auto whitespace-pre-wrap break-words font-mono">
            {more.map(([name, value]) => `${name}: ${shown(value)}`).join('\n')}
          </pre>
        </details>
      )}
    </div>
  )
}

/** An error's stack has lines of its own. */
function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value, null, 2).replaceAll('\\n', '\n')
}
