/** Checks an export of an audit log without the service: `ptunctl audit check`, or an auditor with this file. */
import { z } from 'zod'
import { verifyProof } from './seals.ts'

/** A line is an entry with its proof. `noted` are hashes of seals from an outside log. */
export type ExportReport = {
  readonly entries: number
  /** Entries that are as they were sealed. */
  readonly intact: number
  /** Entries without a proof: not sealed when they were exported. */
  readonly unsealed: number
  /** Seals that the entries are in. */
  readonly seals: number
  /** How many of those seals an outside log has with the same hash. */
  readonly noted: number
  readonly problems: readonly string[]
}

/** Far more than a person reads. */
const problemsMax = 100

const sealSchema = z.object({
  number: z.int(),
  prev: z.string(),
  root: z.string(),
  count: z.int(),
  at: z.int(),
})
const lineSchema = z.union([
  z.object({
    id: z.string(),
    entry: z.object({ salt: z.string(), body: z.string() }),
    path: z.array(z.object({ side: z.enum(['left', 'right']), hash: z.string() })).max(16),
    seal: sealSchema,
    hash: z.string(),
  }),
  z.strictObject({ id: z.string(), entry: z.object({ salt: z.string(), body: z.string() }) }),
  z.strictObject({ account: z.string(), from: z.number(), to: z.number(), entries: z.int() }),
])
type Line = z.infer<typeof lineSchema>
type Proved = Extract<Line, { readonly path: unknown }>

export async function checkExport(
  lines: AsyncIterable<string> | Iterable<string>,
  noted: ReadonlyMap<number, string>,
): Promise<ExportReport> {
  const check = new Check(noted)
  for await (const text of lines) if (text !== '' && !check.isFull) check.add(text)
  return check.end()
}

class Check {
  readonly #noted: ReadonlyMap<number, string>
  readonly #problems: string[] = []
  readonly #ids = new Set<string>()
  /** The hash of each seal, and the hash before it. */
  readonly #seals = new Map<number, { readonly hash: string; readonly prev: string }>()
  #line = 0
  #intact = 0
  #unsealed = 0
  #end: Extract<Line, { readonly account: string }> | undefined

  constructor(noted: ReadonlyMap<number, string>) {
    this.#noted = noted
  }

  get isFull(): boolean {
    return this.#problems.length >= problemsMax
  }

  add(text: string): void {
    this.#line++
    const line = parse(text)
    const problem = line ? this.#take(line) : 'it is not a line of an export'
    if (problem !== undefined) this.#problems.push(`line ${this.#line}: ${problem}`)
  }

  end(): ExportReport {
    if (!this.#end) this.#problems.push('the end is missing: the file was cut')
    else if (this.#end.entries !== this.#ids.size)
      this.#problems.push(`the end tells of ${this.#end.entries} entries, but there are ${this.#ids.size}`)
    let noted = 0
    for (const [number, { hash, prev }] of this.#seals) {
      const before = this.#seals.get(number - 1)
      if (before && before.hash !== prev)
        this.#problems.push(`seal ${number} does not follow the one before it`)
      const outside = this.#noted.get(number)
      if (outside === hash) noted++
      else if (outside !== undefined)
        this.#problems.push(`seal ${number} is not the one whose hash was noted`)
    }
    const counts = { entries: this.#ids.size, intact: this.#intact, unsealed: this.#unsealed }
    return { ...counts, seals: this.#seals.size, noted, problems: this.#problems }
  }

  /** @returns what is wrong with it */
  #take(line: Line): string | undefined {
    if (this.#end) return 'it comes after the end'
    if ('account' in line) {
      this.#end = line
      return undefined
    }
    if (this.#ids.has(line.id)) return `${line.id} is there a second time`
    this.#ids.add(line.id)
    if ('path' in line) return this.#prove(line)
    this.#unsealed++
    return undefined
  }

  #prove(line: Proved): string | undefined {
    const problem = verifyProof(line)
    if (problem !== undefined) return `${line.id}: ${problem}`
    const { number, prev } = line.seal
    const known = this.#seals.get(number)
    if (known && known.hash !== line.hash) return `${line.id}: seal ${number} differs from the one before`
    this.#seals.set(number, { hash: line.hash, prev })
    this.#intact++
    return undefined
  }
}

function parse(text: string): Line | undefined {
  try {
    return lineSchema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}
