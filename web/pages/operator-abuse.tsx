/** Abuse, for operators: reports, the tunnel behind an address, the kill switch, and what was taken down. */
import { useState } from 'preact/hooks'
import { useLocation, useSearch } from 'wouter-preact'
import type { FoundTunnel, Takedown } from '../api/operator-abuse-calls.ts'
import { useTakedowns, useTunnelAt } from '../api/operator-abuse-queries.ts'
import { Button, TextLink } from '../parts/button.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { TextField } from '../parts/field.tsx'
import { More, Reading } from '../parts/operator-parts.tsx'
import { Card, Page } from '../parts/page.tsx'
import { StateBadge } from '../parts/state-badge.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { AccountBadge } from './operator-badges.tsx'
import { Facts } from './operator-facts.tsx'
import { ReportsSection } from './operator-reports.tsx'
import { RestoreDialog, TakeDownDialog, type Target } from './operator-takedown.tsx'

type Asked = { readonly act: 'take-down' | 'restore'; readonly target: Target }

export function OperatorAbusePage() {
  const address = (new URLSearchParams(useSearch()).get('at') ?? '').trim()
  const [asked, setAsked] = useState<Asked>()
  const close = () => setAsked(undefined)
  return (
    <Page
      title="Abuse"
      lead="What people reported, the tunnel behind an address, and what was taken down."
      isBroad
    >
      <div class="space-y-5">
        <ReportsSection />
        <SearchForm key={address} address={address} />
        {address !== '' && <Found address={address} onAsk={setAsked} />}
        <TakenDown onAsk={setAsked} />
      </div>
      {asked?.act === 'take-down' && <TakeDownDialog target={asked.target} onClose={close} />}
      {asked?.act === 'restore' && <RestoreDialog target={asked.target} onClose={close} />}
    </Page>
  )
}

function SearchForm({ address }: { address: string }) {
  const [, navigate] = useLocation()
  const [text, setText] = useState(address)
  return (
    <search>
      <form
        class="max-w-xl"
        onSubmit={(event) => {
          event.preventDefault()
          if (text.trim() !== '') navigate(`/operator/abuse?${new URLSearchParams({ at: text.trim() })}`)
        }}
      >
        <TextField
          label="Address"
          hint="As a visitor sees it, such as https://shop.example.com/login or tcp.example.com:20001, or an id (tun_…)."
          type="search"
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          required
          maxLength={2_000}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <div class="mt-3">
          <Button type="submit" look="accent">
            Find the tunnel
          </Button>
        </div>
      </form>
    </search>
  )
}

function Found({ address, onAsk }: { address: string; onAsk: (asked: Asked) => void }) {
  const query = useTunnelAt(address)
  return (
    <Reading query={query} what="the tunnel">
      {query.data && <FoundCard tunnel={query.data} onAsk={onAsk} />}
    </Reading>
  )
}

function FoundCard({ tunnel, onAsk }: { tunnel: FoundTunnel; onAsk: (asked: Asked) => void }) {
  const { id, name, kind, state, url, createdAt, account, accountName, accountStatus } = tunnel
  const isDown = tunnel.takenDownAt !== undefined
  return (
    <Card title={name}>
      <Facts
        rows={[
          ['State', <StateBadge key="state" state={state} />],
          ['Kind', kind],
          ['Address', url ?? 'none now'],
          ['Made', <TimeText key="made" at={createdAt} isExact />],
          [
            'Account',
            <span key="account" class="flex flex-wrap items-center gap-2">
              <TextLink href={`/operator/accounts/${account}`}>{accountName || account}</TextLink>
              <AccountBadge status={accountStatus} />
            </span>,
          ],
          ...(tunnel.takenDownAt === undefined
            ? []
            : ([
                ['Taken down', <TimeText key="down" at={tunnel.takenDownAt} isExact />],
                ['Reason', tunnel.reason ?? ''],
              ] as const)),
        ]}
      />
      <div class="mt-4">
        {isDown ? (
          <Button onClick={() => onAsk({ act: 'restore', target: { id, name } })}>Put it back</Button>
        ) : (
          <Button look="danger" onClick={() => onAsk({ act: 'take-down', target: { id, name } })}>
            Take it down
          </Button>
        )}
      </div>
    </Card>
  )
}

function TakenDown({ onAsk }: { onAsk: (asked: Asked) => void }) {
  const query = useTakedowns()
  const rows = query.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <section aria-label="Taken down" class="space-y-3">
      <h2 class="text-base font-semibold">Taken down</h2>
      <Reading query={query} what="the tunnels">
        {query.isSuccess && rows.length === 0 && <p class="text-muted">No tunnel is taken down.</p>}
        {rows.length > 0 && (
          <DataTable
            label="Tunnels that are taken down"
            columns={columnsOf(onAsk)}
            rows={rows}
            keyOf={({ id }) => id}
          />
        )}
        <More query={query} />
      </Reading>
    </section>
  )
}

function columnsOf(onAsk: (asked: Asked) => void): readonly Column<Takedown>[] {
  return [
    {
      head: 'Tunnel',
      cell: ({ name, kind, url }) => (
        <span>
          {name} <span class="font-normal text-muted">{kind}</span>
          <span class="block font-mono text-[0.8125rem] font-normal break-all text-muted">{url}</span>
        </span>
      ),
    },
    { head: 'Since', cell: ({ takenDownAt }) => <TimeText at={takenDownAt} /> },
    { head: 'Reason', cell: ({ reason }) => <span class="block max-w-prose break-words">{reason}</span> },
    {
      head: 'Account',
      cell: ({ account }) => (
        <TextLink href={`/operator/accounts/${account}`}>
          {account.slice(0, 4)}…{account.slice(-6)}
        </TextLink>
      ),
    },
    {
      head: 'Actions',
      isActions: true,
      cell: ({ id, name }) => (
        <Button look="quiet" onClick={() => onAsk({ act: 'restore', target: { id, name } })}>
          Put it back
        </Button>
      ),
    },
  ]
}
