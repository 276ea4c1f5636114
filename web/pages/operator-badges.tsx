/** The states of people and accounts on the operator pages, in words; the usual state has no badge. */
import { TimeText } from '../parts/time-text.tsx'

const look = 'inline-flex rounded-full px-2.5 py-0.5 text-sm font-medium whitespace-nowrap'
const warn = `${look} bg-warn-soft text-warn`
const danger = `${look} bg-danger-soft text-danger`

type Leaving = { readonly leavingAt?: number | undefined }

export function AccountBadge({ status, leavingAt }: { status: 'active' | 'suspended' | 'closed' } & Leaving) {
  if (leavingAt !== undefined)
    return (
      <span class={warn}>
        Deleted on <TimeText at={leavingAt} isExact />
      </span>
    )
  if (status === 'active') return null
  return <span class={danger}>{status === 'suspended' ? 'Suspended' : 'Closed'}</span>
}

export function PersonBadge({ status, leavingAt }: { status: 'active' | 'disabled' } & Leaving) {
  if (status === 'disabled') return <span class={danger}>Disabled</span>
  if (leavingAt !== undefined)
    return (
      <span class={warn}>
        Deleted on <TimeText at={leavingAt} isExact />
      </span>
    )
  return null
}
