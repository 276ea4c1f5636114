/** These parts make every agent of this package, whether a command or a program of somebody else runs it. */
import { hashSecret } from '@porttunneler/shared/base/ids'
import { memoryBytes } from '@porttunneler/shared/base/memory'
import { Budget } from '@porttunneler/shared/mux/budget'
import { dialRelay } from '@porttunneler/shared/mux/dial'
import type { MuxShared } from '@porttunneler/shared/mux/fresh-carrier'
import { Liveness } from '@porttunneler/shared/mux/liveness'
import { Turn } from '@porttunneler/shared/mux/turn'
import type { SupervisorOptions } from './agent/supervisor-options.ts'
import type { Connection, Context } from './context.ts'
import { version } from './version.ts'

/** Memory that relays may fill before the upstreams have taken it: at most so much, and this share of what there is. */
const budgetBytes = 256 * 1024 * 1024
const budgetShare = 0.25

type DialOptions = Parameters<typeof dialRelay>[0]

/** Dials relays, and says to them which program this is. */
export function dialBy(
  known: MuxShared & Pick<DialOptions, 'agent' | 'random' | 'connect'>,
): SupervisorOptions['dial'] {
  return (address, options) => dialRelay({ ...known, ...options, address, build: `ptun/${version}` })
}

/** All sessions of one agent share these. */
export function newMux({ clock }: Pick<Context, 'clock'>): MuxShared {
  return {
    clock,
    turn: new Turn(),
    liveness: new Liveness({ clock, side: 'agent' }),
    budget: new Budget(Math.min(budgetBytes, memoryBytes() * budgetShare)),
  }
}

/** The owner of saved leases. A key from the environment shows no account without a call, so its hash stands for it. */
export function accountOf({ credential }: Connection): string {
  return credential.account ?? hashSecret(credential.key.reveal())
}
