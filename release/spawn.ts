/** Runs the commands of a real release as child processes. */
import { type ChildProcess, spawn } from 'node:child_process'
import process from 'node:process'
import type { Clock, Timer } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import { type Command, commandLine, type Run } from './command.ts'

const minutesDefault = 5
const outputBytesMax = 64 * 1024 * 1024
/** So much of what a failed program wrote last is shown. */
const lastWordsChars = 2_000
/** After SIGTERM: Terraform finishes what it has begun, which for a function takes minutes, and gives back its lock. */
const graceMs = 5 * 60_000

export type Surroundings = {
  readonly clock: Clock
  /** Ends the command that runs, and lets none begin. */
  readonly signal: AbortSignal
  readonly cwd: string
}

/** @returns a port that spawns real programs, in `cwd` */
export function spawning({ clock, signal, cwd }: Surroundings): Run {
  return (command) => {
    signal.throwIfAborted()
    const { program, args, input = '', secrets = {}, minutes = minutesDefault } = command
    const child = spawn(program, args, {
      cwd,
      // Without a terminal nobody could answer a question.
      env: {
        ...process.env,
        CLOUDSDK_CORE_DISABLE_PROMPTS: '1',
        TF_INPUT: '0',
        TF_IN_AUTOMATION: '1',
        ...secrets,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
      // Ctrl-C at a terminal reaches a whole group: Terraform would get two signals,
      // and then it drops everything.
      detached: true,
    })
    const out: Buffer[] = []
    let outBytes = 0
    let lastWords = ''
    let stopped: string | undefined
    let killing: Timer | undefined
    const stop = (reason: string) => {
      if (stopped !== undefined) return
      stopped = reason
      endGroup(child, 'SIGTERM')
      killing = clock.after(graceMs, () => endGroup(child, 'SIGKILL'))
    }
    const onAbort = () => stop('it was interrupted')
    const deadline = clock.after(minutes * 60_000, () => stop(`it took longer than ${minutes} min`))
    signal.addEventListener('abort', onAbort, { once: true })
    child.stdout.on('data', (chunk: Buffer) => {
      outBytes += chunk.length
      if (outBytes > outputBytesMax) stop('it printed too much')
      else out.push(chunk)
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      lastWords = `${lastWords}${text}`.slice(-lastWordsChars)
    })
    // A program that reads no input may close it; what matters is how it ends.
    child.stdin.on('error', () => undefined).end(input)
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    child.once('error', (cause) => {
      settle()
      reject(failure(command, cause.message, '', cause))
    })
    child.once('close', (code, killedBy) => {
      settle()
      if (code === 0 && stopped === undefined) return resolve(Buffer.concat(out).toString('utf8'))
      const reason = stopped ?? (killedBy ? `${killedBy} ended it` : `it ended with ${code}`)
      const quotable = command.printsSecrets ? '' : Buffer.concat(out).toString('utf8')
      reject(failure(command, reason, lastWords || quotable.slice(-lastWordsChars)))
    })
    function settle(): void {
      deadline.clear()
      killing?.clear()
      signal.removeEventListener('abort', onAbort)
    }
    return promise
  }
}

/** A program and all that it started: npm passes no signal on. */
function endGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch {
    // It has ended by itself.
  }
}

function failure(command: Command, reason: string, lastWords: string, cause?: unknown) {
  const said = Object.values(command.secrets ?? {})
    .filter((value) => value !== '')
    .reduce((text, value) => text.replaceAll(value, '[secret]'), lastWords)
    .trim()
  const detail = `${commandLine(command)}: ${reason}${said === '' ? '' : `\n${said}`}`
  return fail('release.command', detail, { fields: { lastWords: said }, cause })
}
