/** How numbers, times, tables and failures look to people. Pure. */
import { stripVTControlCharacters, styleText } from 'node:util'
import type { Problem } from '../agent/events.ts'
import { widthOf } from './columns.ts'

export type Style = Parameters<typeof styleText>[0]
/** Colours a text, or leaves it when colours are off. */
export type Paint = (style: Style, text: string) => string

/** https://no-color.org: any non-empty value of NO_COLOR turns colours off; so does an output that is no terminal. */
export function paintFor(isTerminal: boolean, env: Readonly<Record<string, string | undefined>>): Paint {
  const isPlain = !isTerminal || Boolean(env.NO_COLOR) || env.TERM === 'dumb'
  return isPlain ? (_style, text) => text : (style, text) => styleText(style, text, { validateStream: false })
}

/** `850 ms`, `12 s`, `3 min`, `2 h`, `4 d`: one unit, rounded. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 99_500) return `${Math.round(ms / 1_000)} s`
  if (ms < 99.5 * 60_000) return `${Math.round(ms / 60_000)} min`
  if (ms < 47.5 * 3_600_000) return `${Math.round(ms / 3_600_000)} h`
  return `${Math.round(ms / 86_400_000)} d`
}

/** Local time of day, `14:03:59`. */
export function formatTime(ms: number): string {
  return new Date(ms).toTimeString().slice(0, 8)
}

/** Local day and minute, `2026-11-23 14:03`. */
export function formatDate(ms: number): string {
  const date = new Date(ms)
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`
}

/** Columns as wide as their widest cell, two spaces apart. Cells may be coloured. */
export function formatTable(rows: readonly (readonly string[])[]): readonly string[] {
  const widths: number[] = []
  for (const row of rows)
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, widthOf(cell))
    })
  return rows.map((row) =>
    row
      .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - widthOf(cell)))
      .join('  ')
      .trimEnd(),
  )
}

/**
 * Text from outside (a host's error, a relay's notice) made safe for a terminal: no control characters, so nobody
 * moves the cursor or changes the clipboard of who reads it.
 */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replace(/\p{Cc}/gu, (control) => (control === '\n' ? '\n' : ' '))
}

/**
 * The last look at a line before a terminal shows it: of all control sequences only our own colours pass. What a server
 * says is clean by then (http-fetch.ts); this keeps a place that was forgotten from being a hole.
 */
export function withColoursOnly(line: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  return line.replace(/\x1b\[[0-9;]{0,16}m|[^\P{Cc}\n\t]/gu, (found) => (found.length > 1 ? found : ' '))
}

/** Code and what happened on the first line, the cure below. */
export function formatProblem(problem: Problem, paint: Paint): readonly string[] {
  const [first = problem.title, ...more] = printable(problem.detail).split('\n')
  return [
    `${paint('red', problem.code)} ${paint('bold', problem.title)}`,
    ...[first, ...more].map((line) => `  ${line}`),
    `  ${paint('dim', problem.cure)}`,
    ...(problem.suggestions ? [`  Free: ${printable(problem.suggestions.join(', '))}`] : []),
    ...(problem.example === undefined ? [] : [`  For example: ${printable(problem.example)}`]),
  ]
}
