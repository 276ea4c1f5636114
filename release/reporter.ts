/** Prints what a release does, for a person or as one JSON object a line. */
import { isFailure } from '@porttunneler/shared/base/errors'
import { commandLine } from './command.ts'
import type { Reporter } from './run-release.ts'

export type Output = { write(text: string): unknown }

export function textReporter(out: Output): Reporter {
  return {
    step: ({ title }, { index, of }) => out.write(`\n${index} of ${of}: ${title}\n`),
    command: (command) => out.write(`  $ ${commandLine(command)}   # ${command.why}\n`),
    say: (text) => out.write(`  ${text.replaceAll('\n', '\n  ')}\n`),
  }
}

export function jsonReporter(out: Output): Reporter {
  const line = (value: object) => out.write(`${JSON.stringify(value)}\n`)
  return {
    step: ({ name, title }, { index, of }) => line({ step: name, title, index, of }),
    command: (command) => line({ command: commandLine(command), why: command.why }),
    say: (text) => line({ said: text }),
  }
}

/** What went wrong and what to do, for a person or a program. Unknown errors are thrown on. */
export function failureText(error: unknown, isJson: boolean): string {
  if (!isFailure(error)) throw error
  const { code, detail, entry } = error
  if (isJson) return `${JSON.stringify({ error: { code, title: entry.title, detail, cure: entry.cure } })}\n`
  return `\n${code} ${entry.title}\n${detail}\n${entry.cure}\n`
}
