/** One request: what it was, how long each part took, both its halves, its messages, and sending it again. */
import type { InspectedDetail, Phases } from '@porttunneler/shared/api/schemas/inspection'
import { useState } from 'preact/hooks'
import { Button } from '../parts/button.tsx'
import { formatBytes, formatCounted } from '../parts/format.ts'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import type { InspectorApi, Side } from './api.ts'
import { BodyView } from './body-view.tsx'
import { CopyMenu } from './copy-menu.tsx'
import { EditDialog } from './edit-dialog.tsx'
import { Messages } from './messages.tsx'
import { clockText, failureText, millisecondsText, signatureTexts, statusLook, statusText } from './texts.ts'
import { useAct } from './use-act.ts'
import { useLoaded } from './use-live.ts'

export function RequestDetail({
  api,
  id,
  revision,
  onOpen,
  onClose,
}: {
  api: InspectorApi
  id: number
  revision: number
  onOpen: (id: number) => void
  onClose: () => void
}) {
  const { value: detail, failure } = useLoaded(`request ${id}`, revision, () => api.detail(id))
  return (
    <section aria-label={`Request ${id}`} class="min-h-0 overflow-auto p-4">
      <p class="mb-3 lg:hidden">
        <Button look="quiet" onClick={onClose}>
          Back to the list
        </Button>
      </p>
      {failure && <ProblemNotice failure={failure} />}
      {detail && (
        <div class="space-y-4">
          <Head detail={detail} />
          <Actions api={api} detail={detail} onOpen={onOpen} />
          <PhaseBar phases={detail.phases} />
          {detail.messages !== undefined && <Messages api={api} id={id} revision={detail.revision} />}
          <div class="grid gap-4 2xl:grid-cols-2">
            <Half api={api} detail={detail} of="request" />
            <Half api={api} detail={detail} of="answer" />
          </div>
        </div>
      )}
    </section>
  )
}

function Head({ detail }: { detail: InspectedDetail }) {
  const { id, method, host, target, at, tunnel, visitor, failure, signature, replayOf, hidden } = detail
  return (
    <div>
      <h2 class="font-mono text-base font-semibold break-all">
        <span class={statusLook(detail)}>{statusText(detail)}</span> {method} {target}
      </h2>
      <p class="mt-1 text-sm text-muted">
        Request {id} at {clockText(at)} from {visitor} to {host} ({tunnel})
        {replayOf !== undefined && `, repeats request ${replayOf}`}
      </p>
      {failure !== undefined && <p class="mt-1 text-sm text-danger">{failureText(failure)}</p>}
      {signature && (
        <p class={`mt-1 text-sm ${signature === 'valid' ? 'text-ok' : 'text-danger'}`}>
          {signatureTexts[signature]}
        </p>
      )}
      {hidden > 0 && (
        <p class="mt-1 text-sm text-muted">
          {hidden === 1
            ? 'One value is hidden. It goes out as it came when you send this again.'
            : `${formatCounted(hidden, 'value')} are hidden. They go out as they came when you send this again.`}
        </p>
      )}
    </div>
  )
}

function Actions({
  api,
  detail: { id, isPinned },
  detail,
  onOpen,
}: {
  api: InspectorApi
  detail: InspectedDetail
  onOpen: (id: number) => void
}) {
  const act = useAct()
  const [isEditing, setEditing] = useState(false)
  const replay = () =>
    act.run(async () => {
      const [first] = (await api.replay(id, {})).ids
      if (first !== undefined) onOpen(first)
    })
  return (
    <div class="space-y-3">
      <div class="flex flex-wrap gap-2">
        <Button look="accent" onClick={replay} isBusy={act.isBusy}>
          Send again
        </Button>
        <Button onClick={() => setEditing(true)}>Change and send</Button>
        <Button aria-pressed={isPinned} onClick={() => act.run(() => api.pin(id, !isPinned))}>
          {isPinned ? 'Unpin' : 'Pin'}
        </Button>
        <CopyMenu api={api} id={id} />
      </div>
      {act.failure && <ProblemNotice failure={act.failure} />}
      {isEditing && (
        <EditDialog
          api={api}
          detail={detail}
          onClose={() => setEditing(false)}
          onSent={(sent) => {
            setEditing(false)
            onOpen(sent)
          }}
        />
      )}
    </div>
  )
}

const phaseNames = [
  ['asked', 'request'],
  ['answered', 'waiting'],
  ['ended', 'answer'],
] as const
const phaseLooks = ['bg-accent', 'bg-warn', 'bg-ok']

/** What took how long, as a bar and in words. */
function PhaseBar({ phases }: { phases: Phases }) {
  let before = 0
  const parts = phaseNames.flatMap(([key, name], at) => {
    const end = phases[key]
    if (end === undefined) return []
    const ms = Math.max(0, end - before)
    before = Math.max(before, end)
    return [{ name, ms, look: phaseLooks[at] }]
  })
  const connected = phases.connected
  return (
    <div>
      <div aria-hidden="true" class="flex h-2 overflow-hidden rounded bg-raised">
        {parts.map(({ name, ms, look }) => (
          <span key={name} class={look} style={{ flexGrow: ms, minWidth: '2px' }} />
        ))}
      </div>
      <p class="mt-1 text-sm text-muted">
        {parts.map(({ name, ms }) => `${name} ${millisecondsText(ms)}`).join(' · ')}
        {connected !== undefined && ` · connected after ${millisecondsText(connected)}`}
        {phases.ended === undefined && ' · still running'}
      </p>
    </div>
  )
}

function Half({ api, detail, of }: { api: InspectorApi; detail: InspectedDetail; of: Side }) {
  const message = of === 'request' ? detail.request : detail.answer
  const title = of === 'request' ? 'Request' : 'Answer'
  return (
    <section aria-label={title} class="min-w-0 rounded-xl border border-line bg-surface">
      <h3 class="border-b border-line px-4 py-2 text-sm font-semibold">
        {title}
        {message && <span class="ml-2 font-normal text-muted">body {formatBytes(message.bytes)}</span>}
      </h3>
      {message ? (
        <>
          <table class="w-full text-sm">
            <caption class="sr-only">Headers</caption>
            <tbody>
              {message.headers.map(([name, value], at) => (
                <tr key={at} class="border-b border-line/60 align-top">
                  <th scope="row" class="w-1/4 px-4 py-1 text-left font-medium text-muted">
                    {name}
                  </th>
                  <td class="py-1 pr-4 font-mono text-xs break-all">{value}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {message.bytes > 0 && <BodyView api={api} id={detail.id} of={of} message={message} />}
        </>
      ) : (
        <p class="p-4 text-sm text-muted">
          {detail.ms === undefined ? 'No answer yet.' : 'There was no answer.'}
        </p>
      )}
    </section>
  )
}
