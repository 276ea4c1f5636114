/** Who is let into a beta, for operators: codes for new accounts, and the list of people who wait for one. */
import { useState } from 'preact/hooks'
import { useOperatorAct } from '../api/operator-queries.ts'
import type { Invite, Invited, InviteMade, Waiting } from '../api/operator-service-calls.ts'
import { useInvites, useWaiting } from '../api/operator-service-queries.ts'
import { failureIn } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { Button, TextLink } from '../parts/button.tsx'
import { CopyButton } from '../parts/copy-button.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { ConfirmDialog, Dialog } from '../parts/dialog.tsx'
import { TextField } from '../parts/field.tsx'
import { type ApiForm, FormOf, useApiForm } from '../parts/form.tsx'
import type { FormValues } from '../parts/form-values.ts'
import { Choice, More, Reading, type Tone, ToneBadge } from '../parts/operator-parts.tsx'
import { TimeText } from '../parts/time-text.tsx'

export function BetaSection() {
  return (
    <section aria-label="Beta" class="space-y-6">
      <Invites />
      <WaitList />
    </section>
  )
}

const states: Record<Invite['state'], readonly [Tone, string]> = {
  open: ['ok', 'Open'],
  expired: ['none', 'Expired'],
  revoked: ['none', 'Revoked'],
}

function Invites() {
  const query = useInvites()
  const [isMaking, setMaking] = useState(false)
  const [revoked, setRevoked] = useState<Invite>()
  const invites = query.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <div class="space-y-3">
      <div class="flex flex-wrap items-center justify-between gap-3">
        <h2 class="text-base font-semibold">Codes for new accounts</h2>
        <Button onClick={() => setMaking(true)}>Make a code</Button>
      </div>
      <Reading query={query} what="the codes">
        {query.isSuccess && invites.length === 0 && (
          <p class="text-muted">No code was made. They are asked for while new accounts are by invitation.</p>
        )}
        {invites.length > 0 && (
          <DataTable
            label="Codes for new accounts"
            columns={inviteColumns(setRevoked)}
            rows={invites}
            keyOf={({ id }) => id}
          />
        )}
        <More query={query} />
      </Reading>
      {isMaking && <MakeDialog onClose={() => setMaking(false)} />}
      {revoked && <RevokeDialog invite={revoked} onClose={() => setRevoked(undefined)} />}
    </div>
  )
}

function inviteColumns(onRevoke: (invite: Invite) => void): readonly Column<Invite>[] {
  return [
    { head: 'For', cell: ({ note }) => note || <span class="text-muted">no note</span> },
    {
      head: 'State',
      cell: ({ state }) => {
        const [tone, word] = states[state]
        return <ToneBadge tone={tone}>{word}</ToneBadge>
      },
    },
    { head: 'Came', isNumber: true, cell: ({ taken, places }) => `${taken} of ${places}` },
    { head: 'Plan', cell: ({ plan }) => plan },
    { head: 'Made', cell: ({ createdAt }) => <TimeText at={createdAt} /> },
    {
      head: 'Until',
      cell: ({ expiresAt }) => (
        <span class="whitespace-nowrap">
          <TimeText at={expiresAt} isExact />
        </span>
      ),
    },
    {
      head: 'Actions',
      isActions: true,
      cell: (invite) =>
        invite.state === 'open' && (
          <Button
            look="quiet"
            onClick={() => onRevoke(invite)}
            aria-label={`Revoke the code for ${invite.note || invite.id}`}
          >
            Revoke
          </Button>
        ),
    },
  ]
}

function MakeDialog({ onClose }: { onClose: () => void }) {
  const { calls } = useServices()
  const [made, setMade] = useState<InviteMade>()
  const act = useOperatorAct(async (wish: Parameters<typeof calls.createInvite>[0]) =>
    setMade(await calls.createInvite(wish)),
  )
  const form = useApiForm({
    initial: { places: '1', days: '30', plan: 'free', note: '' },
    act,
    toWish: ({ places, days, plan, note }) => ({
      places: Number(places),
      days: Number(days),
      plan: plan.trim(),
      note,
    }),
  })
  if (made) return <MadeDialog made={made} onClose={onClose} />
  return (
    <Dialog title="Make a code" onClose={onClose}>
      <FormOf form={form} action="Make the code" onCancel={onClose}>
        <TextField
          label="For whom or what"
          hint="Only operators read it."
          autofocus
          autocomplete="off"
          maxLength={200}
          {...form.text('note')}
        />
        <NumberField label="Accounts that may come by it" max={200} {...form.text('places')} />
        <NumberField label="Days until it ends" max={365} {...form.text('days')} />
        <TextField label="Their plan" required maxLength={32} {...form.text('plan')} />
      </FormOf>
    </Dialog>
  )
}

function NumberField(props: { label: string; max: number } & ReturnType<ApiForm<FormValues>['text']>) {
  return <TextField type="number" min={1} step={1} required {...props} />
}

