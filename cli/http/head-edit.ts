/**
 * A request or answer head that stages may change. What nobody changes stays byte for byte and in its place; a field
 * that is added stands last. Names are compared with case and `_` folded, because CGI and WSGI make `X_User` and
 * `X-User` one variable: whoever removes one means both.
 */
import { Buffer } from 'node:buffer'
import { type FieldLine, lineFeed, readField } from '@porttunneler/shared/http/fields'

/** `value` replaces the one in the bytes; null: the line is gone. */
type Line = {
  readonly start: number
  readonly valueStart: number
  readonly valueEnd: number
  readonly next: number
  readonly name: string
  value: string | null | undefined
}

export class HeadEdit {
  readonly #bytes: Buffer
  readonly #lines: readonly Line[]
  #added: { readonly name: string; readonly folded: string; readonly value: string }[] = []
  #startLine: string | undefined
  #isChanged = false

  /** @param bytes a whole head that a parser has accepted, with the empty line at its end */
  constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.#lines = linesOf(bytes)
  }

  /** The request line or status line, without its line end. */
  get startLine(): string {
    return this.#startLine ?? this.#bytes.toString('latin1', 0, this.#bytes.indexOf(lineFeed) - 1)
  }

  set startLine(text: string) {
    this.#startLine = text
    this.#isChanged = true
  }

  /** The values that fields of this name came with or got since; not those of added fields. */
  values(name: string): readonly string[] {
    return this.#named(name).map((line) => line.value ?? this.#cameWith(line))
  }

  /** Replaces each value of the fields of this name where it stands; undefined removes its line. */
  replace(name: string, change: (value: string) => string | undefined): void {
    for (const line of this.#named(name)) {
      const before = line.value ?? this.#cameWith(line)
      const after = change(before)
      if (after === before) continue
      line.value = after ?? null
      this.#isChanged = true
    }
  }

  /** Also what was added before. */
  remove(name: string): void {
    this.replace(name, () => undefined)
    this.#added = this.#added.filter(({ folded }) => folded !== foldName(name))
  }

  /** The caller has checked that name and value can be a field line. */
  add(name: string, value: string): void {
    this.#added.push({ name, folded: foldName(name), value })
    this.#isChanged = true
  }

  /** The head to send on; the very bytes if nothing was changed. */
  toBuffer(): Buffer {
    const bytes = this.#bytes
    if (!this.#isChanged) return bytes
    const parts: Buffer[] = []
    let kept = 0
    const replace = (start: number, end: number, text: string) => {
      parts.push(bytes.subarray(kept, start), Buffer.from(text, 'latin1'))
      kept = end
    }
    if (this.#startLine !== undefined) replace(0, bytes.indexOf(lineFeed) - 1, this.#startLine)
    for (const { start, valueStart, valueEnd, next, value } of this.#lines)
      if (value === null) replace(start, next, '')
      else if (value !== undefined) replace(valueStart, valueEnd, value)
    const added = this.#added.map(({ name, value }) => `${name}: ${value}\r\n`).join('')
    replace(bytes.length - 2, bytes.length - 2, added)
    parts.push(bytes.subarray(kept))
    return Buffer.concat(parts)
  }

  #named(name: string): readonly Line[] {
    const wanted = foldName(name)
    return this.#lines.filter((line) => line.value !== null && line.name === wanted)
  }

  #cameWith({ valueStart, valueEnd }: Line): string {
    return this.#bytes.toString('latin1', valueStart, valueEnd)
  }
}

/** How names are compared. */
function foldName(name: string): string {
  return name.toLowerCase().replaceAll('_', '-')
}

function linesOf(bytes: Buffer): readonly Line[] {
  const lines: Line[] = []
  const line: FieldLine = { nameEnd: 0, valueStart: 0, valueEnd: 0, next: bytes.indexOf(lineFeed) + 1 }
  const end = bytes.length - 2
  while (line.next < end) {
    const start = line.next
    // A parser has read this head with the same function.
    if (readField(bytes, start, line) !== undefined) throw new Error('a head that was accepted is malformed')
    const { nameEnd, valueStart, valueEnd, next } = line
    const name = foldName(bytes.toString('latin1', start, nameEnd))
    lines.push({ start, valueStart, valueEnd, next, name, value: undefined })
  }
  return lines
}
