/** A tunnel's state in words, with an icon of its own shape and a colour: no state is told by colour alone. */

import { stateWord, type TunnelState } from '@porttunneler/shared/api/schemas/tunnel-words'
import type { Holder } from '@porttunneler/shared/api/schemas/tunnels'
import type { ComponentChildren } from 'preact'
import { formatClock } from './format.ts'
import { Icon, type IconName } from './icon.tsx'

const looks: Record<TunnelState, { icon: IconName; look: string }> = {
  healthy: { icon: 'online', look: 'bg-ok-soft text-ok' },
  degraded: { icon: 'away', look: 'bg-warn-soft text-warn' },
  connecting: { icon: 'away', look: 'bg-raised text-muted' },
  upstream_failing: { icon: 'alert', look: 'bg-danger-soft text-danger' },
  refused: { icon: 'alert', look: 'bg-danger-soft text-danger' },
  offline: { icon: 'offline', look: 'bg-raised text-muted' },
  never_used: { icon: 'offline', look: 'bg-raised text-muted' },
}

/**
 * @param asOf when the state was read, if that is too long ago to be believed: then it is shown in grey with the time
 */
export function StateBadge({
  state,
  title,
  asOf,
}: {
  state: TunnelState
  title?: string | undefined
  asOf?: number | undefined
}) {
  const { icon, look } = looks[state]
  return (
    <Badge icon={icon} look={asOf === undefined ? look : 'bg-raised text-muted'} title={title}>
      {stateWord(state)}
      {asOf !== undefined && ` as of ${formatClock(asOf)}`}
    </Badge>
  )
}

const ofHolders: Record<Holder['state'], { icon: IconName; look: string; word: string }> = {
  online: { ...looks.healthy, word: 'Connected' },
  failing: { ...looks.upstream_failing, word: stateWord('upstream_failing') },
  away: { ...looks.degraded, word: 'Away' },
}

/** What an agent that holds a tunnel does. */
export function HolderBadge({
  holder: { state, code },
}: {
  holder: Pick<Holder, 'state'> & { readonly code?: Holder['code'] }
}) {
  const { icon, look, word } = ofHolders[state]
  return (
    <Badge icon={icon} look={look}>
      {word}
      {code && <code class="font-mono text-xs">{code}</code>}
    </Badge>
  )
}

type BadgeProps = {
  icon: IconName
  look: string
  title?: string | undefined
  children: ComponentChildren
}

function Badge({ icon, look, title, children }: BadgeProps) {
  return (
    <span
      title={title}
      class={`inline-flex items-center gap-1.5 rounded-full py-1 pr-3 pl-2 text-sm font-medium whitespace-nowrap ${look}`}
    >
      <Icon name={icon} size={16} />
      {children}
    </span>
  )
}
