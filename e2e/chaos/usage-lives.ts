/**
 * What visitors sent and got during the life of one relay process, and what the store says about it afterwards. A
 * relay's boot is a ULID of the time of its start, which tells whose a row is.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { z } from 'zod'

export type Bytes = { in: number; out: number }

export type Life = {
  readonly fromMs: number
  toMs: number
  /** Bytes that came back whole: they were carried for certain. */
  readonly done: Bytes
  /** Bytes that visitors wrote. With an echo behind the tunnel no more can have been carried, either way. */
  readonly sent: Bytes
  end: 'killed' | 'flushed' | 'ended'
  /** Bytes in the journal on disk when it was over. */
  onDisk: Bytes
}

export function newLife(fromMs: number): Life {
  const zero = () => ({ in: 0, out: 0 })
  return { fromMs, toMs: Number.POSITIVE_INFINITY, done: zero(), sent: zero(), end: 'killed', onDisk: zero() }
}

const rowSchema = z.object({ boot: z.string(), in: z.int(), out: z.int() })
const journalSchema = z.object({ rows: z.array(rowSchema) })
export type Row = z.infer<typeof rowSchema>

/** The relay's journal, as the last complete write left it. */
export function readJournal(folder: string): readonly Row[] {
  const file = join(folder, 'relay', 'usage.json')
  return existsSync(file) ? journalSchema.parse(JSON.parse(readFileSync(file, 'utf8'))).rows : []
}

/** Every row that the control plane has stored, read as in an operator's shell. */
export function readStored(folder: string): readonly Row[] {
  const database = new DatabaseSync(join(folder, 'store.db'), { readOnly: true })
  try {
    const found = database.prepare("SELECT id, body FROM documents WHERE collection = 'usageHours'").all()
    return found.map(({ id, body }) =>
      rowSchema.parse({ ...JSON.parse(String(body)), boot: String(id).split(':')[2] }),
    )
  } finally {
    database.close()
  }
}

export function sumOf(rows: readonly Bytes[]): Bytes {
  return rows.reduce((sum, row) => ({ in: sum.in + row.in, out: sum.out + row.out }), { in: 0, out: 0 })
}

export function rowsOf(rows: readonly Row[], { fromMs, toMs }: Life): readonly Row[] {
  return rows.filter(({ boot }) => {
    const bornMs = timeOf(boot)
    return bornMs > fromMs && bornMs <= toMs
  })
}

/** The first ten characters of a ULID are its ms in Crockford's base 32. */
function timeOf(ulid: string): number {
  const digits = '0123456789abcdefghjkmnpqrstvwxyz'
  return [...ulid.slice(0, 10)].reduce((sum, digit) => sum * 32 + digits.indexOf(digit), 0)
}
