/** A tunnel's state in words, with an icon of its own shape and a colour: none of the four stands alone. */
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import { Icon, type IconName } from './icon.tsx'

const looks: Record<Tunnel['state'], { label: string; meaning: string; icon: IconName; look: string }> = {
  online: {
    label: 'Online',
    meaning: 'An agent serves this tunnel.',
    icon: 'online',
    look: 'bg-ok-soft text-ok',
  },
  waiting: {
    label: 'Waiting',
    meaning: 'An agent has the lease, but no relay has reported it yet. That takes some seconds.',
    icon: 'away',
    look: 'bg-warn-soft text-warn',
  },
  away: {
    label: 'Away',
    meaning: 'The agent has not been heard for a minute. Its endpoint is kept for it.',
    icon: 'away',
    look: 'bg-warn-soft text-warn',
  },
  offline: {
    label: 'Offline',
    meaning: 'No agent serves this tunnel now.',
    icon: 'offline',
    look: 'bg-raised text-muted',
  },
}

export function StateBadge({ state }: { state: Tunnel['state'] }) {
  const { label, meaning, icon, look } = looks[state]
  return (
    <span
      title={meaning}
      class={`inline-flex items-center gap-1.5 rounded-full py-1 pr-3 pl-2 text-sm font-medium ${look}`}
    >
      <Icon name={icon} size={16} />
      {label}
    </span>
  )
}

/** What the state means, in a sentence. */
export function stateMeaning(state: Tunnel['state']): string {
  return looks[state].meaning
}
