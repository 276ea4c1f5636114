/** Shows the line of a file that a message is about, with a mark below the place. */
import { widthOf } from './output/columns.ts'

/** A line of a file that somebody minified is longer than any window. */
const lettersMax = 100
/** Keys of ptun.yaml whose values are secrets: a message may stand in a journal that others read. */
const secretKey = /^(?:-\s+)?["']?(?:auth|secret|password|key|token|authtoken)["']?\s*:/i

type Place = { readonly line: number; readonly column: number }

/**
 * @param place counted from 1
 * @returns two lines that begin with four spaces, so that a view with one line a message can leave them out
 */
export function excerptOf(text: string, { line, column }: Place): readonly string[] {
  const lines = text.split(/\r?\n/)
  const whole = isSecret(lines, line - 1) ? masked(lines[line - 1] ?? '') : (lines[line - 1] ?? '')
  const from = Math.max(0, column - 1 - lettersMax / 2)
  const shown = whole.slice(from, from + lettersMax).replaceAll('\t', ' ')
  const number = `    ${line} | `
  return [
    `${number}${shown}`.trimEnd(),
    `${' '.repeat(number.length - 2)}| ${' '.repeat(widthOf(shown.slice(0, column - 1 - from)))}^`,
  ]
}

/** A detail as one line: without excerpts. */
export function withoutExcerpts(detail: string): string {
  return detail
    .split('\n')
    .filter((line) => !line.startsWith('    '))
    .join('\n')
}

/** Its key says so, or that of the list that it belongs to. */
function isSecret(lines: readonly string[], at: number): boolean {
  const indentOf = (line: string) => line.length - line.trimStart().length
  const line = lines[at] ?? ''
  if (secretKey.test(line.trimStart()) || /[{,]\s*["']?(?:auth|secret)["']?\s*:/i.test(line)) return true
  const above = lines
    .slice(0, at)
    .findLast(
      (one) => one.trim() !== '' && !one.trimStart().startsWith('-') && indentOf(one) <= indentOf(line),
    )
  return line.trimStart().startsWith('-') && secretKey.test(above?.trimStart() ?? '')
}

/** Keeps what is between the words, so that a quote or a bracket at fault still shows. */
function masked(line: string): string {
  const [head = ''] = /^\s*(?:-\s+)?["']?[\w-]*["']?\s*:?/.exec(line) ?? []
  const isEntry = /^\s*-/.test(line)
  const kept = isEntry && !head.endsWith(':') ? (/^\s*-\s*/.exec(line)?.[0] ?? '') : head
  return kept + line.slice(kept.length).replace(/[^\s"'[\]{}:,]/g, '*')
}
