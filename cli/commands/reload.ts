/** Keeps a running agent in step with ptun.yaml: reads it again when it changed or when a SIGHUP asks for it. */
import type { Clock } from '@porttunneler/shared/base/clock'
import { isFailure } from '@porttunneler/shared/base/errors'
import type { Supervisor } from '../agent/supervisor.ts'
import type { WantedTunnel } from '../agent/tunnels.ts'
import { FileWatch } from '../config-watch.ts'
import type { LeadingOutput } from './domain-keeper.ts'

/** Where the wanted tunnels come from, and how to read them again. */
export type TunnelSource = {
  /** Absolute. */
  readonly path: string
  /** The file's fingerprint just before the first reading: later changes are news. */
  readonly seen: string
  /** @throws config.*; the result counts once `accept` was called */
  read(): Promise<{ readonly tunnels: readonly WantedTunnel[]; accept(): void }>
}

export type ReloaderOptions = {
  readonly clock: Clock
  readonly source: TunnelSource
  readonly supervisor: Supervisor
  /** Leads domains as the file says now. */
  readonly output: Pick<LeadingOutput, 'follow'>
  /** @throws cli.running for a tunnel that another process serves */
  check(tunnels: readonly WantedTunnel[]): Promise<void>
}

export class Reloader {
  readonly #options: ReloaderOptions
  readonly #watch: FileWatch
  /** One reading at a time; if another was requested meanwhile, once more. */
  #isRunning = false
  #isAskedAgain = false

  constructor(options: ReloaderOptions) {
    this.#options = options
    const { clock, source } = options
    this.#watch = new FileWatch({
      clock,
      path: source.path,
      seen: source.seen,
      onChange: () => this.reload(),
    })
  }

  start(): void {
    void this.#watch.start()
  }

  reload(): void {
    this.#isAskedAgain = true
    if (!this.#isRunning) void this.#run()
  }

  close(): void {
    this.#watch.close()
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    while (this.#isAskedAgain) {
      this.#isAskedAgain = false
      await this.#reload()
    }
    this.#isRunning = false
  }

  async #reload(): Promise<void> {
    const { source, supervisor, output, check } = this.#options
    await this.#watch.mark()
    try {
      const { tunnels, accept } = await source.read()
      await check(tunnels)
      accept()
      supervisor.reload(tunnels, source.path)
      output.follow(tunnels)
    } catch (error) {
      if (!isFailure(error)) throw error
      supervisor.refuseReload(error, source.path)
    }
  }
}
