/** Why a tunnel is in its state, since when, and what to do. */
import type { TunnelWhy } from '@porttunneler/shared/api/schemas/tunnels'
import { TimeText } from './time-text.tsx'

export function WhyText({ why: { cause, cure, code, since } }: { why: TunnelWhy }) {
  return (
    <>
      {cause}
      {cure && ` ${cure}`}
      {since !== undefined && (
        <>
          {' '}
          Since <TimeText at={since} />.
        </>
      )}
      {code && <code class="ml-2 font-mono text-xs">{code}</code>}
    </>
  )
}
