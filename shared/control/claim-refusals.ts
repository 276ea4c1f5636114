/** What a refused claim is told, and after how many seconds it may ask again. */
import { fail, type PortTunnelerError } from '../base/errors.ts'
import type { Caller } from './caller.ts'
import type { AttemptResult } from './claim-transaction.ts'
import type { TunnelDoc } from './documents.ts'
import { holdersMax, type Verdict } from './lease-rules.ts'
import { beyond } from './money/lifting.ts'

export function refusal(
  verdict: Exclude<Verdict, { kind: 'take' }>,
  { name }: TunnelDoc,
  endpoint: string,
): AttemptResult {
  switch (verdict.kind) {
    case 'held':
      return { kind: 'refused', error: fail('lease.held', `Another agent serves the tunnel "${name}".`) }
    case 'unclear':
      if (verdict.retryInMs === 0) return { kind: 'unread' }
      return { kind: 'refused', error: unclear(name, addressOf(endpoint), verdict) }
    case 'stopped':
      return { kind: 'refused', error: fail(verdict.key) }
    case 'full':
      return {
        kind: 'refused',
        error: fail('lease.full', `${holdersMax} agents serve the tunnel "${name}".`),
      }
    case 'rests':
      return verdict
    default:
      return { kind: verdict.kind }
  }
}

function unclear(
  name: string,
  address: string,
  { retryInMs: retryAfterMs, isOfOther }: { readonly retryInMs: number; readonly isOfOther?: boolean },
): PortTunnelerError {
  const fields = { retryAfterMs }
  if (isOfOther) {
    const detail = `Another tunnel of the account has ${address} and may still be served; the relays are yet to say.`
    return fail('endpoint.unclear', detail, { fields })
  }
  const detail = `Another agent held the tunnel "${name}" and may still serve it; the relays are yet to say.`
  return fail('lease.unclear', detail, { fields })
}

function addressOf(endpoint: string): string {
  const [kind, ...rest] = endpoint.split(':')
  return kind === 'tcp' ? `port ${rest.at(-1)}` : `the name "${rest.join(':')}"`
}

export function overQuota({ plan, limits: { tunnelsOnline } }: Caller): PortTunnelerError {
  return fail(
    'quota.tunnels',
    `${tunnelsOnline} of ${tunnelsOnline} tunnels of the plan "${plan}" are online.`,
    { fields: beyond('tunnelsOnline', tunnelsOnline) },
  )
}

export function noTunnelRoom({ limits, plan }: Caller): PortTunnelerError {
  return fail('quota.defined', `The plan "${plan}" has room for ${limits.tunnelsDefined} tunnels.`, {
    fields: beyond('tunnelsDefined', limits.tunnelsDefined),
  })
}
