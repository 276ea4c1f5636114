/** What a tunnel's document says while an operator has taken it down, and what that forbids. takedown.ts does it. */
import { fail, type PortTunnelerError } from '../../base/errors.ts'

/** `reason`: as its owner is told. `by`: the operator. */
type TakenDown = { readonly reason: string; readonly by: string }

export type TakedownMarks = {
  /** An operator took it down; no agent gets it. */
  readonly takenDown?: TakenDown
  readonly takenDownAt?: number
  /** Rises with every takedown and its end; relays keep the highest. It stays when the tunnel is put back. */
  readonly takedownVersion?: number
}

export type EndpointMarks = {
  /** Its tunnel was taken down: until `keepUntil` nobody gets it. */
  readonly isTakenDown?: true
}

/** Agents ask again by themselves, so that a tunnel that is put back is served again; more often would only be load. */
const retryAfterMs = 600_000

export function takenDownError({ takenDown }: TakedownMarks): PortTunnelerError {
  const detail = takenDown && `The operator of this service took this tunnel down: ${takenDown.reason}`
  return fail('tunnel.taken_down', detail, { fields: { retryAfterMs } })
}

/** Under another name, or as a new tunnel with the same name, it would be back at once. @throws tunnel.taken_down */
export function requireNotTakenDown(tunnel: TakedownMarks): void {
  if (tunnel.takenDown) throw takenDownError(tunnel)
}
