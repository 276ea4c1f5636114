/**
 * `ptunctl`, the operator's tool: reads the command line, runs one act on the data folder of a standalone server or on
 * a Google Cloud project, and shows the result. Exit codes are those of the error table.
 */
import { userInfo } from 'node:os'
import { resolve } from 'node:path'
import { fail, isFailure, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import type { Order } from '@porttunneler/shared/control/operator/acts'
import { CommanderError } from 'commander'
import { checkFile, hasProblems, type SendOrder, verifyAll } from './audit.ts'
import { buildProgram, type Globals, type OwnAct } from './program.ts'
import { failureText, resultText } from './show.ts'

type Env = Readonly<Record<string, string | undefined>>
export type Io = {
  readonly stdout: { write(text: string): unknown }
  readonly stderr: { write(text: string): unknown }
  readonly env: Env
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
      const result = await runVerb(order, act, input)
      if (hasProblems(result)) exit = 1
      io.stdout.write(isJson ? `${JSON.stringify(result)}\n` : resultText(result))
    },
    { writeOut: (text) => io.stdout.write(text), writeErr: (text) => (said += text) },
  )
  try {
    await program.parseAsync(args, { from: 'user' })
    return exit
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0
    const failure = error instanceof CommanderError ? usageFailure(said || error.message) : error
    if (!isFailure(failure)) throw failure
    const { code, detail, entry } = failure
    if (isJson) io.stdout.write(`${JSON.stringify({ error: { code, detail, cure: entry.cure } })}\n`)
    else io.stderr.write(failureText(failure))
    return entry.exit
  }
}

/** Most verbs are one act. */
async function runVerb(order: SendOrder, act: Order['act'] | OwnAct, input: object): Promise<unknown> {
  if (act === 'audit.check') return checkFile(input)
  return act === 'audit.verify' ? verifyAll(order, input) : order(act, input)
}

async function runOrder({ data }: Globals, order: Order, { env, stderr }: Io): Promise<unknown> {
  // A named folder wins; without one, a named project means the cloud.
  if (data === undefined && env.GOOGLE_CLOUD_PROJECT) {
    const { runInCloud } = await import('@porttunneler/functions/office')
    return runInCloud(env, order, (line) => stderr.write(line))
  }
  const { runOnFolder } = await import('@porttunneler/standalone/office')
  return runOnFolder(resolve(data ?? (env.PORTTUNNELER_DATA || 'data')), order)
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
