/** What is kept how long, what went, and what a legal hold keeps, for operators. */
import { useState } from 'preact/hooks'
import { useSearch } from 'wouter-preact'
import type { Hold, Retention } from '../api/operator-keeping-calls.ts'
import { useHolds, useRetention } from '../api/operator-keeping-queries.ts'
import { useOperatorAct } from '../api/operator-queries.ts'
import { failureIn } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button, TextLink } from '../parts/button.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { TextField } from '../parts/field.tsx'
import { FormOf, useApiForm, Wrong } from '../parts/form.tsx'
import { formatCount } from '../parts/format.ts'
import { Choice, Reading, ToneBadge } from '../parts/operator-parts.tsx'
import { Page } from '../parts/page.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { ReasonDialog } from './operator-dialogs.tsx'

type Term = Retention['kept'][number]
const dayMs = 24 * 3_600_000

export function OperatorRetentionPage() {
  return (
    <Page title="Retention" lead="What is kept how long, what went, and what must stay for now." isBroad>
      <div class="space-y-10">
        <HoldsSection />
        <RetentionSections />
      </div>
    </Page>
  )
}

/** The page of an account or a person leads here with their id. */
function HoldsSection() {
  const query = useHolds()
  const wished = new URLSearchParams(useSearch()).get('hold') ?? undefined
  const [placed, setPlaced] = useState(wished)
  const [released, setReleased] = useState<string>()
  return (
    <section aria-label="Legal holds" class="space-y-3">
      <div class="flex flex-wrap items-center justify-between gap-3">
        <h2 class="text-base font-semibold">Legal holds</h2>
        <Button onClick={() => setPlaced('')}>Place a hold</Button>
      </div>
      <Reading query={query} what="the holds">
        {query.data?.items.length === 0 && (
          <p class="max-w-prose text-muted">
            Nothing is on hold. What is on hold is not erased and does not expire, and its people are not
            told.
          </p>
        )}
        {query.data && query.data.items.length > 0 && (
          <DataTable
            label="Legal holds"
            columns={holdColumns({ onChange: setPlaced, onRelease: setReleased })}
            rows={query.data.items}
            keyOf={({ about }) => about}
          />
        )}
      </Reading>
      {placed !== undefined && <PlaceDialog about={placed} onClose={() => setPlaced(undefined)} />}
      {released !== undefined && <ReleaseDialog about={released} onClose={() => setReleased(undefined)} />}
    </section>
  )
}

function holdColumns({
  onChange,
  onRelease,
}: {
  onChange: (about: string) => void
  onRelease: (about: string) => void
}): readonly Column<Hold>[] {
  return [
    { head: 'On hold', cell: ({ about }) => <Held id={about} /> },
    {
      head: 'State',
      cell: ({ state, erasureWaitsAt }) =>
        state === 'ending' ? (
          <ToneBadge tone="none">Ending</ToneBadge>
        ) : erasureWaitsAt === undefined ? (
          <ToneBadge tone="ok">On</ToneBadge>
        ) : (
          <span>
            <ToneBadge tone="warn">An erasure waits</ToneBadge>{' '}
            <span class="text-muted">
              since <TimeText at={erasureWaitsAt} />
            </span>
          </span>
        ),
    },
    { head: 'Reason', cell: ({ reason }) => <span class="block max-w-prose">{reason}</span> },
    { head: 'Placed by', cell: ({ by }) => <By id={by} /> },
    { head: 'Since', cell: ({ since }) => <TimeText at={since} /> },
    { head: 'Ends', cell: ({ until }) => <TimeText at={until} isExact /> },
    {
      head: 'Actions',
      isActions: true,
      cell: ({ about, state }) =>
        state === 'on' && (
          <span class="flex flex-wrap justify-end gap-1">
            <Button look="quiet" onClick={() => onChange(about)} aria-label={`Change the hold of ${about}`}>
              Change
            </Button>
            <Button look="quiet" onClick={() => onRelease(about)} aria-label={`Release ${about}`}>
              Release
            </Button>
          </span>
        ),
    },
  ]
}

function Held({ id }: { id: string }) {
  const kind = id.startsWith('acc_') ? 'accounts' : 'people'
  return (
    <span class="whitespace-nowrap">
      {kind === 'accounts' ? 'Account ' : 'Person '}
      <TextLink href={`/operator/${kind}/${id}`}>
        {id.slice(0, 4)}…{id.slice(-6)}
      </TextLink>
    </span>
  )
}

function By({ id }: { id: string }) {
  const name = id.replace(/^operator:/, '')
  return name.startsWith('usr_') ? <Held id={name} /> : <span>{name}</span>
}

