/** The lower part of the live view: the last requests, and what happened last. Pure. */
import { cut, fill, widthOf, wrap } from '../columns.ts'
import { formatDuration, formatTime } from '../format.ts'
import { type Look, oneLine } from './blocks.ts'

/** What the inspector knows of a request; it may still be under way. */
export type TailedRequest = {
  readonly tunnel: string
  /** Wall ms. */
  readonly at: number
  readonly method: string
  readonly target: string
  readonly status?: number
  readonly ms?: number
  /** The code of what ended it before its time. */
  readonly failure?: string
}

/** The newest last, in columns. @param rows at most so many */
export function requestLines(
  requests: readonly TailedRequest[],
  { hasNames, rows }: { readonly hasNames: boolean; readonly rows: number },
  { paint, size, signs }: Look,
): readonly string[] {
  const shown = requests.slice(0, rows).toReversed()
  const nameWidth = hasNames ? Math.min(16, Math.max(0, ...shown.map(({ tunnel }) => widthOf(tunnel)))) : 0
  const results = shown.map(({ status, failure }) =>
    status === undefined ? (failure ?? '') : String(status),
  )
  const [methodWidth, resultWidth] = [widest(shown.map(({ method }) => method)), widest(results)]
  const hasTime = size.columns >= 60
  return shown.map(({ at, status, failure, method, target, ms, tunnel }, n) => {
    const line = [
      ...(hasTime ? [paint('dim', formatTime(at))] : []),
      paint(colourOf(status, failure), fill(results[n] ?? '', resultWidth)),
      fill(oneLine(method), methodWidth),
      (ms === undefined ? '' : formatDuration(ms)).padStart(6),
      ...(hasNames ? [paint('dim', fill(tunnel, nameWidth))] : []),
      oneLine(target),
    ].join('  ')
    return cut(line, size.columns, signs.more)
  })
}

/** No wider than a code: methods may have any length. */
function widest(texts: readonly string[]): number {
  return Math.min(7, Math.max(0, ...texts.map(widthOf)))
}

function colourOf(
  status: number | undefined,
  failure: string | undefined,
): 'red' | 'yellow' | 'green' | 'dim' {
  if (failure !== undefined || (status !== undefined && status >= 500)) return 'red'
  if (status === undefined) return 'dim'
  return status >= 400 ? 'yellow' : 'green'
}

/** The newest at the bottom, each on as many lines as it needs while there is room for all of it. */
export function noteLines(notes: readonly string[], rows: number, { paint, size }: Look): readonly string[] {
  let lines: readonly string[] = []
  for (const note of notes.toReversed()) {
    const left = rows - lines.length
    if (left <= 0) break
    const whole = note.split('\n').flatMap((line) => wrapNote(line, size.columns))
    // The newest may be cut; an older one that does not fit is left out.
    if (whole.length > left && lines.length > 0) break
    const kept =
      whole.length <= left
        ? whole
        : [...whole.slice(0, left - 1), cutText(whole.slice(left - 1), size.columns)]
    lines = [...kept.map((line) => paint('dim', line)), ...lines]
  }
  return lines
}

function cutText(lines: readonly string[], columns: number): string {
  return cut(lines.map((line, at) => (at === 0 ? line : line.trim())).join(' '), columns)
}

/** A line that fits stays as it is: tables of DNS records have columns. Below a time stands no text. */
function wrapNote(line: string, columns: number): readonly string[] {
  if (widthOf(line) <= columns) return [line]
  const [time = ''] = /^\d\d:\d\d:\d\d {2}/.exec(line) ?? []
  const [first = '', ...more] = wrap(line.slice(time.length), { columns, indent: ' '.repeat(time.length) })
  return [time + first.slice(time.length), ...more]
}
