/**
 * What `ptun tcp`, `http` and `start` write: a live status on a terminal, lines elsewhere, JSON when asked for.
 * All three are fed by the same events; the live status also looks at the snapshot.
 */
import type { AgentEvent, AgentSnapshot } from '../agent/events.ts'
import type { Context } from '../context.ts'
import { widthOf } from './columns.ts'
import { sentenceOf } from './lines.ts'
import type { Inspection } from './live/acts.ts'
import { isForeground } from './live/keyboard.ts'
import { LiveOutput } from './live/live-output.ts'
import { canDraw } from './live/signs.ts'
import { ToldOnce } from './told-once.ts'

export type AgentOutput = {
  onEvent(event: AgentEvent): void
  /** Lines for people, which stay; nothing with --json. */
  print(lines: readonly string[]): void
  /** An address as a picture, where it fits. */
  qr(url: string, picture: readonly string[]): void
  /** Gives the terminal back. Events after it are written as lines. */
  close(): void
}

/** @param inspection what the inspector offers, once it runs */
export function openAgentOutput(
  context: Context,
  snapshot: () => AgentSnapshot,
  inspection?: () => Inspection | undefined,
): AgentOutput {
  if (context.isJson) return jsonOutput(context)
  // A job in the background would draw over what somebody types.
  if (!canDraw(context) || !isForeground()) return lineOutput(context)
  return new LiveOutput(context, snapshot, { input: context.input?.(), inspection })
}

function jsonOutput({ stdout, clock, isVerbose }: Context): AgentOutput {
  return {
    onEvent(event) {
      if (event.event.startsWith('connection.') && !isVerbose) return
      const { event: name, ...rest } = event
      stdout.write(`${JSON.stringify({ event: name, at: new Date(clock.now()).toISOString(), ...rest })}\n`)
    },
    print() {},
    qr() {},
    close() {},
  }
}

function lineOutput({ stdout, clock, isVerbose }: Context): AgentOutput {
  const once = new ToldOnce(clock, (events) => {
    const sentence = sentenceOf(events, { isVerbose })
    if (sentence) stdout.write(`${new Date(clock.now()).toISOString()} ${sentence}\n`)
  })
  const print = (lines: readonly string[]) => {
    once.flush()
    stdout.write(lines.map((line) => `${line}\n`).join(''))
  }
  return {
    onEvent: (event) => once.take(event),
    print,
    qr: (url, picture) => {
      const columns = Math.max(...picture.map(widthOf))
      const fits = stdout.columns === undefined || columns <= stdout.columns
      print(fits ? ['', ...picture, url, ''] : [`The QR code of ${url} needs ${columns} columns.`])
    },
    close: () => once.flush(),
  }
}
