/** A tunnel as several lines, with its cure, and as one line among many. Pure. */
import { stateWord } from '@porttunneler/shared/api/schemas/tunnel-words'
import { formatBytes, formatRate } from '@porttunneler/shared/base/amounts'
import { withoutExcerpts } from '../../config-excerpt.ts'
import { cut, fill, widthOf, wrap } from '../columns.ts'
import { formatDuration, type Paint, printable } from '../format.ts'
import { stateColours } from '../states.ts'
import type { Figures } from './figures.ts'
import type { Row } from './rows.ts'
import type { ScreenSize } from './screen.ts'
import type { Signs } from './signs.ts'

export type Look = { readonly size: ScreenSize; readonly paint: Paint; readonly signs: Signs }

export type Shown = {
  readonly row: Row
  readonly figures: Figures
  /** In front of its first line: whether the keys are for it. */
  readonly mark: string
}

/** Texts from relays and systems must not move the cursor. */
export function oneLine(text: string): string {
  return withoutExcerpts(printable(text)).replaceAll('\n', ' ')
}

/** @param linesMax of what happened, and of the cure */
export function blockOf({ row, figures, mark }: Shown, look: Look, linesMax: number): readonly string[] {
  const { paint, size } = look
  const indent = ' '.repeat(widthOf(mark) + 2)
  const wrapping = { columns: size.columns, indent, linesMax }
  return [
    ...addressLines({ row, mark }, look),
    ...segmentLines(segmentsOf(row, figures, look), { ...look, indent }),
    ...(row.settings ? [cut(indent + paint('dim', oneLine(row.settings.join(', '))), size.columns)] : []),
    ...row.troubles.flatMap(({ ports, problem: { code, detail, cure, suggestions } }) => [
      ...wrap(`${code} ${ports === undefined ? '' : `${ports}: `}${oneLine(detail)}`, wrapping).map((line) =>
        line.replace(code, paint('red', code)),
      ),
      ...wrap(cure, wrapping).map((line) => paint('dim', line)),
      ...(suggestions ? wrap(`Free: ${oneLine(suggestions.join(', '))}`, wrapping) : []),
    ]),
  ]
}

/** The address is never cut, so that it can be copied; it takes more lines where one is too short. */
function addressLines(
  { row, mark }: Pick<Shown, 'row' | 'mark'>,
  { paint, signs, size }: Look,
): readonly string[] {
  const { state, url, upstream, name, kind } = row
  const lead = mark + paint(stateColours[state], signs.states[state])
  const label = paint('dim', name)
  const way = `${paint('dim', signs.to)} ${oneLine(upstream)}`
  const address =
    url === undefined ? `${kind} ${paint('dim', 'without an address yet')}` : underlined(url, paint)
  const whole = `${lead} ${address} ${way}  ${label}`
  if (widthOf(whole) <= size.columns) return [whole]
  const indent = ' '.repeat(widthOf(mark) + 2)
  const first = url === undefined ? [address] : wrap(oneLine(url), { columns: size.columns - indent.length })
  return [
    ...first.map(
      (part, at) => `${at === 0 ? `${lead} ` : indent}${url === undefined ? part : underlined(part, paint)}`,
    ),
    `${indent}${way}  ${label}`,
  ].map((line) => cut(line, size.columns, signs.more))
}

function underlined(url: string, paint: Paint): string {
  return paint(['bold', 'underline'], oneLine(url))
}

function segmentsOf(row: Row, { inRate, outRate, times }: Figures, { paint }: Look): readonly string[] {
  const { state, summary, active, total, bytesIn, bytesOut } = row
  const isMoving = inRate + outRate >= 1
  return [
    paint(stateColours[state], summary ?? stateWord(state)),
    `${active} open`,
    `${total} in all`,
    `in ${formatBytes(bytesIn)}`,
    `out ${formatBytes(bytesOut)}`,
    ...(isMoving ? [`now in ${formatRate(inRate)}, out ${formatRate(outRate)}`] : []),
    ...(times ? [timesText(times)] : []),
  ]
}

function timesText({ what, p50, p99 }: NonNullable<Figures['times']>): string {
  return `${what} p50 ${formatDuration(p50)}, p99 ${formatDuration(p99)}`
}

/** As many in a line as fit. */
function segmentLines(
  segments: readonly string[],
  { size, signs, paint, indent }: Look & { readonly indent: string },
): readonly string[] {
  const between = paint('dim', ` ${signs.between} `)
  const lines: string[] = []
  for (const segment of segments) {
    const last = lines.at(-1)
    const longer = last === undefined ? indent + segment : last + between + segment
    if (last === undefined) lines.push(longer)
    else if (widthOf(longer) <= size.columns) lines[lines.length - 1] = longer
    else lines.push(indent + segment)
  }
  return lines.map((line) => cut(line, size.columns, signs.more))
}

/** One line each, in columns; what does not fit is left out from the right: the address, then the figures. */
export function listOf(shown: readonly Shown[], look: Look): readonly string[] {
  const { paint, signs, size } = look
  const cells = shown.map(({ row, figures }) => ({
    name: row.name,
    state: stateText(row),
    figures: `${row.active} open  ${formatRate(figures.inRate + figures.outRate)}`,
  }))
  const widest = (field: 'name' | 'state' | 'figures') =>
    Math.max(0, ...cells.map((cell) => widthOf(cell[field])))
  const nameWidth = Math.min(widest('name'), Math.max(8, Math.floor(size.columns * 0.3)))
  const stateWidth = widest('state')
  const markWidth = widthOf(shown[0]?.mark ?? '')
  const left = size.columns - markWidth - 2 - nameWidth - 2 - stateWidth - 2
  const figuresWidth = widest('figures')
  const hasFigures = left >= figuresWidth
  const urlWidth = left - (hasFigures ? figuresWidth + 2 : 0)
  return shown.map(({ row, mark }, at) => {
    const cell = cells[at]
    if (!cell) return ''
    const colour = stateColours[row.state]
    const line = [
      `${mark}${paint(colour, signs.states[row.state])} ${fill(cell.name, nameWidth)}`,
      paint(colour, fill(cell.state, stateWidth)),
      ...(hasFigures ? [paint('dim', cell.figures.padStart(figuresWidth))] : []),
      ...(urlWidth >= 16 ? [cut(oneLine(row.url ?? ''), urlWidth, signs.more)] : []),
    ].join('  ')
    return cut(line, size.columns, signs.more)
  })
}

function stateText({ state, summary, troubles: [first] }: Row): string {
  return summary ?? `${stateWord(state)}${first ? ` ${first.problem.code}` : ''}`
}
