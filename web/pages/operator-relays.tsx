/**
 * Cells and their relays, for operators: what each relay last reported, how long ago that was, and how to take it out
 * of work. Figures that a relay did not send are a dash.
 */
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { useOperatorAct } from '../api/operator-queries.ts'
import type { OperatorCell, OperatorRelay } from '../api/operator-service-calls.ts'
import { useCells } from '../api/operator-service-queries.ts'
import { failureIn } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { Button } from '../parts/button.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { ConfirmDialog } from '../parts/dialog.tsx'
import { formatBytes, formatCount, formatCounted, formatRate } from '../parts/format.ts'
import { unknown } from '../parts/live-text.tsx'
import { Choice, More, Reading, type Tone, ToneBadge } from '../parts/operator-parts.tsx'
import { Page } from '../parts/page.tsx'
import { TimeText } from '../parts/time-text.tsx'

export function OperatorRelaysPage() {
  const [state, setState] = useState<'open' | 'closed'>('open')
  const query = useCells(state)
  const cells = query.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <Page
      title="Relays"
      lead="As each relay last reported; they do so every 30 seconds."
      isBroad
      actions={
        <Choice
          label="Which cells"
          value={state}
          options={[
            ['open', 'Open cells'],
            ['closed', 'Closed cells'],
          ]}
          onChange={setState}
        />
      }
    >
      <Reading query={query} what="the relays">
        {query.isSuccess && cells.length === 0 && (
          <p class="text-muted">{state === 'open' ? 'No cell takes new tunnels.' : 'No cell is closed.'}</p>
        )}
        <div class="space-y-8">
          {cells.map((cell) => (
            <CellSection key={cell.id} cell={cell} />
          ))}
        </div>
        <More query={query} />
      </Reading>
    </Page>
  )
}

type Asked = { readonly relay: OperatorRelay; readonly others: number } | 'cell'

function CellSection({ cell }: { cell: OperatorCell }) {
  const { calls } = useServices()
  const [asked, setAsked] = useState<Asked>()
  const { id, state, host, relays } = cell
  const close = () => setAsked(undefined)
  const open = useOperatorAct(() => calls.openCell(id))
  const failure = failureIn(open)
  const ready = relays.filter((relay) => relay.state === 'ready')
  return (
    <section aria-label={`Cell ${id}`} class="space-y-3">
      <div class="flex flex-wrap items-center justify-between gap-x-6 gap-y-2">
        <div class="min-w-0">
          <h2 class="flex flex-wrap items-center gap-2 text-base font-semibold">
            <span class="break-all">{id}</span>
            {state === 'closed' && <ToneBadge tone="none">Takes no new tunnels</ToneBadge>}
            {ready.length === 0 && <ToneBadge tone="bad">No relay is ready</ToneBadge>}
          </h2>
          <p class="text-sm break-words text-muted">
            {host}, {sumsOf(relays, ready.length)}
          </p>
        </div>
        {state === 'open' ? (
          <Button onClick={() => setAsked('cell')}>Close to new tunnels</Button>
        ) : (
          <Button onClick={() => open.mutate(undefined)} isBusy={open.isPending}>
            Open again
          </Button>
        )}
      </div>
      {failure && <p class="text-danger">{failure.problem.title}</p>}
      {relays.length === 0 ? (
        <p class="text-muted">No relay has reported here.</p>
      ) : (
        <div class="relative overflow-x-clip">
          <DataTable
            label={`Relays of ${id}`}
            columns={columnsOf((relay) => {
              const others = ready.filter((one) => one.relay !== relay.relay).length
              setAsked({ relay, others })
            })}
            rows={relays}
            keyOf={({ relay, instance }) => `${relay}:${instance}`}
          />
        </div>
      )}
      {asked === 'cell' && <CloseDialog cell={id} onClose={close} />}
      {asked !== undefined && asked !== 'cell' && <DrainDialog {...asked} onClose={close} />}
    </section>
  )
}

function sumsOf(relays: readonly OperatorRelay[], ready: number): string {
  const heard = relays.filter(({ state }) => state !== 'left' && state !== 'silent').map(({ load }) => load)
  const sum = (of: (load: OperatorRelay['load']) => number) => heard.reduce((all, load) => all + of(load), 0)
  const rate = heard.some(({ bytesPerSecond }) => bytesPerSecond !== undefined)
    ? `, ${formatRate(sum(({ bytesPerSecond = 0 }) => bytesPerSecond))}`
    : ''
  const agents = formatCounted(
    sum(({ sessions }) => sessions),
    'agent',
  )
  const visitors = formatCounted(
    sum(({ streams }) => streams),
    'visitor',
  )
  return `${ready} of ${relays.length} ready, ${agents}, ${visitors}${rate}`
}

