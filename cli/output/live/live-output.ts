/**
 * The live view of a running agent: draws it four times a second at most, does what the keys say, and gives the
 * terminal back as it was, with a summary of what happened.
 */
import type { Timer } from '@porttunneler/shared/base/clock'
import type { AgentEvent, AgentSnapshot } from '../../agent/events.ts'
import { type Context, paintOf } from '../../context.ts'
import { version } from '../../version.ts'
import type { AgentOutput } from '../agent-output.ts'
import { formatTime, withColoursOnly } from '../format.ts'
import { sentenceOf } from '../lines.ts'
import { type Alike, ToldOnce } from '../told-once.ts'
import { copyAddress, type Inspection, openPage, resend } from './acts.ts'
import { blockOf, type Look } from './blocks.ts'
import { type Act, type Controls, noControls, press } from './controls.ts'
import { type Drawn, drawLive } from './draw.ts'
import { FigureBook } from './figures.ts'
import type { Input, Typed } from './keyboard.ts'
import { isForeground, Keyboard } from './keyboard.ts'
import { rowsOf } from './rows.ts'
import { LiveScreen } from './screen.ts'
import { signsFor } from './signs.ts'
import { noteLines } from './tail.ts'

/** Signals, which tests must not send. */
export type LiveSystem = {
  readonly interrupt: () => void
  /** Stops the process until it is continued (`fg`). */
  readonly suspend: () => void
  readonly kill: () => void
  readonly isForeground: () => boolean
}

const ownProcess: LiveSystem = {
  interrupt: () => process.emit('SIGINT'),
  suspend: () => process.kill(process.pid, 'SIGTSTP'),
  kill: () => process.kill(process.pid, 'SIGQUIT'),
  isForeground: () => isForeground(),
}

export type LiveOptions = {
  readonly input?: Input | undefined
  readonly inspection?: (() => Inspection | undefined) | undefined
  readonly system?: LiveSystem
}

const repaintMs = 250
const flashMs = 5_000
/** As many as a high window shows. */
const notesKept = 100
const notesAtEnd = 20
const blocksAtEnd = 20
const requestsShown = 100
/** Enough for a p99. */
const requestsTimed = 500

export class LiveOutput implements AgentOutput {
  readonly #context: Context
  readonly #options: LiveOptions & { readonly system: LiveSystem }
  readonly #snapshot: () => AgentSnapshot
  readonly #screen: LiveScreen
  readonly #keyboard: Keyboard | undefined
  readonly #book: FigureBook
  readonly #once: ToldOnce
  readonly #notes: string[] = []
  readonly #pictures = new Map<string, readonly string[]>()
  readonly #timer: Timer
  #controls: Controls = noControls
  #flash: { readonly text: string; readonly timer: Timer } | undefined
  #drawn: Pick<Drawn, 'rows' | 'chosen' | 'page'> = { rows: [], chosen: undefined, page: 1 }
  /** away: in the background, where nothing is drawn. */
  #state: 'open' | 'away' | 'closed' = 'open'

