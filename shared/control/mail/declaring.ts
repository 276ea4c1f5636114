/** How a mail is declared (templates.ts has the table), and how names of strangers come into it. */
import type { z } from 'zod'
import { asName, type Content } from './layout.ts'
import type { Purpose } from './templates.ts'

export type Template<D> = {
  readonly purpose: Purpose
  readonly schema: z.ZodType<D>
  readonly write: (data: D) => Content
}

export function declare<D>(purpose: Purpose, schema: z.ZodType<D>, write: (data: D) => Content): Template<D> {
  return { purpose, schema, write }
}

/** A name that a stranger may have chosen. */
export function quoted(name: string): string {
  return `"${asName(name)}"`
}
