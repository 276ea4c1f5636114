/** Runs one command line: parses it, does it, reports a failure with its code and cure, and returns the exit code. */
import { systemClock } from '@porttunneler/shared/base/clock'
import { fail, isFailure, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import { CommanderError } from 'commander'
import type { Context, Output } from './context.ts'
import type { Forwardable, ForwardOptions, Listener } from './index.d.ts'
import { LastingOutput, type RefusableOutput } from './output/lasting-output.ts'
import type { Input } from './output/live/keyboard.ts'
import type { Environment } from './paths.ts'
import { buildProgram, type Globals } from './program.ts'

export type Io = {
  readonly stdout: Output
  readonly stderr: Output
  readonly env: Environment
  readonly input?: () => Input
}

/**
 * 0 done, 1 failed, 2 usage or configuration, 3 authorisation, 4 version, 5 taken over by another agent, 130 quit by a
 * second Ctrl-C. The codes of failures are the `exit` column of the error table.
 */
export async function main(args: readonly string[], io: Io): Promise<number> {
  let exit = 0
  const program = buildProgram(async (globals, work) => {
    exit = await work(contextOf(globals, io))
  })
  const isJson = args.includes('--json')
  let usage = ''
  quiet(program, io, (text) => {
    usage += text
  })
  try {
    await program.parseAsync(args, { from: 'user' })
    return exit
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0
    // No command at all prints the help as the error message.
    if (error instanceof CommanderError && error.code === 'commander.help') {
      io.stderr.write(usage)
      return 2
    }
    const failure = error instanceof CommanderError ? usageFailure(usage || error.message) : error
    if (!isFailure(failure)) throw failure
    await tellFailure(failure, io, isJson)
    return failure.entry.exit
  }
}

function contextOf(
  { server, account: named, json = false, verbose = false }: Globals,
  { stdout, stderr, env, input }: Io,
): Context {
  const account = named ?? env.PTUN_ACCOUNT
  return {
    env,
    stdout,
    stderr,
    ...(input && { input }),
    clock: systemClock,
    random: Math.random,
    isJson: json,
    isVerbose: verbose,
    ...(server !== undefined && { server }),
    ...(account && { account }),
  }
}

/** For programs (index.js); loaded when one asks for it. */
export async function forward(target: Forwardable, options: ForwardOptions = {}): Promise<Listener> {
  const world = { clock: systemClock, random: Math.random }
  return (await import('./forward.ts')).forward(target, options, world)
}

type Launched = {
  readonly stdin: Input
  readonly stdout: RefusableOutput
  readonly stderr: RefusableOutput
  readonly env: Environment
  exitCode?: NodeJS.Process['exitCode']
}

/**
 * The launcher calls this. A connection that still waits for its peer to close gets a second, and then no longer delays
 * the shell. Refused output ends nothing. A good end that could not be printed is not a success, unless the reader had
 * enough.
 */
export async function run(args: readonly string[], io: Launched): Promise<void> {
  const isJson = args.includes('--json')
  const stderr = new LastingOutput(io.stderr, { sayLost: sentenceOfLoss })
  let exit: number | undefined
  const settle = () => {
    const isUntold = stdout.refusal !== undefined && stdout.refusal !== 'EPIPE'
    if (exit !== undefined) io.exitCode = exit === 0 && isUntold ? 1 : exit
  }
  const stdout = new LastingOutput(io.stdout, {
    sayLost: isJson ? (lines) => `${JSON.stringify({ event: 'output.lost', lines })}\n` : sentenceOfLoss,
    onRefused: (code) => {
      if (code === 'EPIPE') return
      stderr.write(
        `The output could not be written (${code})${exit === undefined ? '; ptun goes on' : ''}.\n`,
      )
      // If the system refuses the output of a short command, the error comes after its end.
      settle()
    },
  })
  exit = await main(args, { stdout, stderr, env: io.env, input: () => io.stdin })
  settle()
  systemClock.after(1_000, () => process.exit(), { background: true })
}

function sentenceOfLoss(lines: number): string {
  return `${lines} ${lines === 1 ? 'line' : 'lines'} could not be written here.\n`
}

type Program = ReturnType<typeof buildProgram>

/** Makes every command report to us instead of ending the process. Subcommands do not inherit this. */
function quiet(command: Program, io: Io, writeErr: (text: string) => void): void {
  command.exitOverride()
  command.configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr })
  for (const child of command.commands) quiet(child, io, writeErr)
}

/** commander's own words, those about choices in ours. */
function usageFailure(message: string): PortTunnelerError {
  const said = message.replace(/^error: /, '').trim()
  const choice =
    /^(?:option '(--[\w-]+).*' argument|command-argument value) '(.*?)' is invalid.* choices are (.*?)\.?$/
  const [, option = '', value, choices] = choice.exec(said) ?? []
  if (choices === undefined) return fail('cli.usage', said)
  return fail('cli.usage', `${option === '' ? '' : `${option}: `}"${value}" is none of ${choices}.`)
}

async function tellFailure(
  failure: PortTunnelerError,
  { stdout, stderr, env }: Io,
  isJson: boolean,
): Promise<void> {
  const { problemOf } = await import('./agent/events.ts')
  const problem = problemOf(failure)
  if (isJson) {
    const { problems } = failure.fields
    const { exit } = failure.entry
    const event = { event: 'error', ...problem, exit, ...(problems !== undefined && { problems }) }
    stdout.write(`${JSON.stringify(event)}\n`)
    return
  }
  const { formatProblem, paintFor } = await import('./output/format.ts')
  const lines = formatProblem(problem, paintFor(stderr.isTTY === true, env))
  stderr.write(lines.map((line) => `${line}\n`).join(''))
}
