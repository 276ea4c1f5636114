/**
 * The live status: a pure drawing of a snapshot, and a screen that repaints it in place. At most four times a
 * second, in one write, without clearing first, so nothing flickers; what stands above stays in the scrollback.
 */
import { formatBytes } from '@porttunneler/shared/base/amounts'
import type { AgentSnapshot, RelayStatus, TunnelStatus } from '../agent/events.ts'
import { formatDuration, type Paint, printable, widthOf } from './format.ts'
import {
  groupRanges,
  isRange,
  type Range,
  statesOf,
  totalsOf,
  troublesOf,
  upstreamOf,
  urlOf,
} from './ranges.ts'

export type LiveView = {
  readonly snapshot: AgentSnapshot
  /** Last things worth telling, oldest first, already with their time. */
  readonly notes: readonly string[]
  readonly version: string
}

export type ScreenSize = { readonly columns: number; readonly rows: number }

const notesMax = 5

const hints = {
  running: 'Ctrl-C stops',
  draining: 'stopping; Ctrl-C again stops at once',
  stopped: 'stopped',
} as const

/** Lines no wider than the screen and fewer than its rows: a longer drawing could not be repainted in place. */
export function drawLive(view: LiveView, size: ScreenSize, paint: Paint): readonly string[] {
  const { snapshot, notes, version } = view
  const head = [`${paint('bold', 'ptun')} ${version}  ${paint('dim', hints[snapshot.state])}`, '']
  const recent = notes.slice(-notesMax).map((note) => paint('dim', note))
  const tail = [
    serverLine(snapshot, paint),
    ...(snapshot.state === 'stopped' ? [] : relayLines(snapshot.relays, paint)),
    ...(recent.length > 0 ? ['', ...recent] : []),
  ]
  const room = size.rows - head.length - tail.length - 1
  return [...head, ...tunnelBlocks(snapshot, room, paint), ...tail]
    .slice(0, Math.max(1, size.rows - 1))
    .map((line) => cut(line, size.columns))
}

/** As many tunnels and ranges as fit, a blank line behind each, and how many are left out. */
function tunnelBlocks({ tunnels, state }: AgentSnapshot, room: number, paint: Paint): readonly string[] {
  const isOver = state === 'stopped'
  const blocks = groupRanges(tunnels).map((row) => [
    ...(isRange(row) ? rangeLines(row, isOver, paint) : tunnelLines(row, isOver, paint)),
    '',
  ])
  const shown: string[] = []
  for (const [index, block] of blocks.entries()) {
    const isLast = index === blocks.length - 1
    const left = room - shown.length - (isLast ? 0 : 2)
    if (index > 0 && block.length > left)
      return [...shown, paint('dim', `and ${blocks.length - index} more: ptun status shows all`), '']
    shown.push(...block)
  }
  return shown
}

const marks = {
  waiting: { sign: '○', colour: 'yellow' },
  connecting: { sign: '◐', colour: 'yellow' },
  online: { sign: '●', colour: 'green' },
  stopped: { sign: '✕', colour: 'red' },
} as const

export const healthColours = { unknown: 'dim', healthy: 'green', unhealthy: 'red' } as const
export const healthWords = { unknown: 'checking', healthy: 'healthy', unhealthy: 'not healthy' } as const

function tunnelLines(tunnel: TunnelStatus, isOver: boolean, paint: Paint): readonly string[] {
  const { sign, colour } =
    isOver && !tunnel.problem ? ({ sign: '○', colour: 'dim' } as const) : marks[tunnel.state]
  const address = tunnel.url
    ? paint(['bold', 'underline'], oneLine(tunnel.url))
    : paint('dim', 'waiting for an endpoint')
  const figures = [
    paint(colour, isOver ? 'stopped' : tunnel.state),
    ...(tunnel.health && !isOver ? [paint(healthColours[tunnel.health], healthWords[tunnel.health])] : []),
    ...figuresOf(tunnel),
  ].join(paint('dim', ' · '))
  const { problem } = tunnel
  return [
    `${paint(colour, sign)} ${address} ${paint('dim', '→')} ${tunnel.upstream}  ${paint('dim', tunnel.name)}`,
    `  ${figures}`,
    ...(tunnel.settings ? [`  ${paint('dim', oneLine(tunnel.settings.join(', ')))}`] : []),
    ...(problem
      ? [
          `  ${paint('red', problem.code)} ${oneLine(problem.detail)}`,
          `  ${paint('dim', problem.cure)}`,
          ...(problem.suggestions ? [`  free: ${oneLine(problem.suggestions.join(', '))}`] : []),
        ]
      : []),
  ]
}

