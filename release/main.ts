/**
 * `npm run release -- --env prod`: brings the commit of this checkout to an environment; `--rollback` brings back what
 * was there before. docs/release.md
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { systemClock } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { outliveOutput } from '@porttunneler/shared/base/outlive-output'
import { type EnvironmentName, environments, readEnvironment } from '../cdktf/read-environment.ts'
import { dryRun } from './offline/dry-run.ts'
import { failureText, jsonReporter, textReporter } from './reporter.ts'
import { type Order, runRelease } from './run-release.ts'
import { spawning } from './spawn.ts'

const help = `npm run release -- --env ${Object.keys(environments).join('|')} [options]

Brings the commit of this checkout to an environment, a small part first, and goes back by itself when that part
does worse. docs/release.md says what each step does and what stops it.

  --dry-run             prints every step and command, and runs them against stand-ins on this machine
  --resume              goes on with a release that was interrupted, or with its rollback
  --rollback            undoes the release that is under way, or the last one
  --abandon             forgets the release that is under way; changes nothing else
  --watch-minutes N     how long the new version is watched with a small part of the calls, 1 to 120 (10)
  --allow-destroy       also when the plan deletes or replaces what a release usually keeps
  --json                one JSON object a line
`

type Flags = ReturnType<typeof readFlags>

function readFlags(args: readonly string[]) {
  const yes = { type: 'boolean', default: false } as const
  return parseArgs({
    args: [...args],
    options: {
      env: { type: 'string' },
      'dry-run': yes,
      resume: yes,
      rollback: yes,
      abandon: yes,
      'allow-destroy': yes,
      json: yes,
      help: yes,
      'watch-minutes': { type: 'string', default: '10' },
    },
  }).values
}

function orderOf(flags: Flags): Order {
  const chosen = (['resume', 'rollback', 'abandon'] as const).filter((name) => flags[name])
  if (chosen.length > 1) throw fail('release.usage', `--${chosen.join(' and --')} exclude each other`)
  return chosen[0] ?? 'release'
}

function environmentOf({ env }: Flags) {
  const known = Object.keys(environments) as EnvironmentName[]
  if (!known.some((name) => name === env))
    throw fail('release.usage', `Name the environment: --env ${known.join('|')}`)
  return readEnvironment(env ?? '')
}

function minutesOf(text: string): number {
  const minutes = Number(text)
  if (Number.isInteger(minutes) && minutes >= 1 && minutes <= 120) return minutes
  throw fail('release.usage', `--watch-minutes is a whole number from 1 to 120, not ${text}`)
}

export type Io = {
  readonly stdout: { write(text: string): unknown }
  readonly stderr: { write(text: string): unknown }
  readonly signal: AbortSignal
}

/** @returns the exit code */
export async function main(args: readonly string[], { stdout, stderr, signal }: Io): Promise<number> {
  const isJson = args.includes('--json')
  try {
    const flags = readFlagsOrFail(args)
    if (flags.help) {
      stdout.write(help)
      return 0
    }
    const [order, environment] = [orderOf(flags), environmentOf(flags)]
    const wishes = {
      allowDestroy: flags['allow-destroy'],
      watchMinutes: minutesOf(flags['watch-minutes']),
      given: flags['dry-run'] ? [] : Object.keys(process.env),
    }
    const reporter = isJson ? jsonReporter(stdout) : textReporter(stdout)
    const surroundings = flags['dry-run']
      ? { ...dryRun(environment, { order, now: systemClock.now() }), makeFolder: () => undefined }
      : real(signal)
    const outcome = await runRelease(order, { environment, wishes, signal, reporter, ...surroundings })
    const said = flags['dry-run'] ? `${outcome}, in this dry run` : outcome
    stdout.write(isJson ? `${JSON.stringify({ outcome })}\n` : `\n${environment.name}: ${said}\n`)
    return 0
  } catch (error) {
    if (signal.aborted && !isFailure(error)) {
      stderr.write('\nInterrupted. Continue with --resume, or undo with --rollback.\n')
      return 130
    }
    const text = failureText(error, isJson)
    if (isJson) stdout.write(text)
    else stderr.write(text)
    return isFailure(error) ? error.entry.exit : 1
  }
}

function real(signal: AbortSignal) {
  const cwd = join(import.meta.dirname, '..')
  return {
    run: spawning({ clock: systemClock, signal, cwd }),
    clock: systemClock,
    makeFolder: (path: string) => void mkdirSync(join(cwd, path), { recursive: true }),
  }
}

function readFlagsOrFail(args: readonly string[]): Flags {
  try {
    return readFlags(args)
  } catch (cause) {
    throw fail('release.usage', (cause as Error).message, { cause })
  }
}

if (import.meta.main) {
  const { stdout, stderr } = process
  // A release goes on when nobody reads along any more: stopping it half-way would be worse.
  outliveOutput(process, (code) => stderr.write(`The output can no longer be written: ${code}\n`))
  const interrupted = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupted.abort())
  process.exitCode = await main(process.argv.slice(2), { stdout, stderr, signal: interrupted.signal })
}
