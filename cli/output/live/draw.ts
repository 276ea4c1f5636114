/**
 * The live view as lines: what it shows depends on the rows that are there. Tunnels come with their cures while all
 * fit, else one line each, trouble first, with the chosen one below them. Pure.
 */
import { stateWord, tunnelStates } from '@porttunneler/shared/api/schemas/tunnel-words'
import type { AgentSnapshot } from '../../agent/events.ts'
import { cut, widthOf, wrap } from '../columns.ts'
import { formatDuration } from '../format.ts'
import { blockOf, type Look, listOf, oneLine, type Shown } from './blocks.ts'
import type { Controls } from './controls.ts'
import type { Figures } from './figures.ts'
import { filtered, type Row, rowsOf, troubleFirst } from './rows.ts'
import { noteLines, requestLines, type TailedRequest } from './tail.ts'

export type LiveView = {
  readonly snapshot: AgentSnapshot
  readonly version: string
  /** What was worth telling, oldest first. */
  readonly notes: readonly string[]
  readonly controls: Controls
  /** Somebody can press keys. */
  readonly hasKeys: boolean
  /** What the last key did. */
  readonly flash?: string | undefined
  readonly figures: (row: Row) => Figures
  /** The newest first; undefined without the inspector. */
  readonly requests?: readonly TailedRequest[] | undefined
  /** The QR code of a tunnel, if one was asked for. */
  readonly picture?: (row: Row) => readonly string[] | undefined
}

export type Drawn = {
  /** As many as the screen has rows, and no wider. */
  readonly lines: readonly string[]
  /** The rows in their order on the screen, and the one that keys are for. */
  readonly rows: readonly Row[]
  readonly chosen: Row | undefined
  /** Rows of a page. */
  readonly page: number
}

/** Below it every line counts: no blank ones, and no list of keys. */
const smallRows = 16

export function drawLive(view: LiveView, look: Look): Drawn {
  const { size } = look
  const all = rowsOf(view.snapshot)
  const found = filtered(all, view.controls.filter, stateWord)
  const head = headLines(view, { all, found }, look)
  const foot = footLines(view, found, look)
  const room = Math.max(1, size.rows - head.length - foot.length)
  const { lines: body, ...rest } = bodyOf(view, { found, room, left: leastTail(view, room) }, look)
  const tail = tailOf(view, { room: room - body.length, hasNames: all.length > 1, chosen: rest.chosen }, look)
  const gap = Math.max(0, room - body.length - tail.length)
  const lines = [...head, ...body, ...tail, ...Array<string>(gap).fill(''), ...foot].slice(0, size.rows)
  return { lines: lines.map((line) => cut(line, size.columns, look.signs.more)), ...rest }
}

// --- above and below ---

type Counted = { readonly all: readonly Row[]; readonly found: readonly Row[] }

function headLines(
  { snapshot, version, controls }: LiveView,
  { all, found }: Counted,
  look: Look,
): readonly string[] {
  const { paint, size } = look
  const count = controls.filter.trim() === '' ? countText(all) : `${found.length} of ${all.length} tunnels`
  return [
    `${paint('bold', 'ptun')} ${version}${count === '' ? '' : `  ${count}`}`,
    ...serverLines(snapshot, look),
    ...(size.rows < smallRows ? [] : ['']),
  ]
}

/** `50 tunnels: 1 Upstream failing, 49 Healthy`; nothing for a single one, which says it itself. */
function countText(rows: readonly Row[]): string {
  if (rows.length < 2) return ''
  const counts = tunnelStates.flatMap((state) => {
    const count = rows.filter((row) => row.state === state).length
    return count === 0 ? [] : [`${count} ${stateWord(state)}`]
  })
  return `${rows.length} tunnels: ${counts.join(', ')}`
}

