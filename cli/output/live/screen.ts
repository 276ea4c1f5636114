/**
 * The screen of the live view: the terminal's second one, so that a window of another size leaves no remains, and what
 * stood above comes back at the end (docs/decisions/0100). Each painting is one write of the rows that have changed.
 */
import { widthOf } from '../columns.ts'

/** The part of a terminal that the screen needs. */
export type Terminal = {
  readonly columns: number
  readonly rows: number
  write(text: string): unknown
}

export type ScreenSize = { readonly columns: number; readonly rows: number }

/** Second screen, no cursor, and pasted text is marked so that it is not taken for keys. */
const enter = '\u001b[?1049h\u001b[?25l\u001b[?2004h'
const leave = '\u001b[?2004l\u001b[?25h\u001b[?1049l'
/** Terminals that know it paint all at once; the others skip it. */
const beginUpdate = '\u001b[?2026h'
const endUpdate = '\u001b[?2026l'

export class LiveScreen {
  readonly #terminal: Terminal
  #shown: readonly string[] = []
  #size: ScreenSize = { columns: 0, rows: 0 }
  #isOpen = false

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  get size(): ScreenSize {
    const { columns, rows } = this.#terminal
    return { columns: Math.max(1, columns || 80), rows: Math.max(1, rows || 24) }
  }

  /** Something else may have written there, or nothing is there any more: the next painting is a whole one. */
  forget(): void {
    this.#size = { columns: 0, rows: 0 }
  }

  /** @param lines as many as there are rows at most, each no wider than the screen */
  paint(lines: readonly string[]): void {
    const { columns, rows } = this.size
    const isWhole = !this.#isOpen || columns !== this.#size.columns || rows !== this.#size.rows
    const text = Array.from({ length: rows }, (_, at) => lines[at] ?? '')
      .map((line, at) => (isWhole || line !== (this.#shown[at] ?? '') ? rowText(line, at, columns) : ''))
      .join('')
    const start = this.#isOpen ? '' : enter
    this.#isOpen = true
    this.#shown = lines
    this.#size = { columns, rows }
    if (text === '' && !isWhole) return
    this.#terminal.write(`${start}${beginUpdate}${isWhole ? '\u001b[2J' : ''}${text}${endUpdate}`)
  }

  /** Gives the terminal back as it was. */
  close(): void {
    if (this.#isOpen) this.#terminal.write(leave)
    this.#isOpen = false
    this.#shown = []
  }
}

/** Behind a full line the cursor stands on its last letter, which clearing would take. */
function rowText(line: string, at: number, columns: number): string {
  return `\u001b[${at + 1};1H${line}${widthOf(line) < columns ? '\u001b[K' : ''}`
}
