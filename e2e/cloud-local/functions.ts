/**
 * Runs the functions as Google does: the deployed bundle under functions-framework, one process for each. A function
 * that ends is started again, as at Google; unlike there, it keeps its port.
 */
import { createRequire } from 'node:module'
import { connect } from 'node:net'
import { join } from 'node:path'
import { type Clock, sleep } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import { freePorts } from '@porttunneler/shared/testing/ports'
import { z } from 'zod'
import type { LogFile } from '../../standalone/log-file.ts'
import { SupervisedProgram } from '../../standalone/supervisor.ts'
import { root } from '../harness/programs.ts'

export const functionNames = ['api', 'onRelayEvent', 'onJobs', 'onSchedule', 'stripeWebhook'] as const
export type FunctionName = (typeof functionNames)[number]

/** The time from start until it listens, on a busy machine. */
const startMs = 60_000
const pollMs = 50

const framework = join(
  createRequire(join(root, 'functions/main.ts')).resolve('@google-cloud/functions-framework'),
  '../main.js',
)
const lineSchema = z.looseObject({ severity: z.string(), message: z.string(), code: z.string().optional() })

export type FunctionsOptions = {
  readonly env: Readonly<Record<string, string>>
  readonly logOf: (name: FunctionName) => LogFile
  readonly clock: Clock
  readonly random: () => number
  /** Called for every process, with a way to end it at once. */
  onProcess(kill: () => void): void
  /** Gets a sentence for the terminal. */
  onTrouble(sentence: string): void
  /** Cancels the start. */
  readonly signal: AbortSignal
}

export type Functions = {
  readonly ports: ReadonlyMap<FunctionName, number>
  stop(graceMs: number): Promise<void>
}

/**
 * Resolves when all of them listen.
 * @throws local.start with the last output of one that does not; the reason of `signal`
 */
export async function startFunctions(options: FunctionsOptions): Promise<Functions> {
  const free = await freePorts(functionNames.length)
  const ports = new Map(functionNames.map((name, index) => [name, free[index] ?? 0] as const))
  const programs = new Map<FunctionName, SupervisedProgram>()
  const stop = async (graceMs: number) => {
    await Promise.all([...programs.values()].map((program) => program.stop(graceMs)))
  }
  try {
    await Promise.all(
      [...ports].map(async ([name, port]) => {
        const started = startFunction(name, port, options)
        programs.set(name, started.program)
        await started.ready
      }),
    )
  } catch (error) {
    await stop(0)
    throw error
  }
  return { ports, stop }
}

function startFunction(name: FunctionName, port: number, options: FunctionsOptions) {
  const { env, logOf, clock, random, onProcess, onTrouble, signal } = options
  const log = logOf(name)
  const failed = Promise.withResolvers<never>()
  let lastWords = 'It said nothing.'
  const program = new SupervisedProgram(
    {
      file: framework,
      args: ['--source', join(root, 'functions/dist'), '--target', name, '--port', `${port}`],
      // As in the cloud, without log lines of the framework.
      env: { ...env, NODE_ENV: 'production' },
      execArgv: ['--import', new URL('../../standalone/orphan-guard.ts', import.meta.url).href],
      finalExitCodes: [],
      onMessage: () => undefined,
      onLine: (line) => {
        log.write(line)
        const sentence = sentenceOf(line)
        if (sentence === undefined) return
        lastWords = sentence
        onTrouble(`${name}: ${sentence}`)
      },
      onExit: ({ code, restartMs }) => {
        failed.reject(fail('local.start', `The function ${name} ended with ${code}. ${lastWords}`))
        if (restartMs !== undefined) onTrouble(`${name} ended with ${code} and starts again.`)
      },
    },
    { clock, random },
  )
  failed.promise.catch(() => undefined)
  program.start()
  onProcess(() => program.kill())
  return { program, ready: Promise.race([listens(port, { name, clock, signal }), failed.promise]) }
}

/** The part of a function's log line that is useful to a person. */
function sentenceOf(line: string): string | undefined {
  if (!line.startsWith('{')) return undefined
  const parsed = lineSchema.safeParse(JSON.parse(line))
  if (!parsed.success || parsed.data.severity === 'INFO' || parsed.data.severity === 'DEBUG') return undefined
  const { message, code } = parsed.data
  return code === undefined ? message : `${message} (${code})`
}

/** A function has no address that says whether it is ready, and a CloudEvent function accepts no empty request. */
async function listens(
  port: number,
  { name, clock, signal }: { readonly name: string; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  const untilMs = clock.monotonic() + startMs
  while (clock.monotonic() < untilMs) {
    if (await takesConnections(port)) return
    await sleep(clock, pollMs, signal)
  }
  throw fail('local.start', `The function ${name} does not listen after ${startMs / 1_000} s.`)
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
