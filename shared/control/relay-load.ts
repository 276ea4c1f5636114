/** How busy a relay says it is, as it is stored: what api/schemas/relays.ts explains, less what it left out. */
import type { SyncRequest } from '../api/schemas/relays.ts'

export type LoadDoc = {
  readonly sessions: number
  readonly streams: number
  readonly cpu: number
  readonly rssBytes: number
  /** Older relays omit these. */
  readonly memoryBytes?: number
  readonly loopMs?: number
  readonly descriptors?: number
  readonly descriptorsMax?: number
  readonly bytesPerSecond?: number
}

/** Figures that the relay did not send, or that nobody can read, are no fields of the document. */
export function loadOf({ sessions, streams, cpu, rssBytes, ...further }: SyncRequest['load']): LoadDoc {
  const known = Object.entries(further).filter(([, figure]) => figure !== undefined)
  return { sessions, streams, cpu, rssBytes, ...Object.fromEntries(known) }
}
