/** Why a tunnel is in its state, since when, and what to do. */
import type { TunnelWhy } from '@porttunneler/shared/api/schemas/tunnels'
import { formatAgo, formatTime } from './format.ts'

export function WhyText({ why: { cause, cure, code, since } }: { why: TunnelWhy }) {
  return (
    <>
      {cause}
      {cure && ` ${cure}`}
      {since !== undefined && (
        <>
          {' '}
          <time dateTime={new Date(since).toISOString()} title={formatTime(since)}>
            Since {formatAgo(since, Date.now())}.
          </time>
        </>
      )}
      {code && <code class="ml-2 font-mono text-xs">{code}</code>}
    </>
  )
}
