/** Terminal columns: how many a text takes, and how a line is cut or wrapped to fit. Colours stay whole. Pure. */
import { stripVTControlCharacters } from 'node:util'

/** Marks that stand on the letter before them, and signs that take no room. */
const zeroWide = /^[\p{Mn}\p{Me}\p{Cf}]$/u
/** East Asian Width "W" and "F" (Unicode Standard Annex 11), in blocks. */
const eastAsian =
  '\\u1100-\\u115f\\u2e80-\\u303e\\u3041-\\ua4cf\\ua960-\\ua97c\\uac00-\\ud7a3\\uf900-\\ufaff\\ufe30-\\ufe6f' +
  '\\uff01-\\uff60\\uffe0-\\uffe6\\u{20000}-\\u{3fffd}'
/** Those, and pictures that terminals draw as wide. */
const doubleWide = new RegExp(`^(?:[${eastAsian}]|\\p{Emoji_Presentation})$`, 'u')

function widthOfLetter(letter: string): number {
  if (letter < '\u0300') return 1
  if (zeroWide.test(letter)) return 0
  return doubleWide.test(letter) ? 2 : 1
}

/** Colours and other control sequences take no columns. */
export function widthOf(text: string): number {
  let width = 0
  for (const letter of stripVTControlCharacters(text)) width += widthOfLetter(letter)
  return width
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: colour sequences begin with ESC.
const parts = /\u001b\[[0-9;]*m|./gsu

/** The beginning of a line that does not fit, with `…` at its end; colours that follow the cut still end. */
export function cut(line: string, columns: number, ellipsis = '…'): string {
  if (widthOf(line) <= columns) return line
  let left = columns - widthOf(ellipsis)
  let kept = ''
  for (const [part] of line.matchAll(parts)) {
    if (part.startsWith('\u001b')) kept += part
    else {
      left -= widthOfLetter(part)
      if (left >= 0) kept += part
      // A wide letter that did not fit leaves no room for a narrow one behind it.
      else left = -1
    }
  }
  return `${kept}${ellipsis}`
}

export type Wrapping = {
  readonly columns: number
  /** Stands in front of each line. */
  readonly indent?: string
  /** What does not fit into so many lines is cut. */
  readonly linesMax?: number
}

/** Words on as many lines as they need; one that is longer than a line is broken. Takes text without colours. */
export function wrap(
  text: string,
  { columns, indent = '', linesMax = Number.POSITIVE_INFINITY }: Wrapping,
): readonly string[] {
  const room = Math.max(1, columns - widthOf(indent))
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const next = line === '' ? word : `${line} ${word}`
    if (widthOf(next) <= room) {
      line = next
      continue
    }
    if (line !== '') lines.push(line)
    const pieces = piecesOf(word, room)
    lines.push(...pieces.slice(0, -1))
    line = pieces.at(-1) ?? ''
  }
  if (line !== '') lines.push(line)
  if (lines.length <= linesMax) return lines.map((one) => indent + one)
  const last = lines.slice(linesMax - 1).join(' ')
  return [...lines.slice(0, linesMax - 1), cut(last, room)].map((one) => indent + one)
}

function piecesOf(word: string, room: number): readonly string[] {
  const pieces: string[] = []
  let piece = ''
  let width = 0
  for (const letter of word) {
    const more = widthOfLetter(letter)
    if (width + more > room && piece !== '') {
      pieces.push(piece)
      piece = ''
      width = 0
    }
    piece += letter
    width += more
  }
  return [...pieces, piece]
}

/** A line of exactly so many columns. */
export function fill(text: string, columns: number): string {
  const short = cut(text, columns)
  return short + ' '.repeat(Math.max(0, columns - widthOf(short)))
}
