/** Runs the examples of one page, in order, as a reader would: in one folder, some of them in the background. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Fence, fencesOf, sessionOf } from '../../site/fences.ts'
import { within } from '../harness/events.ts'
import { root } from '../harness/programs.ts'
import { temporaryFolder } from '../harness/standalone.ts'

export type Outcome = {
  readonly ran: number
  /** Reasons why examples are only shown. */
  readonly shown: readonly string[]
  readonly failures: readonly string[]
}

type Environment = Readonly<Record<string, string | undefined>>
type Place = { readonly folder: string; readonly env: Environment; readonly running: Background[] }
type Background = { readonly child: ChildProcess; readonly closed: Promise<unknown>; said(): string }

const deadlineMs = 60_000

/**
 * @param path below docs/ @param env of every example; HOME is set to a folder of the page's own
 * @param look at the end, while what the page started still runs
 */
export async function runPage(path: string, env: Environment, look?: () => Promise<void>): Promise<Outcome> {
  const fences = fencesOf(readFileSync(join(root, 'docs', path), 'utf8'))
  const folder = temporaryFolder('docs')
  const place: Place = {
    folder,
    env: { ...env, HOME: folder, XDG_RUNTIME_DIR: join(folder, 'run') },
    running: [],
  }
  // What a reader installs is installed here.
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const failures: string[] = []
  let ran = 0
  try {
    for (const fence of fences) {
      if (fence.mark === 'file') writeExample(folder, fence)
      if (fence.mark !== 'run') continue
      ran += 1
      const problem = await runFence(fence, place)
      if (problem === undefined) continue
      failures.push(`docs/${path}:${fence.line} ${problem}`)
      // What follows builds on it.
      break
    }
    if (failures.length === 0)
      await look?.().catch((error: unknown) => failures.push(`docs/${path} at its end: ${error}`))
  } finally {
    for (const background of place.running) await end(background)
    rmSync(folder, { recursive: true, force: true })
  }
  const shown = fences.filter(({ mark }) => mark === 'shown').map(({ rest }) => rest)
  return { ran, shown, failures }
}

function writeExample(folder: string, { rest, text }: Fence): void {
  const file = join(folder, rest)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

/** Returns what is wrong, or undefined. */
async function runFence(fence: Fence, place: Place): Promise<string | undefined> {
  const { typed, printed } =
    fence.language === 'console' ? sessionOf(fence.text) : { typed: fence.text, printed: '' }
  const [until, ...words] = fence.rest.split(' ')
  const child = start(typed, place)
  if (until === 'until') return await awaitWords(words.join(' '), child, place)
  try {
    await within(child.closed, typed, deadlineMs)
  } catch {
    await end(child)
    return `did not end within ${deadlineMs / 1_000} s; it printed:\n${child.said()}`
  }
  if (child.child.exitCode !== 0) return `ended with ${child.child.exitCode}; it printed:\n${child.said()}`
  if (fence.language !== 'console' || isAsPrinted(child.printed(), printed)) return undefined
  return `printed something else than the page says:\n${child.printed()}`
}

/** `…` stands for anything, line ends included. */
function isAsPrinted(output: string, pattern: string): boolean {
  const parts = pattern.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('[^]*')}$`).test(output.trim())
}

/** A process group of its own, so that all that it starts ends with it. */
function start(script: string, { folder, env }: Place): Background & { printed(): string } {
  const child = spawn('bash', ['-eo', 'pipefail', '-c', script], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let printed = ''
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text
    said += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const closed = new Promise((resolve) => child.once('close', resolve))
  return { child, closed, said: () => said, printed: () => printed }
}

async function awaitWords(words: string, background: Background, place: Place): Promise<string | undefined> {
  place.running.push(background)
  const { child, closed, said } = background
  const heard = new Promise<void>((resolve) => {
    const look = () => said().includes(words) && resolve()
    child.stdout?.on('data', look)
    child.stderr?.on('data', look)
  })
  try {
    await within(Promise.race([heard, closed]), words, deadlineMs)
  } catch {
    return `did not say "${words}" within ${deadlineMs / 1_000} s; it printed:\n${said()}`
  }
  return said().includes(words) ? undefined : `ended before it said "${words}"; it printed:\n${said()}`
}

async function end({ child, closed }: Background): Promise<void> {
  if (child.pid === undefined) return
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    try {
      process.kill(-child.pid, signal)
    } catch {
      // The whole group has ended.
    }
    if (signal === 'SIGTERM') await within(closed, 'an example ends', 15_000).catch(() => undefined)
  }
  await closed
}
