/**
 * `ptunctl`, the operator's tool: reads the command line, runs one act on the data folder of a standalone server or on
 * a Google Cloud project, and shows the result. Exit codes are those of the error table.
 */
import { userInfo } from 'node:os'
import { resolve } from 'node:path'
import { systemClock } from '@porttunneler/shared/base/clock'
import { fail, isFailure, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import type { Order } from '@porttunneler/shared/control/operator/acts'
import { CommanderError } from 'commander'
import { checkFile, hasProblems, type SendOrder, verifyAll } from './audit.ts'
import { isOwnBackup, type OwnBackup, runOwnBackup } from './backup.ts'
import { askReport, textOf } from './compliance.ts'
import { lineText, showLogs } from './logs.ts'
import { withPlans } from './plans.ts'
import { buildProgram, type Globals } from './program.ts'
import { failureText, stackText } from './show.ts'

type Env = Readonly<Record<string, string | undefined>>
export type Io = {
  readonly stdout: { write(text: string): unknown }
  readonly stderr: { write(text: string): unknown }
  readonly env: Env
  /** Ends what would go on until Ctrl-C. */
  readonly signal?: AbortSignal
}

/** @returns the exit code */
export async function run(args: readonly string[], io: Io): Promise<number> {
  const isJson = args.includes('--json')
  let said = ''
  let exit = 0
  const program = buildProgram(
    async (globals, act, input) => {
      const order = (name: Order['act'], what: object) =>
        runOrder(globals, { act: name, input: what, operator: operatorOf(globals, io.env) }, io)
      if (act === 'logs.search') return runLogs(order, input, { isJson, io })
      const result = isOwnBackup(act)
        ? await runBackup(act, input, { globals, env: io.env })
        : await runVerb(order, act, input)
      if (hasProblems(result)) exit = 1
      const text = textOf(act, input)
      io.stdout.write(isJson ? `${JSON.stringify(result)}\n` : text(result))
    },
    { writeOut: (text) => io.stdout.write(text), writeErr: (text) => (said += text) },
  )
  try {
    await program.parseAsync(args, { from: 'user' })
    return exit
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0
    const known = error instanceof CommanderError ? usageFailure(said || error.message) : error
    return tellFailure(known, isJson, io)
  }
}

/**
 * Also for what no `catch` has seen: every failure has a code and a cure.
 * @returns the exit code
 */
export function tellFailure(error: unknown, isJson: boolean, io: Pick<Io, 'stdout' | 'stderr'>): number {
  const failure = isFailure(error) ? error : fail('operator.unexpected', undefined, { cause: error })
  const { code, detail, entry } = failure
  if (isJson) io.stdout.write(`${JSON.stringify({ error: { code, detail, cure: entry.cure } })}\n`)
  else io.stderr.write(failureText(failure))
  // For the report that the cure asks for.
  if (failure !== error && error instanceof Error) io.stderr.write(`${stackText(error)}\n`)
  return entry.exit
}

/** Lines are shown as they come, with `--json` one object each; Ctrl-C ends the process. */
function runLogs(
  order: SendOrder,
  input: object,
  { isJson, io }: { isJson: boolean; io: Io },
): Promise<void> {
  return showLogs(order, input, {
    show: (lines) => {
      for (const line of lines) io.stdout.write(`${isJson ? JSON.stringify(line) : lineText(line)}\n`)
    },
    onTrouble: (failure) => io.stderr.write(failureText(failure)),
    clock: systemClock,
    signal: io.signal ?? new AbortController().signal,
  })
}

/** Most verbs are one act. */
async function runVerb(order: SendOrder, act: Order['act'] | 'audit.check', input: object): Promise<unknown> {
  if (act === 'audit.check') return checkFile(input)
  if (act === 'compliance.report') return order(act, askReport(input))
  if (act === 'plans.apply') return order(act, await withPlans(input))
  return act === 'audit.verify' ? verifyAll(order, input) : order(act, input)
}

async function runOrder(globals: Globals, order: Order, { env, stderr }: Io): Promise<unknown> {
  if (isCloud(globals, env)) {
    const { runInCloud } = await import('@porttunneler/functions/office')
    return runInCloud(env, order, (line) => stderr.write(line))
  }
  const { runOnFolder } = await import('@porttunneler/standalone/office')
  return runOnFolder(folderOf(globals, env), order)
}

/** A named folder wins; without one, a named project means the cloud. */
function isCloud({ data }: Globals, env: Env): boolean {
  return data === undefined && Boolean(env.GOOGLE_CLOUD_PROJECT)
}

function folderOf({ data }: Globals, env: Env): string {
  return resolve(data ?? (env.PORTTUNNELER_DATA || 'data'))
}

/** @throws operator.usage for a project of Google Cloud, which has backups of its own */
async function runBackup(
  act: OwnBackup,
  input: object,
  { globals, env }: { readonly globals: Globals; readonly env: Env },
): Promise<unknown> {
  if (isCloud(globals, env))
    throw fail('operator.usage', 'A project of Google Cloud has backups of its own: docs/disaster.md.')
  return runOwnBackup(act, input, { data: folderOf(globals, env), operator: operatorOf(globals, env) })
}

/** The operator's name for the audit. */
function operatorOf({ as }: Globals, env: Env): string {
  try {
    return as ?? (env.PTUNCTL_OPERATOR || userInfo().username)
  } catch (cause) {
    throw fail('operator.usage', 'This user has no name here; say who you are with --as.', { cause })
  }
}

function usageFailure(message: string): PortTunnelerError {
  return fail('operator.usage', message.replace(/^error: /, '').trim())
}
