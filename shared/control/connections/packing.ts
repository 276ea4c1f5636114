/** Rows of ended connections as text: JSON, deflated. 400 rows have some 6 KB. */
import { z } from 'zod'
import { connectionsPerBatch, type EndedRow, endedRowSchema } from '../../api/schemas/connections.ts'
import { deflated, inflated } from '../../base/deflated.ts'

const rowsSchema = z.array(endedRowSchema).max(connectionsPerBatch)
/** 400 rows of the longest numbers and addresses. */
const textMax = 100_000

export function packRows(rows: readonly EndedRow[]): string {
  return deflated(JSON.stringify(rows))
}

/** @returns none for a text that `packRows` does not write: one damaged document must not hide the others */
export function unpackRows(packed: string): readonly EndedRow[] {
  try {
    return rowsSchema.parse(JSON.parse(inflated(packed, textMax)))
  } catch {
    return []
  }
}
