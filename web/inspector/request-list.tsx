/** The list of requests, newest first. Rows of one height; arrows go from one to the next. */
import type { InspectedSummary } from '@porttunneler/shared/api/schemas/inspection'
import { useEffect, useState } from 'preact/hooks'
import { Button } from '../parts/button.tsx'
import { formatBytes, formatCounted } from '../parts/format.ts'
import { Icon } from '../parts/icon.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import type { Filter, InspectorApi } from './api.ts'
import { clockText, millisecondsText, statusLook, statusText } from './texts.ts'
import { useAct } from './use-act.ts'
import { useLoaded } from './use-live.ts'

export function RequestList({
  api,
  revision,
  filter,
  open,
  onOpen,
}: {
  api: InspectorApi
  revision: number
  filter: Filter
  open: number | undefined
  onOpen: (id: number) => void
}) {
  const key = JSON.stringify(filter)
  const { value, failure } = useLoaded(`list ${key}`, revision, () => api.list(filter))
  const [older, setOlder] = useState<readonly InspectedSummary[]>([])
  const [next, setNext] = useState<number>()
  const act = useAct()
  useEffect(() => {
    setOlder([])
    setNext(undefined)
  }, [key])
  if (failure) return <ProblemNotice failure={failure} />
  if (!value) return <p class="p-4 text-muted">Loading requests</p>
  const last = value.requests.at(-1)?.id ?? 0
  const requests = [...value.requests, ...older.filter(({ id }) => id < last)]
  const more = older.length > 0 ? next : value.next
  const readOn = () =>
    act.run(async () => {
      const page = await api.list(filter, more)
      setOlder([...older, ...page.requests])
      setNext(page.next)
    })
  if (requests.length === 0)
    return (
      <p class="p-4 text-muted">
        {key === '{}'
          ? 'No request has come yet. Open the address of your tunnel.'
          : 'No request is like this.'}
      </p>
    )
  return (
    <div class="min-h-0 flex-1 overflow-auto">
      <ul aria-label="Requests">
        {requests.map((request) => (
          <Row key={request.id} request={request} isOpen={request.id === open} onOpen={onOpen} />
        ))}
      </ul>
      {more !== undefined && (
        <div class="p-3">
          <Button onClick={readOn} isBusy={act.isBusy}>
            Show older ones
          </Button>
        </div>
      )}
      {act.failure && <ProblemNotice failure={act.failure} />}
    </div>
  )
}

function Row({
  request,
  isOpen,
  onOpen,
}: {
  request: InspectedSummary
  isOpen: boolean
  onOpen: (id: number) => void
}) {
  const { id, method, target, at, ms, answerBytes, isPinned, replayOf, messages, signature } = request
  return (
    <li class={`border-b border-line ${isOpen ? 'bg-accent-soft' : 'hover:bg-raised'}`}>
      <button
        type="button"
        data-request={id}
        aria-current={isOpen || undefined}
        onClick={() => onOpen(id)}
        onKeyDown={walk}
        class="grid h-10 w-full grid-cols-[3.5rem_4.5rem_1fr_auto_5rem] items-center gap-2 px-3 text-left text-sm"
      >
        <span class={`font-semibold tabular-nums ${statusLook(request)}`}>{statusText(request)}</span>
        <span class="truncate font-mono text-xs">{method}</span>
        <span class="truncate font-mono text-xs" title={target}>
          {target}
        </span>
        <span class="flex items-center gap-1.5 text-xs text-muted">
          {signature && signature !== 'valid' && <span class="text-danger">signature {signature}</span>}
          {messages !== undefined && <span>{formatCounted(messages, 'message')}</span>}
          {replayOf !== undefined && <span title={`Repeats request ${replayOf}`}>repeats {replayOf}</span>}
          {isPinned && (
            <span title="Pinned">
              <Icon name="tag" size={14} />
              <span class="sr-only">pinned</span>
            </span>
          )}
        </span>
        <span
          class="text-right text-xs text-muted tabular-nums"
          title={`${clockText(at)}, ${formatBytes(answerBytes)}`}
        >
          {ms === undefined ? 'running' : millisecondsText(ms)}
        </span>
      </button>
    </li>
  )
}

/** Up and down move the focus; the list scrolls with it. */
function walk(event: KeyboardEvent & { currentTarget: HTMLElement }): void {
  const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
  if (step === 0) return
  const rows = [...document.querySelectorAll<HTMLElement>('[data-request]')]
  const now = rows.indexOf(event.currentTarget)
  const next = rows[now + step]
  if (now < 0 || !next) return
  event.preventDefault()
  next.focus()
}