  constructor(context: Context, snapshot: () => AgentSnapshot, options: LiveOptions = {}) {
    const { stdout, clock } = context
    const { input, system = ownProcess } = options
    this.#context = context
    this.#options = { ...options, system }
    this.#snapshot = snapshot
    this.#screen = new LiveScreen({
      get columns() {
        return stdout.columns ?? 80
      },
      get rows() {
        return stdout.rows ?? 24
      },
      write: (text) => stdout.write(text),
    })
    this.#keyboard =
      input?.isTTY && input.setRawMode ? new Keyboard(input, (key) => this.#onKey(key)) : undefined
    this.#book = new FigureBook(clock)
    this.#once = new ToldOnce(clock, (events) => this.#tell(events))
    this.#keyboard?.take()
    this.#timer = clock.every(repaintMs, this.#onTick, { background: true })
    stdout.on?.('resize', this.#paint)
    process.on('SIGWINCH', this.#onWindow)
    process.on('SIGCONT', this.#onContinue)
    // Whatever ends the process, the terminal is given back, and before a failure is printed on it.
    process.once('uncaughtExceptionMonitor', this.#restore)
    process.once('exit', this.#restore)
  }

  onEvent(event: AgentEvent): void {
    this.#book.onEvent(event)
    this.#once.take(event)
  }

  print(lines: readonly string[]): void {
    this.#note(lines.join('\n'))
  }

  qr(url: string, picture: readonly string[]): void {
    this.#pictures.set(url, picture)
    this.#paint()
  }

  close(): void {
    if (this.#state === 'closed') return
    this.#once.flush()
    this.#state = 'closed'
    this.#timer.clear()
    this.#flash?.timer.clear()
    this.#context.stdout.off?.('resize', this.#paint)
    process.off('SIGWINCH', this.#onWindow)
    process.off('SIGCONT', this.#onContinue)
    process.off('uncaughtExceptionMonitor', this.#restore)
    process.off('exit', this.#restore)
    this.#restore()
    const lines = this.#lastLines().map((line) => `${withColoursOnly(line)}\n`)
    this.#context.stdout.write(lines.join(''))
  }

  readonly #restore = (): void => {
    this.#screen.close()
    this.#keyboard?.release()
  }

  // --- drawing ---

  get #look(): Look {
    return { size: this.#screen.size, paint: paintOf(this.#context), signs: signsFor(this.#context.env) }
  }

  readonly #onTick = (): void => {
    if (this.#state === 'away' && this.#options.system.isForeground()) this.#comeBack()
    this.#paint()
  }

  /** A window of another size is painted at once; else the next tick does it. */
  readonly #paint = (): void => {
    if (this.#state !== 'open') return
    const snapshot = this.#snapshot()
    this.#book.sample(snapshot)
    const requests = this.#inspection?.recent(requestsTimed)
    const { lines, ...drawn } = drawLive(
      {
        snapshot,
        version,
        notes: this.#notes,
        controls: this.#controls,
        hasKeys: this.#keyboard !== undefined,
        flash: this.#flash?.text,
        figures: (row) => this.#book.of(row, requests),
        requests: requests?.slice(0, requestsShown),
        picture: ({ url }) => (url === undefined ? undefined : this.#pictures.get(url)),
      },
      this.#look,
    )
    this.#drawn = drawn
    this.#screen.paint(lines.map(withColoursOnly))
  }

  /** A window may have the size that it had before and have been smaller between: then its picture is cut. */
  readonly #onWindow = (): void => {
    this.#screen.forget()
    this.#paint()
  }

  /** What stays on the terminal: the tunnels as they were, and what happened last. */
  #lastLines(): readonly string[] {
    const look = this.#look
    const rows = rowsOf(this.#snapshot())
    const blocks = rows.slice(0, blocksAtEnd).flatMap((row) => {
      const figures = { inRate: 0, outRate: 0 }
      return [...blockOf({ row, figures, mark: '' }, look, Number.POSITIVE_INFINITY), '']
    })
    const more = rows.length - blocksAtEnd
    return [
      ...blocks,
      ...(more > 0 ? [`and ${more} more tunnels`, ''] : []),
      ...noteLines(this.#notes.slice(-notesAtEnd), Number.POSITIVE_INFINITY, look),
    ]
  }

  // --- what happened ---

  #tell(events: Alike): void {
    const sentence = sentenceOf(events, this.#context)
    if (!sentence || isPictured(events[0])) return
    const note = `${formatTime(this.#context.clock.now())}  ${sentence}`
    if (this.#state === 'closed') this.#context.stdout.write(`${note}\n`)
    else this.#note(note)
  }

  #note(text: string): void {
    this.#notes.push(text)
    if (this.#notes.length > notesKept) this.#notes.shift()
  }

  // --- keys ---

  get #inspection(): Inspection | undefined {
    return this.#options.inspection?.()
  }

  #onKey(key: Typed): void {
    if (this.#state !== 'open') return
    const { rows, page } = this.#drawn
    const { controls, act } = press(this.#controls, key, { names: rows.map(({ name }) => name), page })
    this.#controls = controls
    this.#dropFlash()
    if (act) this.#act(act)
    this.#paint()
  }

  #act(act: Act): void {
    const { system } = this.#options
    const { chosen } = this.#drawn
    switch (act) {
      case 'interrupt':
        system.interrupt()
        break
      case 'quit':
        if (this.#snapshot().state === 'running') system.interrupt()
        break
      case 'kill':
        this.#restore()
        system.kill()
        break
      case 'suspend':
        this.#leave()
        system.suspend()
        break
      case 'redraw':
        this.#screen.forget()
        break
      case 'inspect':
        this.#sayOf(openPage(this.#context, this.#inspection?.url))
        break
      case 'open':
        this.#sayOf(openPage(this.#context, chosen?.url))
        break
      case 'copy':
        this.#sayOf(copyAddress(this.#context, chosen?.url))
        break
      case 'resend':
        this.#sayOf(resend(this.#inspection, chosen?.name))
        break
    }
  }

  #sayOf(done: Promise<string | undefined>): void {
    void done.then((text) => {
      if (text !== undefined) this.#say(text)
    })
  }

  /** Tells what a key did, for a while. */
  #say(text: string): void {
    this.#dropFlash()
    if (this.#state !== 'open') return
    const timer = this.#context.clock.after(flashMs, () => this.#dropFlash(), { background: true })
    this.#flash = { text, timer }
    this.#paint()
  }

  #dropFlash(): void {
    this.#flash?.timer.clear()
    this.#flash = undefined
  }

  // --- the background ---

  #leave(): void {
    this.#state = 'away'
    this.#restore()
  }

  readonly #onContinue = (): void => {
    if (this.#state === 'closed') return
    this.#leave()
    if (this.#options.system.isForeground()) this.#comeBack()
    this.#paint()
  }

  #comeBack(): void {
    this.#state = 'open'
    this.#keyboard?.take()
    this.#screen.forget()
  }
}

/** The picture above the notes says it already. */
function isPictured({ event }: AgentEvent): boolean {
  return event === 'agent.started' || event === 'agent.stopped' || event === 'relay.connected'
}
