/** Who serves the tunnel, and whether several may: the owner's consent to a pool. */
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import { failureIn, useUpdateTunnel } from '../api/queries.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { TextLink } from '../parts/button.tsx'
import { Checkbox } from '../parts/field.tsx'
import { Card } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { HolderBadge } from '../parts/state-badge.tsx'
import { TimeText } from '../parts/time-text.tsx'

export function AgentsCard({ tunnel }: { tunnel: Tunnel }) {
  const announce = useAnnounce()
  const update = useUpdateTunnel(tunnel.id)
  const isPool = tunnel.agents === 'many'
  const change = () =>
    update.mutate(
      { change: { agents: isPool ? 'one' : 'many' }, revision: tunnel.revision },
      { onSuccess: () => announce(isPool ? 'For one agent now.' : 'Agents may share this tunnel now.') },
    )
  const failure = failureIn(update)
  return (
    <Card title="Agents">
      {tunnel.holders.length === 0 && <p class="text-muted">No agent serves this tunnel now.</p>}
      <ul class="divide-y divide-line">
        {tunnel.holders.map((holder) => (
          <li key={holder.agent} class="flex flex-wrap items-center justify-between gap-x-6 gap-y-2 py-2">
            <TextLink href={`/agents/${holder.agent}`}>
              <code class="font-mono text-[0.8125rem] break-all">{holder.agent}</code>
            </TextLink>
            <span class="flex items-center gap-4 text-sm text-muted">
              since <TimeText at={holder.since} isExact />
              <HolderBadge holder={holder} />
            </span>
          </li>
        ))}
      </ul>
      <div class="mt-4">
        <Checkbox
          label="Several agents may serve it"
          hint="Visitors are spread over those that are up. Otherwise a second agent is refused unless it takes over."
          isChecked={isPool}
          onChange={change}
        />
      </div>
      {failure && <ProblemNotice failure={failure} />}
    </Card>
  )
}