const states: Record<OperatorRelay['state'], readonly [tone: Tone, word: string]> = {
  ready: ['ok', 'Ready'],
  starting: ['warn', 'Starting'],
  draining: ['warn', 'Draining'],
  silent: ['bad', 'Silent'],
  left: ['none', 'Left'],
}

function columnsOf(onDrain: (relay: OperatorRelay) => void): readonly Column<OperatorRelay>[] {
  const figure = (
    head: string,
    cell: (load: OperatorRelay['load']) => ComponentChildren,
  ): Column<OperatorRelay> => ({
    head,
    isNumber: true,
    // What it did before it left is over.
    cell: ({ state, load }) => (
      <span class="whitespace-nowrap">{state === 'left' ? unknown : cell(load)}</span>
    ),
  })
  return [
    {
      head: 'Relay',
      cell: ({ relay, instance, address, version }) => (
        <span title={`${relay}, dialled at ${address}`} class="font-mono text-xs whitespace-nowrap">
          {relay.slice(0, 4)}…{relay.slice(-6)} {instance}
          <span class="block max-w-40 truncate font-sans font-normal text-muted" title={version}>
            {version}
          </span>
        </span>
      ),
    },
    {
      head: 'State',
      cell: ({ state }) => {
        const [tone, word] = states[state]
        return <ToneBadge tone={tone}>{word}</ToneBadge>
      },
    },
    { head: 'Reported', cell: ({ seenAt }) => (seenAt === undefined ? unknown : <TimeText at={seenAt} />) },
    figure('Agents', ({ sessions }) => formatCount(sessions)),
    figure('Visitors', ({ streams }) => formatCount(streams)),
    figure('Transfer', ({ bytesPerSecond }) => known(bytesPerSecond, formatRate)),
    figure('CPU', ({ cpu }) => `${Math.round(cpu * 100)} %`),
    figure('Loop delay', ({ loopMs }) =>
      known(loopMs, (ms) => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`),
    ),
    figure('Memory', ({ rssBytes, memoryBytes }) => share(formatBytes, rssBytes, memoryBytes)),
    figure('Descriptors', ({ descriptors, descriptorsMax }) =>
      descriptors === undefined ? unknown : share(formatCount, descriptors, descriptorsMax),
    ),
    {
      head: 'Actions',
      isActions: true,
      cell: (relay) =>
        relay.state === 'ready' && (
          <Button
            look="quiet"
            onClick={() => onDrain(relay)}
            aria-label={`Drain ${relay.relay} ${relay.instance}`}
          >
            Drain
          </Button>
        ),
    },
  ]
}

function known(value: number | undefined, text: (value: number) => string): string {
  return value === undefined ? unknown : text(value)
}

/** How much of what there may be; both on hover. */
function share(text: (value: number) => string, value: number, max: number | undefined) {
  if (max === undefined || max === 0) return text(value)
  return <span title={`${text(value)} of ${text(max)}`}>{Math.round((value / max) * 100)} %</span>
}

function CloseDialog({ cell, onClose }: { cell: string; onClose: () => void }) {
  const { calls } = useServices()
  const act = useOperatorAct(() => calls.closeCell(cell), onClose)
  return (
    <ConfirmDialog
      title={`Close ${cell} to new tunnels?`}
      action="Close the cell"
      onConfirm={() => act.mutate(undefined)}
      onClose={onClose}
      isBusy={act.isPending}
      failure={failureIn(act)}
    >
      <p>
        Tunnels that are there stay and go on. New ones get another cell, if one is open. You can open it
        again.
      </p>
    </ConfirmDialog>
  )
}

function DrainDialog({
  relay,
  others,
  onClose,
}: {
  relay: OperatorRelay
  others: number
  onClose: () => void
}) {
  const { calls } = useServices()
  const act = useOperatorAct(async () => void (await calls.drainRelay(relay.relay)), onClose)
  const { sessions, streams } = relay.load
  return (
    <ConfirmDialog
      title="Drain this relay?"
      action="Drain the relay"
      onConfirm={() => act.mutate(undefined)}
      onClose={onClose}
      isBusy={act.isPending}
      failure={failureIn(act)}
    >
      <p>
        {relay.relay} takes no new visitors, lets open connections end and then stops. It had{' '}
        {formatCounted(sessions, 'agent')} and {formatCounted(streams, 'visitor')} when it last reported. What
        supervises it starts it again. This cannot be taken back.
      </p>
      {others === 0 && (
        <p class="font-medium text-danger">
          No other relay of this cell is ready: its tunnels are out of reach until this one is back.
        </p>
      )}
    </ConfirmDialog>
  )
}
