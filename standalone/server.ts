/**
 * Starts the parts of a standalone server in the order they need each other and stops them in reverse: front (data
 * folder, control plane, console), relays, demo. So stopping drains the demo's agent first, and the relay while the API
 * still takes its last report; the store goes last, so nothing acknowledged is lost. The parts can be taken from a
 * running server, and given to a newer one (hand-over.ts).
 */
import { existsSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from '@porttunneler/shared/api/schemas/relays'
import type { Clock } from '@porttunneler/shared/base/clock'
import { isFailure } from '@porttunneler/shared/base/errors'
import type { Telemetry } from '@porttunneler/shared/base/telemetry'
import { openTelemetry } from '@porttunneler/shared/telemetry/open'
import { isLoopback, type Settings } from './config.ts'
import type { ControlPlane } from './control-plane.ts'
import { type DataFolder, openDataFolder, writePrivateFile } from './data-folder.ts'
import { type DemoAddresses, startDemo } from './demo.ts'
import { type Front, openFront } from './front.ts'
import { type Ask, type Channel, type Given, type Predecessor, serveSuccessor } from './hand-over.ts'
import type { Report, Welcome } from './output.ts'
import manifest from './package.json' with { type: 'json' }
import { ProgramLogs } from './program-logs.ts'
import { checkRelay } from './relay.ts'
import { Relays } from './relays.ts'
import { readWebFiles, type WebFiles } from './web-files.ts'

/** For running requests at the API when it passes to a newer server. */
const lastRequestsMs = 1_000

/** Where `ptun` looks when it is not told (cli/context.ts). */
const defaultServer = 'http://localhost:8400'

export type ServerOptions = {
  readonly clock: Clock
  readonly random: () => number
  /** Aborted to stop, whether or not the start is over. */
  readonly signal: AbortSignal
  /** The process to signal. */
  readonly pid: number
  /** The running server, which will have given everything when this one is up. */
  readonly predecessor?: Predecessor | undefined
  /** Called for every child process, with the way to end it at once. */
  onProcess(kill: () => void): void
  /** Takes a sentence for the terminal. */
  onTrouble(sentence: string): void
}

export type RunningServer = {
  /** Undefined when it was stopped before it was up. */
  readonly facts?: Welcome
  /** Resolves when it was stopped, or gave everything to a newer one, and everything is closed. */
  readonly ended: Promise<void>
  /** Restarts the relays in turn; resolves when the last is back. */
  restartRelays(): Promise<void>
  /** Lets a newer server take over. */
  serveSuccessor(channel: Channel): void
}

/** @throws standalone.*, store.*; everything started by then is stopped again */
export async function startServer(settings: Settings, options: ServerOptions): Promise<RunningServer> {
  const { signal, onTrouble } = options
  const parts = new AsyncDisposableStack()
  const left = Promise.withResolvers<void>()
  const start = new Start(settings, options, parts)
  const leave = async () => {
    await parts.disposeAsync()
    left.resolve()
  }
  const running = {
    restartRelays: () => start.restartRelays(),
    serveSuccessor: (channel: Channel) =>
      serveSuccessor(channel, {
        give: (ask) => start.give(ask, leave),
        resume: () => start.resume(),
        pass: (command) => start.pass(command),
        onTrouble: (error) => onTrouble(`Handing over: ${isFailure(error) ? error.detail : String(error)}`),
      }),
  }
  try {
    const facts = await start.run()
    signal.addEventListener('abort', () => left.resolve(), { once: true })
    if (signal.aborted) left.resolve()
    return { facts, ended: left.promise.then(() => parts.disposeAsync()), ...running }
  } catch (error) {
    await parts.disposeAsync()
    if (signal.aborted) return { ended: Promise.resolve(), ...running }
    throw error
  }
}

/** One start, step by step; every step adds what it opened to `parts`. */
class Start {
  readonly #settings: Settings
  readonly #options: ServerOptions
  readonly #parts: AsyncDisposableStack
  readonly #files: WebFiles
  #front: Front | undefined
  /** The port it got, which it keeps. */
  #consolePort: number
  readonly #logs: ProgramLogs
  #telemetry: Telemetry | undefined
  #relays: Relays | undefined
  #wasKilled = false
  #hasSuccessor = false

  constructor(settings: Settings, options: ServerOptions, parts: AsyncDisposableStack) {
    this.#settings = settings
    this.#options = options
    this.#parts = parts
    this.#consolePort = settings.config.ports.console
    const { data, config } = settings
    const { clock, onTrouble } = options
    this.#logs = new ProgramLogs({ data, settings: config.logs, clock, onTrouble })
    this.#files = readWebFiles(fileURLToPath(new URL('../web/dist', import.meta.url)))
  }

  async run(): Promise<Welcome> {
    const { config, data } = this.#settings
    const { predecessor, pid } = this.#options
    // Everything that can be checked before the other server gives anything up.
    if (predecessor) await this.#checkRelay()
    const given = await predecessor?.ask({ ask: 'control' })
    const folder = openDataFolder(data)
    this.#wasKilled = predecessor === undefined && existsSync(this.#reportFile)
    // A report that is still there is from a server that was killed; it would mislead scripts.
    if (this.#wasKilled) rmSync(this.#reportFile, { force: true })
    this.#parts.defer(() => this.#logs.close())
    this.#telemetry = await this.#openTelemetry()
    this.#parts.defer(() => this.#front?.close(this.#graceMs))
    const front = await this.#openFront(folder, given?.consolePort ?? config.ports.console)
    await this.#startRelays(front, given)
    // From here on the start is finished even when it is interrupted: the password is shown once or never.
    const account = await front.control.ensureFirstAccount(config.email)
    const { consoleUrl } = front
    const demo = config.demo ? await this.#startDemo(front) : {}
    await predecessor?.ask({ ask: 'rest' })
    const report: Report = {
      console: consoleUrl,
      api: consoleUrl,
      pid,
      ...(account ? { account } : {}),
      ...(demo.addresses ? { demo: demo.addresses } : {}),
    }
    this.#writeReport(report)
    return {
      report,
      dataFolder: shortPath(data),
      isLoopback: isLoopback(config),
      isDefaultServer: consoleUrl === defaultServer,
      ...adviceOn(this.#settings),
      ...(demo.problem === undefined ? {} : { demoProblem: demo.problem }),
    }
  }

  async restartRelays(): Promise<void> {
    await this.#relays?.roll()
  }

  /** Gives a part to a newer server. @param leave ends this one */
  async give(ask: Ask, leave: () => Promise<void>): Promise<Partial<Given>> {
    if (ask.ask === 'relay') {
      await this.#relays?.release(ask.index)
      return {}
    }
    if (ask.ask === 'rest') {
      this.#hasSuccessor = true
      await leave()
      return {}
    }
    await this.#front?.close(lastRequestsMs)
    this.#front = undefined
    return { consolePort: this.#consolePort, relayPorts: [...(this.#relays?.ports ?? [])] }
  }

  /** The newer server did not start: take back what was given to it. */
  async resume(): Promise<void> {
    if (!this.#front) await this.#openFront(openDataFolder(this.#settings.data), this.#consolePort)
    await this.#relays?.reclaim()
  }

  /** A command that came through the newer server. */
  pass(command: Command): void {
    this.#relays?.send({ command })
  }

  /** Loads nothing unless the standard variables ask for it. @throws telemetry.settings */
  async #openTelemetry(): Promise<Telemetry | undefined> {
    const telemetry = await openTelemetry(process.env, {
      service: 'porttunneler',
      version: manifest.version,
      clock: this.#options.clock,
      onTrouble: (error) =>
        this.#logs.control.warn({ error }, 'Traces or metrics could not be sent; the server goes on'),
    })
    if (telemetry) this.#parts.defer(() => telemetry.close())
    return telemetry
  }

  readonly #file = (...names: string[]): string => join(this.#settings.data, ...names)

  get #reportFile(): string {
    return this.#file('standalone.json')
  }

  get #control(): ControlPlane {
    if (!this.#front) throw new Error('The control plane is with another server')
    return this.#front.control
  }

  get #graceMs(): number {
    return this.#settings.config.graceSeconds * 1_000
  }

  /** @param consolePort where it listened, if it did */
  async #openFront(folder: DataFolder, consolePort: number): Promise<Front> {
    const { clock, random, predecessor } = this.#options
    this.#front = await openFront({
      config: this.#settings.config,
      folder,
      consolePort,
      files: this.#files,
      clock,
      random,
      log: this.#logs.control,
      logs: this.#logs.index,
      telemetry: this.#telemetry,
      relayPorts: () => this.#relays?.ports ?? [],
      onCommand: (command) => {
        this.#relays?.send({ command })
        predecessor?.pass(command)
      },
    })
    this.#consolePort = this.#front.consolePort
    return this.#front
  }

  async #checkRelay(): Promise<void> {
    const { config, isBundled } = this.#settings
    const anyUrl = 'http://127.0.0.1'
    const folder = { file: this.#file }
    await checkRelay({ config, isBundled, folder, controlUrl: anyUrl, consoleUrl: anyUrl })
  }

  async #startRelays({ controlUrl, consoleUrl, ensureCell }: Front, given: Given | undefined): Promise<void> {
    const { clock, random, onProcess, onTrouble, signal, predecessor } = this.#options
    const release = async (index: number) => void (await predecessor?.ask({ ask: 'relay', index }))
    const relays = new Relays({
      config: this.#settings.config,
      isBundled: this.#settings.isBundled,
      controlUrl,
      consoleUrl,
      mayStillRun: this.#wasKilled || predecessor?.isGone === true,
      ...(given && { takeOver: { ports: given.relayPorts, release } }),
      folder: { file: this.#file },
      newEnrolmentKey: () => this.#control.newEnrolmentKey(),
      log: this.#logs.relays(),
      clock,
      random,
      onProcess,
      onTrouble,
    })
    this.#relays = relays
    this.#parts.defer(() => relays.stop(this.#graceMs))
    await ensureCell(await unlessAborted(relays.start(), signal))
  }

  /** A demo that fails to start is reported but does not stop the start. */
  async #startDemo({
    control,
    controlUrl: server,
  }: Front): Promise<{ addresses?: DemoAddresses; problem?: string }> {
    const { clock, random, onProcess, signal, predecessor } = this.#options
    const log = this.#logs.demoAgent()
    const hasPredecessor = predecessor !== undefined && !predecessor.isGone
    try {
      const key = await control.demoKey()
      const folder = { file: this.#file }
      const demo = await startDemo({ folder, hasPredecessor, server, key, log, clock, random })
      onProcess(demo.kill)
      this.#parts.defer(() => demo.stop(this.#graceMs))
      return { addresses: await unlessAborted(demo.addresses, signal) }
    } catch (error) {
      if (signal.aborted) return {}
      if (!isFailure(error)) throw error
      return { problem: `${error.code} ${error.detail}` }
    }
  }

  #writeReport(report: Report): void {
    writePrivateFile(this.#reportFile, `${JSON.stringify(report, null, 2)}\n`)
    this.#parts.defer(() => {
      if (!this.#hasSuccessor) rmSync(this.#reportFile, { force: true })
    })
  }
}

/** How the server gets HTTPS by itself, if it has none and no proxy in front gives it. */
function adviceOn({ config, hasOldAuthority }: Settings): { readonly advice?: string } {
  const { acme, certificate, authority } = config
  if (acme || certificate || authority || config.public.console !== undefined) return {}
  const again = 'The names of this server have changed: "npm run trust" makes its HTTPS anew.'
  return { advice: hasOldAuthority ? again : 'HTTPS that the browsers of this machine trust: npm run trust.' }
}

/** Settles as `promise` does, or rejects as soon as `signal` is aborted. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>()
  const onAbort = () => aborted.reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    return await Promise.race([promise, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** Relative to the present folder, if it is below that. */
function shortPath(path: string): string {
  const short = relative(process.cwd(), path)
  return short === '' || short.startsWith('..') ? path : short
}
