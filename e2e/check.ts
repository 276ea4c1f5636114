/**
 * The part of `npm run check` that reads the code and runs none of it: format, lint, and types of both programs, all at
 * once, since each alone leaves a core idle. Its output is in the same order each time.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

const root = join(import.meta.dirname, '..')
/**
 * One checker each: the usual four work out the same zod types four times, which costs more than it gains on two
 * cores (37 CPU seconds instead of 24 for all programs, 9 instead of 3 for the console).
 */
const types = ['--noEmit', '--checkers', '1', ...(process.stdout.isTTY ? ['--pretty'] : [])]
const colours = process.stdout.isTTY ? ['--colors=force'] : []
const readings = [
  ['tsc', ...types],
  ['tsc', '-p', 'web', ...types],
  ['biome', 'check', ...colours, '.'],
] as const

type Found = { readonly all: string; readonly ok: boolean }

/** Runs one of them to its end. It is not `ok` where it found something. */
async function read([program, ...args]: readonly [string, ...string[]]): Promise<Found> {
  const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  const closed = once(child, 'close')
  const [words, [code]] = await Promise.all([Promise.all([text(child.stdout), text(child.stderr)]), closed])
  return { all: words.join(''), ok: code === 0 }
}

for (const reading of readings.map(read)) {
  const { all, ok } = await reading
  process.stdout.write(all)
  if (!ok) process.exitCode = 1
}
