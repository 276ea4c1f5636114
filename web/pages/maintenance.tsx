/** Times in which nobody is told of trouble: those that are now or to come, a new one, and their end. */
import type { MaintenanceWindow } from '@porttunneler/shared/api/schemas/alerts'
import { useState } from 'preact/hooks'
import { useAddMaintenance, useMaintenance, useRemoveMaintenance } from '../api/alert-queries.ts'
import { failureIn, useMe, useTunnels } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { ActorText } from '../parts/actor-text.tsx'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button } from '../parts/button.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { ConfirmDialog, Dialog } from '../parts/dialog.tsx'
import { SelectField, TextField } from '../parts/field.tsx'
import { FormOf, useApiForm, Wrong } from '../parts/form.tsx'
import { Reading } from '../parts/operator-parts.tsx'
import { Card } from '../parts/page.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { TunnelName } from './alert-rules.tsx'

const hourMs = 3_600_000
const lengths = [
  [0.5, '30 minutes'],
  [1, '1 hour'],
  [2, '2 hours'],
  [4, '4 hours'],
  [8, '8 hours'],
  [24, '1 day'],
  [72, '3 days'],
  [168, '1 week'],
] as const

export function MaintenanceTab() {
  const query = useMaintenance()
  const mayChange = useMe().data?.permissions.includes('tunnels.write') ?? false
  const [isAdding, setAdding] = useState(false)
  const [ending, setEnding] = useState<MaintenanceWindow>()
  const windows = query.data?.items
  return (
    <div class="space-y-5">
      <div class="flex flex-wrap items-start justify-between gap-3">
        <p class="max-w-prose text-muted">
          Until its end nobody is told of trouble with these tunnels. What still fails then is told.
        </p>
        {mayChange && <Button onClick={() => setAdding(true)}>Announce maintenance</Button>}
      </div>
      <Reading query={query} what="the times of maintenance">
        {windows?.length === 0 && (
          <Card title="No maintenance">
            <p class="text-muted">None is announced.</p>
          </Card>
        )}
        {windows && windows.length > 0 && (
          <DataTable
            label="Maintenance"
            columns={columnsOf(mayChange ? setEnding : undefined)}
            rows={windows}
            keyOf={({ id }) => id}
          />
        )}
      </Reading>
      {isAdding && <AddDialog onClose={() => setAdding(false)} />}
      {ending && <EndDialog ending={ending} onClose={() => setEnding(undefined)} />}
    </div>
  )
}

function columnsOf(
  onEnd: ((ending: MaintenanceWindow) => void) | undefined,
): readonly Column<MaintenanceWindow>[] {
  const shown: readonly Column<MaintenanceWindow>[] = [
    { head: 'Of', cell: ({ tunnel }) => (tunnel === undefined ? 'all tunnels' : <TunnelName id={tunnel} />) },
    { head: 'From', cell: ({ from }) => <TimeText at={from} isExact /> },
    { head: 'Until', cell: ({ until }) => <TimeText at={until} isExact /> },
    { head: 'Note', cell: ({ note }) => note && <span class="break-words">{note}</span> },
    { head: 'Announced by', cell: ({ by }) => <ActorText id={by} /> },
  ]
  if (!onEnd) return shown
  return [
    ...shown,
    {
      head: 'Actions',
      isActions: true,
      cell: (one) => (
        <Button onClick={() => onEnd(one)} aria-label={`End ${one.note || 'the maintenance'}`}>
          End
        </Button>
      ),
    },
  ]
}

function AddDialog({ onClose }: { onClose: () => void }) {
  const { clock } = useServices()
  const announce = useAnnounce()
  const tunnels = useTunnels().data?.items ?? []
  const form = useApiForm({
    initial: { tunnel: '', from: '', until: '1', note: '' },
    act: useAddMaintenance(),
    toWish: ({ tunnel, from: begins, until: hours, note }) => {
      const from = begins === '' ? clock.now() : new Date(begins).getTime()
      if (Number.isNaN(from)) return new Wrong({ from: 'Give a day and a time.' })
      const until = from + Number(hours) * hourMs
      return { ...(tunnel !== '' && { tunnel }), from, until, note: note.trim() }
    },
    onSent: () => {
      announce('The maintenance is announced.')
      onClose()
    },
  })
  return (
    <Dialog title="Announce maintenance" onClose={onClose}>
      <FormOf form={form} action="Announce" onCancel={onClose}>
        <SelectField label="Of" {...form.choice('tunnel')}>
          <option value="">all tunnels</option>
          {tunnels.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </SelectField>
        <TextField
          label="It begins"
          type="datetime-local"
          hint="In your own time zone. Empty: now."
          {...form.text('from')}
        />
        <SelectField label="It lasts" {...form.choice('until')}>
          {lengths.map(([hours, text]) => (
            <option key={hours} value={`${hours}`}>
              {text}
            </option>
          ))}
        </SelectField>
        <TextField
          label="Note"
          maxLength={200}
          autocomplete="off"
          placeholder="move to the new machine"
          hint="Your colleagues see it."
          {...form.text('note')}
        />
      </FormOf>
    </Dialog>
  )
}

function EndDialog({ ending, onClose }: { ending: MaintenanceWindow; onClose: () => void }) {
  const { clock } = useServices()
  const announce = useAnnounce()
  const remove = useRemoveMaintenance()
  const hasBegun = ending.from <= clock.now()
  const end = () =>
    remove.mutate(ending.id, {
      onSuccess: () => {
        announce('The maintenance is over.')
        onClose()
      },
    })
  return (
    <ConfirmDialog
      title={hasBegun ? 'End the maintenance now?' : 'Take the maintenance back?'}
      action={hasBegun ? 'End it now' : 'Take it back'}
      onConfirm={end}
      onClose={onClose}
      isBusy={remove.isPending}
      failure={failureIn(remove)}
    >
      <p>People are told of trouble again, also of what began meanwhile and goes on.</p>
    </ConfirmDialog>
  )
}
