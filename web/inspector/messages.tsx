/** Messages of a WebSocket, or server-sent events: the newest last. */
import { formatBytes } from '../parts/format.ts'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import type { InspectorApi } from './api.ts'
import { clockText } from './texts.ts'
import { useLoaded } from './use-live.ts'

export function Messages({ api, id, revision }: { api: InspectorApi; id: number; revision: number }) {
  const { value, failure } = useLoaded(`frames ${id}`, revision, () => api.frames(id))
  if (failure) return <ProblemNotice failure={failure} />
  if (!value) return null
  const { frames, total } = value
  return (
    <section aria-label="Messages" class="rounded-xl border border-line bg-surface">
      <h3 class="border-b border-line px-4 py-2 text-sm font-semibold">
        Messages <span class="ml-2 font-normal text-muted">{total} in all</span>
      </h3>
      <ol class="max-h-96 overflow-auto text-sm">
        {frames.map(({ n, at, from, kind, bytes, packedBytes, text, isCut, isPacked }) => (
          <li key={n} class="flex flex-col gap-x-3 border-b border-line/60 px-4 py-1.5 sm:flex-row">
            <span class="shrink-0 text-xs sm:w-48 text-muted tabular-nums">
              {clockText(at)}
              <br />
              {from === 'visitor' ? 'visitor' : 'your program'}, {kind}, {formatBytes(bytes)}
              {packedBytes !== undefined && ` (compressed ${formatBytes(packedBytes)})`}
            </span>
            <pre class="min-w-0 flex-1 font-mono text-xs break-all whitespace-pre-wrap">
              {isPacked ? '(compressed, not unpacked)' : text}
              {isCut && !isPacked && ' …'}
            </pre>
          </li>
        ))}
      </ol>
    </section>
  )
}