function serverLines(
  { server, serverProblem, proxy, relays, state }: AgentSnapshot,
  { paint, size }: Look,
): readonly string[] {
  const linesMax = size.rows < smallRows ? 1 : 2
  const wrapping = { columns: size.columns, linesMax }
  const way = `server ${server}${proxy === undefined ? '' : ` through ${proxy}`}`
  const isNear = relays.filter((one) => one.state === 'connected')
  const near = isNear.map(({ instance, rttMs }) =>
    rttMs === undefined ? instance : `${instance} ${formatDuration(rttMs)}`,
  )
  const first = `${way}${near.length > 0 ? `, relay ${near.join(', ')}` : ''}`
  const trouble = (what: string, { code, detail, cure }: { code: string; detail: string; cure: string }) => [
    ...wrap(`${what} ${code} ${oneLine(detail)}`, wrapping).map((line) =>
      line.replace(code, paint('red', code)),
    ),
    ...(size.rows < smallRows
      ? []
      : wrap(cure, { ...wrapping, indent: '  ' }).map((line) => paint('dim', line))),
  ]
  if (state === 'stopped') return [paint('dim', way)]
  return [
    paint('dim', first),
    ...(serverProblem ? trouble('server', serverProblem) : []),
    ...relays.flatMap(({ instance, state: its, problem }) => {
      if (its === 'connected') return []
      return problem ? trouble(`relay ${instance}`, problem) : [paint('yellow', `relay ${instance} ${its}`)]
    }),
  ]
}

const help = [
  'up and down choose a tunnel',
  '/ filters by name, address, state or code; Esc shows all again',
  'o opens its address in the browser',
  'c copies it',
  'Ctrl-L draws everything anew',
  'q or Ctrl-C stops: open connections may finish',
  '? hides this',
] as const
const inspectorHelp = ['i opens the inspector', 'r sends the last request again'] as const

function footLines(view: LiveView, found: readonly Row[], { paint, size, signs }: Look): readonly string[] {
  const { snapshot, controls, hasKeys, flash, requests } = view
  const { filter, isTyping, isHelp } = controls
  if (snapshot.state === 'stopped') return []
  const columns = size.columns
  if (isTyping)
    return [`/${filter}_  ${paint('dim', `${found.length} found; Enter keeps it, Esc shows all`)}`]
  if (flash !== undefined) return [cut(paint('cyan', oneLine(flash)), columns, signs.more)]
  if (snapshot.state === 'draining')
    return [paint('yellow', 'Stopping: open connections may finish. Ctrl-C again stops at once.')]
  if (!hasKeys) return [paint('dim', 'Ctrl-C stops')]
  const items = requests ? [...help.slice(0, 4), ...inspectorHelp, ...help.slice(4)] : help
  if (isHelp) return items.flatMap((item) => wrap(item, { columns, linesMax: 2 }))
  const short = ['? help', '/ filter', 'o open', 'c copy', ...(requests ? ['i inspect'] : []), 'q stop']
  const line = short.join('   ')
  return [paint('dim', widthOf(line) <= columns ? line : '? help   q stop')]
}

// --- tunnels ---

type Body = Pick<Drawn, 'rows' | 'chosen' | 'page'> & { readonly lines: readonly string[] }

function bodyOf(
  view: LiveView,
  { found, room, left }: { readonly found: readonly Row[]; readonly room: number; readonly left: number },
  look: Look,
): Body {
  if (found.length === 0) return { lines: [nothingText(view)], rows: [], chosen: undefined, page: 1 }
  const blocks = asBlocks(view, { found, room: room - left, isLast: found.length === 1 }, look)
  return blocks ?? asList(view, { found, room: room - left }, look)
}

function nothingText({ controls, snapshot }: LiveView): string {
  return controls.filter !== '' && snapshot.tunnels.length > 0
    ? 'No tunnel has that in its name, address or state.'
    : 'There are no tunnels.'
}

type Space = { readonly found: readonly Row[]; readonly room: number }

