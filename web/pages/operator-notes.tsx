import { useNotes, useOperatorAct } from '../api/operator-queries.ts'
import { failureIn } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button } from '../parts/button.tsx'
import { TextField } from '../parts/field.tsx'
import { FormOf, useApiForm, Wrong } from '../parts/form.tsx'
import { formatTime } from '../parts/format.ts'
import { Card, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { TimeText } from '../parts/time-text.tsx'

export function NotesCard({ about }: { about: string }) {
  const { calls } = useServices()
  const announce = useAnnounce()
  const query = useNotes(about)
  const add = useOperatorAct(calls.addNote, () => announce('The note was added.'))
  const form = useApiForm({
    initial: { text: '' },
    act: add,
    toWish: ({ text }) =>
      text.trim() === '' ? new Wrong({ text: 'Write something.' }) : { about, text: text.trim() },
  })
  const remove = useOperatorAct(calls.removeNote, () => announce('The note was removed.'))
  const failure = failureIn(query) ?? failureIn(remove)
  const items = query.data?.items
  return (
    <Card title="Notes">
      <div class="space-y-4">
        {failure && <ProblemNotice failure={failure} />}
        {query.isPending && <Skeleton what="the notes" rows={1} />}
        {items?.length === 0 && <p class="text-muted">No notes yet.</p>}
        {items && items.length > 0 && (
          <ul aria-label="Notes" class="divide-y divide-line">
            {items.map(({ id, text: note, by, at }) => (
              <li key={id} class="flex flex-wrap items-start justify-between gap-3 py-3 first:pt-0 last:pb-0">
                <p class="min-w-0">
                  <span class="block break-words whitespace-pre-wrap">{note}</span>
                  <span class="text-sm break-all text-muted">
                    <TimeText at={at} isExact /> by {by.replace(/^operator:/, '')}
                  </span>
                </p>
                <Button
                  onClick={() => remove.mutate(id)}
                  isBusy={remove.isPending && remove.variables === id}
                  aria-label={`Remove the note of ${formatTime(at)}`}
                >
                  Remove
                </Button>
              </li>
            ))}
          </ul>
        )}
        <FormOf form={form} label="New note" action="Add the note" look="plain" place="card" isWide>
          <TextField
            label="New note"
            hint="Write what its reader may read: it is part of their data, and of their export."
            autocomplete="off"
            required
            maxLength={2_000}
            {...form.text('text')}
          />
        </FormOf>
      </div>
    </Card>
  )
}
