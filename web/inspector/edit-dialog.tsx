/** Changes a request and sends it. A line that still says [redacted] goes out as it came. */
import type { HeaderLine, InspectedDetail, ReplayWish } from '@porttunneler/shared/api/schemas/inspection'
import { useEffect, useState } from 'preact/hooks'
import { Button } from '../parts/button.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { TextArea, TextField } from '../parts/field.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import type { InspectorApi } from './api.ts'
import { headersIn, headerText } from './header-text.ts'
import { useAct } from './use-act.ts'

/** What is in the fields. `body`: undefined while it goes out as it came. */
type Draft = {
  readonly method: string
  readonly target: string
  readonly headers: string
  readonly times: string
  readonly body: string | undefined
}

export function EditDialog({
  api,
  detail,
  onClose,
  onSent,
}: {
  api: InspectorApi
  detail: InspectedDetail
  onClose: () => void
  onSent: (id: number) => void
}) {
  const { id, request, method, target } = detail
  const act = useAct()
  const headers = headerText(request.headers)
  const [draft, setDraft] = useState<Draft>({ method, target, headers, times: '1', body: undefined })
  const change = (part: Partial<Draft>) => setDraft((before) => ({ ...before, ...part }))
  const isText = useBodyText(api, detail, (body) => change({ body }))
  const send = () =>
    act.run(async () => {
      const [first] = (await api.replay(id, wishOf(draft))).ids
      if (first === undefined) onClose()
      else onSent(first)
    })
  return (
    <Dialog title={`Change request ${id} and send it`} onClose={onClose}>
      <form
        class="mt-4 space-y-4"
        onSubmit={(event) => {
          event.preventDefault()
          send()
        }}
      >
        <Fields draft={draft} isText={isText} onChange={change} />
        {act.failure && <ProblemNotice failure={act.failure} />}
        <div class="flex justify-end gap-3">
          <Button onClick={onClose}>Cancel</Button>
          <Button look="accent" type="submit" isBusy={act.isBusy}>
            Send
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

function Fields({
  draft: { method, target, headers, times, body },
  isText,
  onChange,
}: {
  draft: Draft
  isText: boolean
  onChange: (part: Partial<Draft>) => void
}) {
  return (
    <>
      <TextField
        label="Method"
        value={method}
        onInput={({ currentTarget }) => onChange({ method: currentTarget.value })}
      />
      <TextField
        label="Path"
        value={target}
        spellcheck={false}
        onInput={({ currentTarget }) => onChange({ target: currentTarget.value })}
      />
      <TextArea
        label="Headers"
        hint="One on a line. A line that you leave as it is goes out as it came, also if a value is hidden in it."
        rows={8}
        value={headers}
        onInput={({ currentTarget }) => onChange({ headers: currentTarget.value })}
      />
      {isText ? (
        <TextArea
          label="Body"
          rows={6}
          value={body ?? ''}
          onInput={({ currentTarget }) => onChange({ body: currentTarget.value })}
        />
      ) : (
        <p class="text-sm text-muted">
          The body is no text that can be changed here, so it goes out as it came.
        </p>
      )}
      <TextField
        label="How many times"
        type="number"
        min={1}
        max={100}
        value={times}
        onInput={({ currentTarget }) => onChange({ times: currentTarget.value })}
      />
    </>
  )
}

/** @returns whether the body can be changed as a text; `onText` gets it once */
function useBodyText(
  api: InspectorApi,
  { id, request: { bytes } }: InspectedDetail,
  onText: (text: string) => void,
): boolean {
  const [isText, setText] = useState(bytes === 0)
  useEffect(() => {
    if (bytes === 0) return
    api.body(id, 'request').then(
      ({ kind, text, codings, isCut }) => {
        const isPlain = kind !== 'binary' && kind !== 'image' && codings.length === 0 && !isCut
        setText(isPlain)
        if (isPlain) onText(text)
      },
      () => setText(false),
    )
  }, [api, id, bytes])
  return isText
}

function wishOf({ method, target, headers, times, body }: Draft): ReplayWish {
  const lines: readonly HeaderLine[] = headersIn(headers)
  return { method, target, headers: lines, times: Number(times) || 1, ...(body !== undefined && { body }) }
}
