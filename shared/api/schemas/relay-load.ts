/** How busy a relay says it is, with each `sync`. */
import { z } from 'zod'

/** Shown to operators alone, so an unreadable value is left out and does not fail the report. */
const figure = z
  .number()
  .min(0)
  .or(z.unknown().transform(() => undefined))
  .optional()
/** How busy the process is. Older relays send the first four. */
export const relayLoadSchema = z.object({
  sessions: z.int(),
  streams: z.int(),
  /** The share of one core since the report before. */
  cpu: z.number(),
  rssBytes: z.int(),
  /** The machine's memory, or the part that it may use. */
  memoryBytes: figure,
  /** 99th percentile of how late the process gets to what is due, since the report before. */
  loopMs: figure,
  /** Open files and sockets, and how many there may be. */
  descriptors: figure,
  descriptorsMax: figure,
  /** Carried since the report before, both ways. */
  bytesPerSecond: figure,
})