function PlaceDialog({ about, onClose }: { about: string; onClose: () => void }) {
  const { calls, clock } = useServices()
  const announce = useAnnounce()
  const act = useOperatorAct(calls.placeHold, () => {
    announce('The hold was placed.')
    onClose()
  })
  const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10)
  const [tomorrow] = useState(() => dayOf(clock.now() + dayMs))
  const form = useApiForm({
    initial: { about, until: '', reason: '' },
    act,
    toWish: (typed) => {
      const until = Date.parse(`${typed.until}T00:00:00Z`)
      if (typed.about.trim() === '') return new Wrong<typeof typed>({ about: 'Name an account or a person.' })
      if (Number.isNaN(until)) return new Wrong<typeof typed>({ until: 'Choose a day.' })
      if (typed.reason.trim().length < 3)
        return new Wrong<typeof typed>({ reason: 'Say why in a few words.' })
      return { about: typed.about.trim(), until, reason: typed.reason.trim() }
    },
  })
  return (
    <Dialog title="Place a legal hold" onClose={onClose}>
      <FormOf form={form} action="Place the hold" onCancel={onClose}>
        <p class="text-muted">
          Nothing of it is erased or expires until the hold ends, also if its people ask for it. They are not
          told. What they change or delete themselves is not kept.
        </p>
        <TextField
          label="Account or person"
          hint="An id (acc_…, usr_…) or an email address."
          required
          autofocus={about === ''}
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          maxLength={254}
          {...form.text('about')}
        />
        <TextField
          label="Ends on"
          hint="At midnight UTC, within ten years. You can release it earlier, or set another day."
          type="date"
          min={tomorrow}
          max={dayOf(clock.now() + 3_650 * dayMs)}
          required
          autofocus={about !== ''}
          {...form.text('until')}
        />
        <TextField
          label="Reason"
          hint="It goes into the service's audit log and the compliance report, not to the people on hold."
          autocomplete="off"
          required
          maxLength={500}
          {...form.text('reason')}
        />
      </FormOf>
    </Dialog>
  )
}

function ReleaseDialog({ about, onClose }: { about: string; onClose: () => void }) {
  const { calls } = useServices()
  const announce = useAnnounce()
  const act = useOperatorAct(
    (reason: string) => calls.releaseHold(about, { reason }),
    () => {
      announce('The hold is ending.')
      onClose()
    },
  )
  return (
    <ReasonDialog
      title="Release this hold?"
      action="Release it"
      isDanger
      hint="It goes into the service's audit log."
      onSubmit={(reason) => act.mutate(reason)}
      onClose={onClose}
      isBusy={act.isPending}
      failure={failureIn(act)}
    >
      <p class="break-all">{about}</p>
      <p>
        What should have expired meanwhile is deleted, and an erasure that waits goes on within an hour. That
        cannot be undone.
      </p>
    </ReasonDialog>
  )
}

function RetentionSections() {
  const query = useRetention()
  return (
    <Reading query={query} what="what is kept">
      {query.data && (
        <div class="space-y-10">
          <GoneSection gone={query.data.gone} />
          <KeptSection kept={query.data.kept} />
        </div>
      )}
    </Reading>
  )
}

function GoneSection({ gone }: { gone: Retention['gone'] }) {
  const [chosen, setChosen] = useState<string>()
  const month = gone.find((one) => one.month === chosen) ?? gone[0]
  return (
    <section aria-label="What went" class="space-y-3">
      <div class="flex flex-wrap items-center justify-between gap-3">
        <h2 class="text-base font-semibold">What went</h2>
        {month && gone.length > 1 && (
          <Choice
            label="Which month"
            value={month.month}
            options={gone.slice(0, 12).map((one) => [one.month, one.month] as const)}
            onChange={setChosen}
          />
        )}
      </div>
      {month ? (
        <DataTable
          label={`Deleted in ${month.month}`}
          columns={goneColumns}
          rows={month.collections}
          keyOf={({ collection }) => collection}
        />
      ) : (
        <p class="text-muted">Nothing has been deleted by its time or by an erasure yet.</p>
      )}
      <p class="max-w-prose text-sm text-muted">
        Deleted because its time was over, or with an erasure. In the cloud Google counts what expires, so
        this list has erasures alone there.
      </p>
    </section>
  )
}

const goneColumns: readonly Column<Retention['gone'][number]['collections'][number]>[] = [
  { head: 'Collection', cell: ({ collection }) => collection },
  { head: 'Documents', isNumber: true, cell: ({ count }) => formatCount(count) },
]

const whose = { person: 'People', account: 'Accounts', both: 'Both', service: 'The service' } as const
const endings: Record<Term['endsBy'], string> = {
  ttl: 'The store, when its time has come',
  erasure: 'Erasure of its person or account',
  use: 'Who uses it',
  job: 'A job',
  never: 'Nothing',
}

function KeptSection({ kept }: { kept: Retention['kept'] }) {
  const [shown, setShown] = useState<'personal' | 'all'>('personal')
  return (
    <section aria-label="What is kept" class="space-y-3">
      <div class="flex flex-wrap items-center justify-between gap-3">
        <h2 class="text-base font-semibold">What is kept</h2>
        <Choice
          label="Which"
          value={shown}
          options={[
            ['personal', 'Of people and accounts'],
            ['all', 'Everything'],
          ]}
          onChange={setShown}
        />
      </div>
      <DataTable
        label="What is kept"
        columns={keptColumns}
        rows={kept.filter((one) => shown === 'all' || one.whose !== 'service')}
        keyOf={({ name }) => name}
      />
    </section>
  )
}

const keptColumns: readonly Column<Term>[] = [
  { head: 'Where', cell: ({ name }) => name },
  { head: 'Of', cell: (one) => whose[one.whose] },
  { head: 'What', cell: ({ what }) => what },
  { head: 'How long', cell: ({ kept }) => kept },
  { head: 'Why', cell: ({ why }) => why },
  { head: 'Ended by', cell: ({ endsBy }) => endings[endsBy] },
  { head: 'Kept by a hold', cell: ({ isHeld }) => (isHeld ? 'Yes' : <span class="text-muted">No</span>) },
]
