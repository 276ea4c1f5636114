/** Asks which host name or port is to be kept, and offers free ones when it is taken. */
import { type KeptKind, useReserve } from '../api/kept-queries.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button } from '../parts/button.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { TextField } from '../parts/field.tsx'
import { FormOf, useApiForm } from '../parts/form.tsx'

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
  const reserve = useReserve(kind, ({ url }) => {
    announce(`Reserved: ${url}`)
    onClose()
  })
  const form = useApiForm({ initial: { name: '' }, act: reserve, toWish: ({ name }) => name.trim() })
  const { title, label, hint, command, input, action } = fields[kind]
  return (
    <Dialog title={title} onClose={onClose}>
      <FormOf form={form} action={action} onCancel={onClose}>
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
          {...form.text('name')}
        />
        <Suggestions free={form.failure?.problem.suggestions ?? []} onChoose={(name) => form.set({ name })} />
      </FormOf>
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
