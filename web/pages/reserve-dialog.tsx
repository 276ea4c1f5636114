/** Asks which host name or port is to be kept, and offers free ones when it is taken. */
import { useState } from 'preact/hooks'
import { type KeptKind, useReserve } from '../api/kept-queries.ts'
import { failureIn } from '../api/queries.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button } from '../parts/button.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { TextField } from '../parts/field.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'

const fields = {
  names: {
    title: 'Reserve a host name',
    label: 'Name',
    hint: 'The first part of the host. A tunnel of this name gets it:',
    command: 'ptun http 3000 --name shop',
    input: { required: true, maxLength: 253, placeholder: 'shop' },
    action: 'Reserve name',
  },
  ports: {
    title: 'Reserve a port',
    label: 'Port',
    hint: 'Leave it empty for any free one. A tunnel gets it by its number:',
    command: 'ptun tcp 5432 --port <number>',
    input: { inputMode: 'numeric', pattern: '[0-9]{1,5}', placeholder: 'any free one' },
    action: 'Reserve port',
  },
} as const

export function ReserveDialog({ kind, onClose }: { kind: KeptKind; onClose: () => void }) {
  const announce = useAnnounce()
  const [text, setText] = useState('')
  const reserve = useReserve(kind, ({ url }) => {
    announce(`Reserved: ${url}`)
    onClose()
  })
  const failure = failureIn(reserve)
  const { title, label, hint, command, input, action } = fields[kind]
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        class="mt-5 space-y-5"
        onSubmit={(event) => {
          event.preventDefault()
          reserve.mutate(text.trim())
        }}
      >
        <TextField
          {...input}
          label={label}
          hint={
            <>
              {hint} <code class="font-mono whitespace-nowrap">{command}</code>
            </>
          }
          autofocus
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        {failure && <ProblemNotice failure={failure} />}
        <Suggestions free={failure?.problem.suggestions ?? []} onChoose={setText} />
        <div class="flex flex-wrap justify-end gap-3">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="accent" isBusy={reserve.isPending}>
            {action}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

function Suggestions({ free, onChoose }: { free: readonly string[]; onChoose: (text: string) => void }) {
  if (free.length === 0) return null
  return (
    <div class="text-sm">
      <p class="text-muted">Free a moment ago:</p>
      <div class="mt-2 flex flex-wrap gap-2">
        {free.map((one) => (
          <Button key={one} onClick={() => onChoose(one)}>
            {one}
          </Button>
        ))}
      </div>
    </div>
  )
}