/** @returns undefined if there is no room for a block of each */
function asBlocks(view: LiveView, { found, room, isLast }: Space & { readonly isLast: boolean }, look: Look) {
  const { controls, hasKeys } = view
  const chosen = found.find(({ name }) => name === controls.chosen) ?? found[0]
  const isMany = found.length > 1 && hasKeys
  const isSmall = look.size.rows < smallRows
  for (const linesMax of [Number.POSITIVE_INFINITY, 3, 2, 1]) {
    const lines = found.flatMap((row) => {
      const mark = isMany ? `${row === chosen ? look.signs.chosen : ' '} ` : ''
      return [...blockOf({ row, figures: view.figures(row), mark }, look, linesMax), ...(isSmall ? [] : [''])]
    })
    // Nothing stands behind the last one.
    if (!isSmall) lines.pop()
    if (lines.length <= room || (isLast && linesMax === 1))
      return { lines: lines.slice(0, room), rows: found, chosen, page: 1 }
  }
  return undefined
}

/** The chosen one has its cure below the list, if there is room for both. */
function asList(view: LiveView, { found, room }: Space, look: Look): Body {
  const rows = troubleFirst(found)
  const at = Math.max(
    0,
    rows.findIndex(({ name }) => name === view.controls.chosen),
  )
  const chosen = rows[at]
  const shownOf = (row: Row): Shown => ({
    row,
    figures: view.figures(row),
    mark: view.hasKeys ? `${row === chosen ? look.signs.chosen : ' '} ` : '',
  })
  const whole = chosen ? ['', ...blockOf({ ...shownOf(chosen), mark: '' }, look, 3)] : []
  const paneMax = Math.max(room - rows.length, room >= 10 ? Math.floor(room / 2) : 0)
  const pane = paneMax >= 3 ? whole.slice(0, paneMax) : []
  const height = Math.max(1, room - pane.length)
  const isCut = rows.length > height
  const page = Math.max(1, isCut ? height - 1 : rows.length)
  const from = Math.min(Math.max(0, at - Math.floor(page / 2)), rows.length - page)
  const lines = listOf(rows.slice(from, from + page).map(shownOf), look)
  const where = `${from + 1} to ${from + page} of ${rows.length}`
  const more = isCut && height > 1 ? [look.paint('dim', where)] : []
  return { lines: [...lines, ...more, ...pane].slice(0, room), rows, chosen, page }
}

// --- requests and notes ---

/** Rows that tunnels leave for what happened last. */
function leastTail({ notes, requests = [] }: LiveView, room: number): number {
  if (room < 8) return notes.length > 0 && room > 4 ? 1 : 0
  const least = (count: number) => (count > 0 ? 1 + Math.min(3, count) : 0)
  return Math.min(least(notes.length) + least(requests.length), Math.floor(room / 3))
}

function tailOf(
  { notes, requests = [], picture }: LiveView,
  { room, hasNames, chosen }: { room: number; hasNames: boolean; chosen: Row | undefined },
  look: Look,
): readonly string[] {
  const qr = chosen && pictureLines(picture?.(chosen), room, look)
  let left = room - (qr?.length ?? 0)
  // A blank line stands in front of each part, if there is one to spare.
  const gap = left >= 6 && look.size.rows >= smallRows ? [''] : []
  const wanted = notes.length > 0 ? Math.min(notes.length + gap.length, Math.ceil(left / 2)) : 0
  const forRequests = Math.max(0, left - wanted - gap.length)
  const asked = requestLines(requests, { hasNames, rows: forRequests }, look)
  const first = asked.length > 0 ? [...gap, ...asked] : []
  left -= first.length + gap.length
  const told = left > 0 ? noteLines(notes, left, look) : []
  return [...(qr ?? []), ...first, ...(told.length > 0 ? [...gap, ...told] : [])]
}

/** Only whole: half a code cannot be read. */
function pictureLines(
  picture: readonly string[] | undefined,
  room: number,
  { size, paint }: Look,
): readonly string[] | undefined {
  if (!picture) return undefined
  const columns = Math.max(...picture.map(widthOf))
  if (columns <= size.columns && picture.length + 1 <= room) return ['', ...picture]
  const needed = `${columns} columns and ${size.rows - room + picture.length + 1} rows`
  return room > 0 ? [paint('dim', `The QR code needs a window of ${needed}.`)] : []
}
