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
  const { id, request } = detail
  const act = useAct()
  const [method, setMethod] = useState(detail.method)
  const [target, setTarget] = useState(detail.target)
  const [headers, setHeaders] = useState(headerText(request.headers))
  const [times, setTimes] = useState('1')
  /** Undefined: as it came; a body that is no text cannot be changed here. */
  const [body, setBody] = useState<string>()
  const [isText, setText] = useState(request.bytes === 0)
  useEffect(() => {
    if (request.bytes === 0) return
    api.body(id, 'request').then(
      ({ kind, text, codings, isCut }) => {
        const isPlain = kind !== 'binary' && kind !== 'image' && codings.length === 0 && !isCut
        setText(isPlain)
        if (isPlain) setBody(text)
      },
      () => setText(false),
    )
  }, [api, id, request.bytes])
  const send = () => {
    const lines: readonly HeaderLine[] = headersIn(headers)
    const wish: ReplayWish = {
      method,
      target,
      headers: lines,
      times: Number(times) || 1,
      ...(body !== undefined && { body }),
    }
    act.run(async () => {
      const [first] = (await api.replay(id, wish)).ids
      if (first === undefined) onClose()
      else onSent(first)
    })
  }
  return (
    <Dialog title={`Change request ${id} and send it`} onClose={onClose}>
      <form
        class="mt-4 space-y-4"
        onSubmit={(event) => {
          event.preventDefault()
          send()
        }}
      >
        <TextField
          label="Method"
          value={method}
          onInput={({ currentTarget }) => setMethod(currentTarget.value)}
        />
        <TextField
          label="Path"
          value={target}
          onInput={({ currentTarget }) => setTarget(currentTarget.value)}
          spellcheck={false}
        />
        <TextArea
          label="Headers"
          hint="One on a line. A line that you leave as it is goes out as it came, also if a value is hidden in it."
          rows={8}
          value={headers}
          onInput={({ currentTarget }) => setHeaders(currentTarget.value)}
        />
        {isText ? (
          <TextArea
            label="Body"
            rows={6}
            value={body ?? ''}
            onInput={({ currentTarget }) => setBody(currentTarget.value)}
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
          onInput={({ currentTarget }) => setTimes(currentTarget.value)}
        />
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
