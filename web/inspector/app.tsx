/** The frame of the inspector: the bar above, the list at the left, the open request at the right. */
import { useState } from 'preact/hooks'
import { Button } from '../parts/button.tsx'
import { ConfirmDialog } from '../parts/dialog.tsx'
import { formatBytes } from '../parts/format.ts'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { ThemeChoice } from '../parts/theme.tsx'
import type { InspectorApi } from './api.ts'
import { Connections } from './connections.tsx'
import { Filters } from './filters.tsx'
import { type Place, usePlace } from './place.ts'
import { RequestDetail } from './request-detail.tsx'
import { RequestList } from './request-list.tsx'
import { useAct } from './use-act.ts'
import { useLoaded, useRevision } from './use-live.ts'

/** `inspector.link`: without the link another try changes nothing. */
const linkCode = 'PT-6097'

export function App({ api }: { api: InspectorApi }) {
  const { revision, isLive } = useRevision(api)
  const [place, go] = usePlace()
  const about = useLoaded('about', 0, () => api.about())
  if (about.failure)
    return (
      <main class="mx-auto max-w-2xl p-6">
        <h1 class="mb-4 text-2xl font-semibold">Inspector</h1>
        <ProblemNotice
          failure={about.failure}
          onRetry={about.failure.problem.code === linkCode ? undefined : () => location.reload()}
        />
      </main>
    )
  return (
    <div class="flex min-h-dvh flex-col lg:h-dvh">
      <Bar api={api} isLive={isLive} keptBytes={about.value?.limits.bytes ?? 0} place={place} go={go} />
      {place.view === 'connections' ? (
        <Connections api={api} revision={revision} />
      ) : (
        <main class="grid min-h-0 flex-1 lg:grid-cols-[minmax(24rem,2fr)_3fr]">
          <div
            class={`min-h-0 flex-col border-line lg:flex lg:border-r ${place.id === undefined ? 'flex' : 'hidden'}`}
          >
            <Filters
              tunnels={about.value?.tunnels ?? []}
              filter={place.filter}
              onFilter={(filter) => go({ filter }, false)}
            />
            <RequestList
              api={api}
              revision={revision}
              filter={place.filter}
              open={place.id}
              onOpen={(id) => go({ id })}
            />
          </div>
          {place.id === undefined ? (
            <Hints api={api} redacted={about.value?.redacted} />
          ) : (
            <RequestDetail
              key={place.id}
              api={api}
              id={place.id}
              revision={revision}
              onOpen={(id) => go({ id })}
              onClose={() => go({ id: undefined })}
            />
          )}
        </main>
      )}
    </div>
  )
}

function Bar({
  api,
  isLive,
  keptBytes,
  place,
  go,
}: {
  api: InspectorApi
  isLive: boolean
  keptBytes: number
  place: Place
  go: (next: Partial<Place>) => void
}) {
  const act = useAct()
  const { tunnel } = place.filter
  const resendLast = () =>
    act.run(async () => {
      const id = await api.resendLast(tunnel)
      if (id !== undefined) go({ view: 'requests', id })
    })
  return (
    <>
      <header class="flex flex-wrap items-center gap-x-6 gap-y-2 border-b border-line bg-surface px-4 py-2">
        <h1 class="text-lg font-semibold">Inspector</h1>
        <Views view={place.view} onView={(view) => go({ view, id: undefined })} />
        <p role="status" class={`ml-auto text-sm ${isLive ? 'text-muted' : 'text-danger'}`}>
          {isLive
            ? `Live. Keeps ${formatBytes(keptBytes)} at most.`
            : 'ptun does not answer; what is shown may be old.'}
        </p>
        <div class="flex flex-wrap items-center gap-2">
          <Button
            title={`The last request of a visitor${tunnel === undefined ? '' : ` of ${tunnel}`}`}
            isBusy={act.isBusy}
            onClick={resendLast}
          >
            Resend last
          </Button>
          <ClearButton api={api} />
          <ThemeChoice />
        </div>
      </header>
      {act.failure && (
        <div class="p-4 pb-0">
          <ProblemNotice failure={act.failure} />
        </div>
      )}
    </>
  )
}

function Views({ view, onView }: { view: Place['view']; onView: (view: Place['view']) => void }) {
  return (
    <nav aria-label="Views" class="flex gap-1">
      {(['requests', 'connections'] as const).map((one) => (
        <Button
          key={one}
          look={view === one ? 'plain' : 'quiet'}
          aria-current={view === one ? 'page' : undefined}
          onClick={() => onView(one)}
        >
          {one === 'requests' ? 'Requests' : 'Connections'}
        </Button>
      ))}
    </nav>
  )
}

function ClearButton({ api }: { api: InspectorApi }) {
  const [isAsked, setAsked] = useState(false)
  const act = useAct()
  const clear = () => act.run(() => api.clear().then(() => setAsked(false)))
  return (
    <>
      <Button look="quiet" onClick={() => setAsked(true)}>
        Clear
      </Button>
      {isAsked && (
        <ConfirmDialog
          title="Forget all requests?"
          action="Forget them"
          onConfirm={clear}
          onClose={() => setAsked(false)}
          isBusy={act.isBusy}
          failure={act.failure}
        >
          <p>Pinned requests stay. The others cannot be got back.</p>
        </ConfirmDialog>
      )}
    </>
  )
}

type Redacted = { readonly headers: readonly string[]; readonly parameters: readonly string[] }

function Hints({ api, redacted }: { api: InspectorApi; redacted: Redacted | undefined }) {
  return (
    <section aria-label="Hints" class="hidden max-w-2xl space-y-4 overflow-auto p-6 text-muted lg:block">
      <p>Choose a request to see its headers, its body and its times, or to send it again.</p>
      <p>
        Everything is kept in the memory of ptun and is gone when it ends.{' '}
        <a class="text-accent underline" href={api.address('/api/requests.har')} download>
          Save all as a HAR file
        </a>
      </p>
      {redacted && (
        <details>
          <summary class="font-medium text-text">What is hidden</summary>
          <p class="mt-2">Headers: {redacted.headers.join(', ')}</p>
          <p class="mt-2">Parameters of addresses: {redacted.parameters.join(', ')}</p>
          <p class="mt-2">Bodies are shown as they came.</p>
        </details>
      )}
    </section>
  )
}
