/** How a platform adds to the look at the service (service-look.ts) what only it can find out. */
import type { AlertKind } from '../../api/schemas/alerts.ts'

/** What a platform brings for the alerts of its operators. */
export type ServiceWatch = {
  /** `post` reaches private addresses too, because the operator wants that. */
  readonly isPrivatePost?: boolean
  /** What only this platform can find out about the service. */
  readonly senses?: readonly Sense[]
  /** Told after each look at the service that went well. It does not reject for a reason of its own. */
  readonly heartbeat?: (look: Heartbeat, signal: AbortSignal) => Promise<void>
}

/** @param open how many alerts of the service were open before the look */
export type Heartbeat = { readonly at: number; readonly open: number }

/** Something that is wrong with the service now. */
export type Found = {
  readonly kind: AlertKind
  readonly subject: string
  /** The subject as people know it. */
  readonly name: string
  /** Since when, if that is known; otherwise it counts from the first look that found it. */
  readonly since?: number
  readonly cause: string
  readonly cure?: string
  readonly code?: string
}

/** One part of the look at the service. `look` rejects when nobody can tell; then everything stays as it was. */
export type Sense = {
  readonly kinds: readonly AlertKind[]
  /** `stopped`: subjects that are no longer there, on purpose or for good. */
  look(): Promise<{ readonly found: readonly Found[]; readonly stopped?: readonly string[] }>
}