/** The whole of it as one tunnel, with how many of its ports are in which state. */
function rangeLines(range: Range, isOver: boolean, paint: Paint): readonly string[] {
  const { name, tunnels } = range
  const troubles = troublesOf(range)
  const isUp = tunnels.every(({ state }) => state === 'online')
  const { sign, colour } =
    isOver && troubles.length === 0
      ? ({ sign: '○', colour: 'dim' } as const)
      : isUp
        ? marks.online
        : tunnels.every(({ state }) => state === 'stopped')
          ? marks.stopped
          : marks.connecting
  const url = urlOf(range)
  const address = url
    ? paint(['bold', 'underline'], oneLine(url))
    : `${tunnels[0]?.kind} ${range.ports} ${paint('dim', 'waiting for an endpoint')}`
  const figures = [
    `${tunnels.length} ports`,
    paint(colour, isOver ? 'stopped' : statesOf(range)),
    ...figuresOf(totalsOf(range)),
  ].join(paint('dim', ' · '))
  return [
    `${paint(colour, sign)} ${address} ${paint('dim', '→')} ${upstreamOf(range)}  ${paint('dim', name)}`,
    `  ${figures}`,
    ...troubles.flatMap(({ ports, problem }) => [
      `  ${paint('red', problem.code)} ${ports}: ${oneLine(problem.detail)}`,
      `  ${paint('dim', problem.cure)}`,
    ]),
  ]
}

function figuresOf({ active, total, bytesIn, bytesOut }: ReturnType<typeof totalsOf>): readonly string[] {
  return [`${active} open`, `${total} in all`, `in ${formatBytes(bytesIn)}`, `out ${formatBytes(bytesOut)}`]
}

function serverLine({ server, serverProblem, proxy }: AgentSnapshot, paint: Paint): string {
  const way = proxy === undefined ? '' : ` through ${proxy}`
  if (!serverProblem) return paint('dim', `server ${server}${way}`)
  return `server ${server}${way}  ${paint('red', serverProblem.code)} ${oneLine(serverProblem.detail)}`
}

function relayLines(relays: readonly RelayStatus[], paint: Paint): readonly string[] {
  return relays.map(({ instance, state, rttMs, problem }) => {
    if (state === 'connected')
      return paint('dim', `relay ${instance}${rttMs === undefined ? '' : `  ${formatDuration(rttMs)}`}`)
    const why = problem ? `  ${paint('red', problem.code)} ${oneLine(problem.detail)}` : ''
    return `relay ${instance}  ${paint('yellow', state)}${why}`
  })
}

/** Texts from relays and systems must not move the cursor. */
function oneLine(text: string): string {
  return printable(text).replaceAll('\n', ' ')
}

/** Cuts by columns, keeping colour sequences whole and closing them. */
function cut(line: string, columns: number): string {
  if (widthOf(line) <= columns) return line
  let width = 0
  let kept = ''
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colour sequences begin with ESC
  for (const [part] of line.matchAll(/\u001b\[[0-9;]*m|./gsu)) {
    if (part.startsWith('\u001b')) kept += part
    else if (width < columns - 1) {
      kept += part
      width += 1
    }
  }
  return `${kept}…`
}

/** The part of a terminal that the screen needs. */
export type Terminal = {
  readonly columns: number
  readonly rows: number
  write(text: string): unknown
}

const hideCursor = '\u001b[?25l'
const showCursor = '\u001b[?25h'
/** Terminals that know it paint all at once; the others skip it. */
const beginUpdate = '\u001b[?2026h'
const endUpdate = '\u001b[?2026l'

/** Repaints lines in place. The last painting stays when it is closed. */
export class LiveScreen {
  readonly #terminal: Terminal
  #shown: readonly string[] = []
  #isOpen = false

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  get size(): ScreenSize {
    return {
      columns: Math.max(20, this.#terminal.columns || 80),
      rows: Math.max(4, this.#terminal.rows || 24),
    }
  }

  /** Writes nothing when nothing changed. */
  paint(lines: readonly string[]): void {
    if (
      this.#isOpen &&
      lines.length === this.#shown.length &&
      lines.every((line, i) => line === this.#shown[i])
    )
      return
    const up = this.#rowsShown()
    const text = lines.map((line) => `${line}\u001b[K\n`).join('')
    const start = this.#isOpen ? '' : hideCursor
    this.#terminal.write(
      `${start}${beginUpdate}${up > 0 ? `\u001b[${up}A` : ''}\r${text}\u001b[J${endUpdate}`,
    )
    this.#isOpen = true
    this.#shown = lines
  }

  /** Writes lines that stay, above what is painted. */
  above(lines: readonly string[]): void {
    const up = this.#rowsShown()
    const text = lines.map((line) => `${line}\u001b[K\n`).join('')
    this.#terminal.write(`${up > 0 ? `\u001b[${up}A` : ''}\r${text}\u001b[J`)
    this.#shown = []
  }

  close(): void {
    if (this.#isOpen) this.#terminal.write(showCursor)
    this.#isOpen = false
    this.#shown = []
  }

  /** A window made narrower has wrapped what was painted: count the rows that it takes now. */
  #rowsShown(): number {
    const { columns } = this.size
    return this.#shown.reduce((rows, line) => rows + Math.max(1, Math.ceil(widthOf(line) / columns)), 0)
  }
}
