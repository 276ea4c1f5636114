/** What a tunnel is, and its end. */
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { Button } from '../parts/button.tsx'
import { Card } from '../parts/page.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { DeleteDialog } from './tunnel-delete.tsx'

export function SettingsTab({ tunnel }: { tunnel: Tunnel }) {
  return (
    <>
      <Card title="Facts">
        <dl class="grid gap-x-8 gap-y-3 text-sm sm:grid-cols-3">
          <Fact label="Kind" text={tunnel.kind} />
          <Fact label="Created" text={<TimeText at={tunnel.createdAt} isExact />} />
          <Fact label="Id" text={tunnel.id} />
        </dl>
      </Card>
      <DeleteCard tunnel={tunnel} />
    </>
  )
}

function Fact({ label, text }: { label: string; text: ComponentChildren }) {
  return (
    <div class="min-w-0">
      <dt class="text-muted">{label}</dt>
      <dd class="font-medium break-all">{text}</dd>
    </div>
  )
}

function DeleteCard({ tunnel }: { tunnel: Tunnel }) {
  const [isAsking, setAsking] = useState(false)
  return (
    <Card title="Delete">
      <div class="flex flex-wrap items-center justify-between gap-4">
        <p class="max-w-prose text-muted">Ends the tunnel and gives its endpoint back.</p>
        <Button look="danger" onClick={() => setAsking(true)}>
          Delete tunnel
        </Button>
      </div>
      {isAsking && <DeleteDialog tunnel={tunnel} onClose={() => setAsking(false)} />}
    </Card>
  )
}
