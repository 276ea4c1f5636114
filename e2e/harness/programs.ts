/** Child processes as a user would start them. Their lines are kept, and they are ended by their own id. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { EventLog, patienceMs, within } from './events.ts'

export const root = join(import.meta.dirname, '../..')
/** The Node of the lock file, as npm scripts use it. */
const binaries = join(root, 'node_modules/.bin')

export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null }
export type Line = { readonly from: 'stdout' | 'stderr'; readonly text: string }

export type Program = {
  readonly name: string
  readonly pid: number
  readonly lines: EventLog<Line>
  readonly exited: Promise<Exit>
  send(signal: NodeJS.Signals): void
  /** Writes to its stdin and ends it. */
  input(text: string): void
  /** Ends it, by SIGKILL if it does not end within `graceMs`. Idempotent. */
  stop(signal?: NodeJS.Signals, graceMs?: number): Promise<Exit>
}

export type ProgramOptions = {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  readonly uid?: number
  readonly gid?: number
  /** Network namespace to run in (Linux, root). */
  readonly namespace?: string
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Waits until the system has started it. */
export async function startProgram(
  command: string,
  args: readonly string[],
  { env = {}, cwd = root, namespace, ...user }: ProgramOptions = {},
): Promise<Program> {
  // `ip netns exec` becomes the program: the process keeps its id.
  const words = namespace === undefined ? [] : ['ip', 'netns', 'exec', namespace]
  const [file = command, ...rest] = [...words, command, ...args]
  const child = spawn(file, rest, {
    cwd,
    env: { ...process.env, PATH: `${binaries}:${process.env.PATH}`, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    ...user,
  })
  running.add(child)
  const lines = new EventLog<Line>()
  for (const from of ['stdout', 'stderr'] as const)
    createInterface({ input: child[from] }).on('line', (text) => lines.push({ from, text }))
  child.stdin.on('error', () => undefined)
  const exited = new Promise<Exit>((resolve) => {
    child.once('close', (code, signal) => {
      running.delete(child)
      resolve({ code, signal })
    })
  })
  const pid = await new Promise<number>((resolve, reject) => {
    child.once('spawn', () => resolve(child.pid as number))
    child.once('error', reject)
  })
  return {
    name: [command, ...args].join(' '),
    pid,
    lines,
    exited,
    send: (signal) => void child.kill(signal),
    input: (text) => void child.stdin.end(text),
    stop: (signal = 'SIGTERM', graceMs = patienceMs) => stop(child, exited, { signal, graceMs }),
  }
}

/** Runs to the end. The output is in `lines`. */
export async function runProgram(
  command: string,
  args: readonly string[],
  options: ProgramOptions & { readonly input?: string; readonly deadlineMs?: number } = {},
): Promise<{ readonly exit: Exit; readonly stdout: string; readonly stderr: string }> {
  const program = await startProgram(command, args, options)
  program.input(options.input ?? '')
  try {
    const exit = await within(program.exited, program.name, options.deadlineMs)
    return { exit, stdout: textOf(program, 'stdout'), stderr: textOf(program, 'stderr') }
  } finally {
    await program.stop('SIGKILL')
  }
}

export function textOf({ lines }: Program, from: Line['from']): string {
  return lines.items
    .filter((line) => line.from === from)
    .map(({ text }) => text)
    .join('\n')
}

/** The direct children of a process, with their command lines (Linux). */
export function childrenOf(pid: number): readonly { readonly pid: number; readonly command: string }[] {
  const ids = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  if (ids === '') return []
  return ids.split(' ').map((id) => ({
    pid: Number(id),
    command: readFileSync(`/proc/${id}/cmdline`, 'utf8').replaceAll('\0', ' ').trim(),
  }))
}

async function stop(
  child: ChildProcess,
  exited: Promise<Exit>,
  { signal, graceMs }: { signal: NodeJS.Signals; graceMs: number },
): Promise<Exit> {
  if (child.exitCode === null && child.signalCode === null) child.kill(signal)
  try {
    return await within(exited, `${child.spawnfile} ends`, graceMs)
  } catch {
    child.kill('SIGKILL')
    return exited
  }
}
