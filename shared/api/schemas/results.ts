/** How relays report what visitors met and how soon answers began: the shapes of packed series, and their checks. */
import { z } from 'zod'
import { timeBuckets } from '../../base/latency.ts'
import { unpackCounts } from '../../base/packed-counts.ts'

/** An hour of minutes: how many answers began how soon, by the buckets of latency.ts. */
export const timesShape = { width: timeBuckets, rows: 60 } as const
/** An hour of minutes: one figure each. */
export const singleShape = { width: 1, rows: 60 } as const
/** The codes of one row: the first that came have a place, and `other` has the rest. */
export const codesMax = 16
export const otherCode = 'other'
const codeSchema = z.string().regex(/^(PT-\d{4}|[4-9]\d\d|other)$/)
/** 60 numbers of at most 8 bytes are 640 characters. */
export const packedSingle = z
  .string()
  .max(650)
  .refine((text) => unpackCounts(text, singleShape) !== undefined)
/** 60 rows of 32 numbers of at most 5 bytes; some hundred characters in a quiet hour. */
export const packedTimes = z
  .string()
  .max(13_000)
  .refine((text) => unpackCounts(text, timesShape) !== undefined)

export const packedCodes = z
  .record(codeSchema, packedSingle)
  .refine((codes) => Object.keys(codes).length <= codesMax + 1)