/** Only its button closes it: the code is shown this once. */
function MadeDialog({ made: { code, expiresAt }, onClose }: { made: InviteMade; onClose: () => void }) {
  return (
    <Dialog title="The code" onClose={onClose} isKept>
      <div class="mt-3 space-y-4">
        <p class="text-muted">
          It is shown only now, and may be used until <TimeText at={expiresAt} isExact />.
        </p>
        <p class="flex items-center gap-2">
          <code class="min-w-0 rounded-lg bg-raised p-2 font-mono break-all">{code}</code>
          <CopyButton text={code} what="the code" />
        </p>
        <div class="flex justify-end">
          <Button look="accent" onClick={onClose} autofocus>
            I have it
          </Button>
        </div>
      </div>
    </Dialog>
  )
}

function RevokeDialog({ invite, onClose }: { invite: Invite; onClose: () => void }) {
  const { calls } = useServices()
  const act = useOperatorAct(() => calls.revokeInvite(invite.id), onClose)
  return (
    <ConfirmDialog
      title="Revoke this code?"
      action="Revoke the code"
      onConfirm={() => act.mutate(undefined)}
      onClose={onClose}
      isBusy={act.isPending}
      failure={failureIn(act)}
    >
      <p>No further account can be made by it. The {invite.taken} that came stay.</p>
    </ConfirmDialog>
  )
}

const waitingStates: readonly (readonly [Waiting['state'], string])[] = [
  ['waiting', 'Waiting'],
  ['asked', 'Not confirmed'],
  ['invited', 'Invited'],
  ['came', 'Came'],
]

function WaitList() {
  const [state, setState] = useState<Waiting['state']>('waiting')
  const query = useWaiting(state)
  const [isInviting, setInviting] = useState(false)
  const people = query.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <div class="space-y-3">
      <div class="flex flex-wrap items-center justify-between gap-3">
        <h2 class="text-base font-semibold">Waiting list</h2>
        <div class="flex flex-wrap items-center gap-2">
          <Choice label="Which people" value={state} options={waitingStates} onChange={setState} />
          <Button onClick={() => setInviting(true)}>Invite the next</Button>
        </div>
      </div>
      <Reading query={query} what="the waiting list">
        {query.isSuccess && people.length === 0 && <p class="text-muted">Nobody is listed here.</p>}
        {people.length > 0 && (
          <DataTable
            label="Waiting list"
            columns={waitingColumns}
            rows={people}
            keyOf={({ email }) => email}
          />
        )}
        <More query={query} />
      </Reading>
      {isInviting && <InviteDialog onClose={() => setInviting(false)} />}
    </div>
  )
}

const waitingColumns: readonly Column<Waiting>[] = [
  { head: 'Address', cell: ({ email }) => <span class="break-all">{email}</span> },
  { head: 'Since', cell: ({ at }) => <TimeText at={at} /> },
  {
    head: 'Account',
    cell: ({ account }) =>
      account === undefined ? (
        <span class="text-muted">none</span>
      ) : (
        <TextLink href={`/operator/accounts/${account}`}>{account}</TextLink>
      ),
  },
]

function InviteDialog({ onClose }: { onClose: () => void }) {
  const { calls } = useServices()
  const [invited, setInvited] = useState<Invited['items']>()
  const act = useOperatorAct(async (count: number) =>
    setInvited((await calls.inviteWaiting({ count })).items),
  )
  const form = useApiForm({ initial: { count: '10' }, act, toWish: ({ count }) => Number(count) })
  if (invited) return <InvitedDialog invited={invited} onClose={onClose} />
  return (
    <Dialog title="Invite the next" onClose={onClose}>
      <FormOf form={form} action="Invite them" onCancel={onClose}>
        <TextField
          label="How many people"
          hint="Those who have waited longest get a code by mail, for one account of the plan free, for 30 days."
          type="number"
          min={1}
          max={100}
          step={1}
          required
          autofocus
          {...form.text('count')}
        />
      </FormOf>
    </Dialog>
  )
}

function InvitedDialog({ invited, onClose }: { invited: Invited['items']; onClose: () => void }) {
  const hasCodes = invited.some(({ code }) => code !== undefined)
  return (
    <Dialog
      title={invited.length === 0 ? 'Nobody waits' : `${invited.length} invited`}
      onClose={onClose}
      isKept={hasCodes}
    >
      <div class="mt-3 space-y-4">
        {hasCodes && (
          <p class="text-muted">This server sends no mail. The codes are shown only now, for you to send.</p>
        )}
        <ul class="space-y-1 text-sm">
          {invited.map(({ email, code }) => (
            <li key={email} class="flex flex-wrap items-center justify-between gap-2">
              <span class="break-all">{email}</span>
              {code !== undefined && (
                <span class="flex items-center gap-2">
                  <code class="font-mono break-all">{code}</code>
                  <CopyButton text={code} what={`the code for ${email}`} />
                </span>
              )}
            </li>
          ))}
        </ul>
        <div class="flex justify-end">
          <Button look="accent" onClick={onClose} autofocus>
            Close
          </Button>
        </div>
      </div>
    </Dialog>
  )
}
