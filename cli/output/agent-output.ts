/**
 * What `ptun tcp`, `http` and `start` write: a live status on a terminal, lines elsewhere, JSON when asked for.
 * All three are fed by the same events; the live status also looks at the snapshot.
 */
import type { AgentEvent, AgentSnapshot } from '../agent/events.ts'
import { type Context, paintOf } from '../context.ts'
import { version } from '../version.ts'
import { formatTime } from './format.ts'
import { sentenceOf } from './lines.ts'
import { drawLive, LiveScreen } from './live.ts'
import { type Alike, ToldOnce } from './told-once.ts'

export type AgentOutput = {
  onEvent(event: AgentEvent): void
  /** Lines that stay above the live status; nothing with --json. */
  print(lines: readonly string[]): void
  /** Gives the terminal back. Events after it are written as lines. */
  close(): void
}

const repaintMs = 250
const notesKept = 20

export function openAgentOutput(context: Context, snapshot: () => AgentSnapshot): AgentOutput {
  if (context.isJson) return jsonOutput(context)
  const isLive = context.stdout.isTTY === true && context.env.TERM !== 'dumb'
  return isLive ? liveOutput(context, snapshot) : lineOutput(context)
}

function jsonOutput({ stdout, clock, isVerbose }: Context): AgentOutput {
  return {
    onEvent(event) {
      if (event.event.startsWith('connection.') && !isVerbose) return
      const { event: name, ...rest } = event
      stdout.write(`${JSON.stringify({ event: name, at: new Date(clock.now()).toISOString(), ...rest })}\n`)
    },
    print() {},
    close() {},
  }
}

function lineOutput({ stdout, clock, isVerbose }: Context): AgentOutput {
  const once = new ToldOnce(clock, (events) => {
    const sentence = sentenceOf(events, { isVerbose })
    if (sentence) stdout.write(`${new Date(clock.now()).toISOString()} ${sentence}\n`)
  })
  return {
    onEvent: (event) => once.take(event),
    print: (lines) => {
      once.flush()
      stdout.write(lines.map((line) => `${line}\n`).join(''))
    },
    close: () => once.flush(),
  }
}

function liveOutput(context: Context, snapshot: () => AgentSnapshot): AgentOutput {
  const { stdout, clock } = context
  const paint = paintOf(context)
  const notes: string[] = []
  const screen = new LiveScreen({
    get columns() {
      return stdout.columns ?? 80
    },
    get rows() {
      return stdout.rows ?? 24
    },
    write: (text) => stdout.write(text),
  })
  const repaint = () => screen.paint(drawLive({ snapshot: snapshot(), notes, version }, screen.size, paint))
  const timer = clock.every(repaintMs, repaint, { background: true })
  // A window of another size is repainted by the next tick at the latest; a burst of resizes costs one painting.
  stdout.on?.('resize', repaint)
  // Whatever ends the process, the cursor comes back.
  const restore = () => screen.close()
  process.once('exit', restore)
  let isOpen = true
  const tell = (events: Alike) => {
    const sentence = sentenceOf(events, context)
    if (!sentence || isPictured(events[0])) return
    const note = `${formatTime(clock.now())}  ${sentence}`
    if (isOpen) notes.push(note)
    else stdout.write(`${note}\n`)
    if (notes.length > notesKept) notes.shift()
  }
  const once = new ToldOnce(clock, tell)
  return {
    onEvent: (event) => once.take(event),
    print: (lines) => screen.above(lines),
    close() {
      once.flush()
      isOpen = false
      timer.clear()
      stdout.off?.('resize', repaint)
      repaint()
      process.off('exit', restore)
      screen.close()
    },
  }
}

/** The picture above the notes says it already. */
function isPictured({ event }: AgentEvent): boolean {
  return event === 'agent.started' || event === 'agent.stopped' || event === 'relay.connected'
}
