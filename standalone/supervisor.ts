/**
 * Keeps one child process running: starts it, passes on its lines and messages, starts it again with backoff when it
 * ends by itself, drains it by SIGTERM and kills it only after its grace. Children have their own process group, so a
 * Ctrl-C in the terminal reaches only the parent, which then stops them in order. They notice the end of the IPC
 * channel, so none outlives a parent that was killed.
 */
import { type ChildProcess, type ForkOptions, fork } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { type BackoffShape, backoffMs } from '@porttunneler/shared/base/backoff'
import type { Clock, Timer } from '@porttunneler/shared/base/clock'

export type Program = {
  readonly file: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Exit codes that another start would not fix: bad configuration, refused credentials. */
  readonly finalExitCodes: readonly number[]
  /** Options for Node itself. */
  readonly execArgv?: readonly string[]
  onMessage(message: unknown): void
  onLine(line: string): void
  /** `restartMs` is undefined when it stays down. */
  onExit(exit: {
    readonly code: number | null
    readonly signal: string | null
    readonly restartMs?: number
  }): void
}

/**
 * Three quick tries repair a crash before anybody notices; then slower, so that a broken program does not use up the
 * machine.
 */
const restartBackoff: BackoffShape = { fastTries: 3, fastMs: 200, minMs: 1_000, maxMs: 20_000, jitter: 0.2 }
/** After running this long, the next failure counts as a new one. */
const settledMs = 60_000
/** Between the end of the grace and SIGKILL: time to close the rest. */
const killAfterMs = 3_000

export class SupervisedProgram {
  readonly #program: Program
  readonly #clock: Clock
  readonly #random: () => number
  readonly #spawn: typeof fork
  #child: ChildProcess | undefined
  #restart: Timer | undefined
  #attempt = 0
  #startedMs = 0
  #state: 'idle' | 'running' | 'waiting' | 'stopped' = 'idle'

  /** @param spawn tests pass their own */
  constructor(
    program: Program,
    { clock, random, spawn = fork }: { clock: Clock; random: () => number; spawn?: typeof fork },
  ) {
    this.#program = program
    this.#spawn = spawn
    this.#clock = clock
    this.#random = random
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  start(): void {
    if (this.#state === 'running' || this.#state === 'stopped') return
    this.#state = 'running'
    this.#startedMs = this.#clock.monotonic()
    const { file, args, env, execArgv = [] } = this.#program
    const child = this.#fork(file, args, {
      env: { ...process.env, ...env },
      execArgv: [...execArgv],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true,
    })
    if (child === undefined) return
    this.#child = child
    if (child.stdout) this.#passLines(child.stdout)
    if (child.stderr) this.#passLines(child.stderr)
    child.on('message', (message) => this.#program.onMessage(message))
    child.once('error', (error) => this.#program.onLine(error.message))
    child.once('close', (code, signal) => this.#onClose(child, code, signal))
  }

  /** Without memory or room for a process, it tries again as after any end. */
  #fork(file: string, args: readonly string[], options: ForkOptions): ChildProcess | undefined {
    try {
      return this.#spawn(file, args, options)
    } catch (error) {
      this.#program.onLine(error instanceof Error ? error.message : String(error))
      this.#onEnd(null, null)
      return undefined
    }
  }

  /** Sends a message to the child if it runs; a child that missed one while down learns it from `sync`. */
  send(message: object): void {
    if (this.#child?.connected) this.#child.send(message, () => undefined)
  }

  /** Drains: `signal`, then SIGKILL if it still runs a little after `graceMs`. Resolves when it is gone. */
  async stop(graceMs: number, signal: 'SIGTERM' | 'SIGUSR2' = 'SIGTERM'): Promise<void> {
    this.#state = 'stopped'
    this.#restart?.clear()
    const child = this.#child
    if (!child) return
    const gone = new Promise<void>((resolve) => child.once('close', () => resolve()))
    child.kill(signal)
    const kill = this.#clock.after(graceMs + killAfterMs, () => child.kill('SIGKILL'))
    await gone
    kill.clear()
  }

  /** Ends it at once. */
  kill(): void {
    this.#state = 'stopped'
    this.#restart?.clear()
    this.#child?.kill('SIGKILL')
  }

  #passLines(stream: Readable): void {
    createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (line) =>
      this.#program.onLine(line),
    )
  }

  #onClose(child: ChildProcess, code: number | null, signal: string | null): void {
    if (this.#child !== child) return
    this.#child = undefined
    this.#onEnd(code, signal)
  }

  #onEnd(code: number | null, signal: string | null): void {
    const final = code !== null && this.#program.finalExitCodes.includes(code)
    if (this.#state === 'stopped' || final) {
      this.#state = 'stopped'
      this.#program.onExit({ code, signal })
      return
    }
    if (this.#clock.monotonic() - this.#startedMs >= settledMs) this.#attempt = 0
    const restartMs = backoffMs(restartBackoff, this.#attempt++, this.#random)
    this.#state = 'waiting'
    this.#restart = this.#clock.after(restartMs, () => this.start())
    this.#program.onExit({ code, signal, restartMs })
  }
}
