/**
 * Starts the parts of a standalone server in the order they need each other and stops them in the reverse one: data
 * folder, control plane, console, relay, demo. Stopping therefore drains the demo's agent first and the relay while the
 * API still takes its last report; the store goes last, so nothing acknowledged is lost.
 */
import { existsSync, rmSync } from 'node:fs'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Clock } from '@porttunneler/shared/base/clock'
import { isFailure } from '@porttunneler/shared/base/errors'
import type { Log } from '@porttunneler/shared/base/log'
import { pino } from 'pino'
import { isLoopback, type Settings } from './config.ts'
import { type ControlPlane, openControlPlane } from './control-plane.ts'
import { type DataFolder, openDataFolder, writePrivateFile } from './data-folder.ts'
import { type DemoAddresses, startDemo } from './demo.ts'
import { LogFile, sentenceOf } from './log-file.ts'
import type { Report, Welcome } from './output.ts'
import manifest from './package.json' with { type: 'json' }
import { endpointFace, liveOrigin, type RelayOptions, type RelayPorts } from './relay.ts'
import { Relays } from './relays.ts'
import { readWebFiles } from './web-files.ts'
import { type Fetch, type Listening, listen, makeWeb } from './web-server.ts'

/** Where `ptun` looks when it is not told (cli/context.ts). */
const defaultServer = 'http://localhost:8400'

export type ServerOptions = {
  readonly clock: Clock
  readonly random: () => number
  /** Aborted to stop, whether or not the start is over. */
  readonly signal: AbortSignal
  /** Told of every child process, with the way to end it at once. */
  onProcess(kill: () => void): void
  /** A sentence for the terminal. */
  onTrouble(sentence: string): void
}

export type RunningServer = {
  /** Absent when it was stopped before it was up. */
  readonly facts?: Welcome
  /** Resolves when the signal has stopped it and everything is closed. */
  readonly ended: Promise<void>
  /** Restarts the relays in turn; resolves when the last is back. */
  restartRelays(): Promise<void>
}

/** @throws standalone.*, store.*; what was started by then is stopped again */
export async function startServer(settings: Settings, options: ServerOptions): Promise<RunningServer> {
  const { signal } = options
  const parts = new AsyncDisposableStack()
  try {
    const start = new Start(settings, options, parts)
    const facts = await start.run()
    const restartRelays = () => start.restartRelays()
    if (signal.aborted) return { facts, ended: parts.disposeAsync(), restartRelays }
    const ended = new Promise<void>((resolve) =>
      signal.addEventListener('abort', () => resolve(parts.disposeAsync()), { once: true }),
    )
    return { facts, ended, restartRelays }
  } catch (error) {
    await parts.disposeAsync()
    if (signal.aborted) return { ended: Promise.resolve(), restartRelays: async () => {} }
    throw error
  }
}

/** One start, step by step; every step hands what it opened to `parts`. */
class Start {
  readonly #settings: Settings
  readonly #options: ServerOptions
  readonly #parts: AsyncDisposableStack
  readonly #folder: DataFolder
  /** What the console's port answers until the control plane is open. */
  #fetch: Fetch = () => new Response('Starting.\n', { status: 503, headers: { 'retry-after': '1' } })
  #relays: Relays | undefined

  constructor(settings: Settings, options: ServerOptions, parts: AsyncDisposableStack) {
    this.#settings = settings
    this.#options = options
    this.#parts = parts
    this.#folder = openDataFolder(settings.data)
    parts.defer(() => this.#folder.close())
  }

  async run(): Promise<Welcome> {
    const { config, data } = this.#settings
    // A report that is still there was left by a server that was killed; it would mislead scripts.
    const wasKilled = existsSync(this.#reportFile)
    rmSync(this.#reportFile, { force: true })
    const files = readWebFiles(fileURLToPath(new URL('../web/dist', import.meta.url)))
    const listening = await this.#listen()
    const consoleUrl = config.public.console ?? `http://${urlHost(config.host)}:${listening.port}`
    const control = await this.#openControl(consoleUrl)
    this.#parts.defer(() => listening.close(this.#graceMs))
    this.#fetch = makeWeb({
      api: control.fetch,
      files,
      liveOrigins: () => (this.#relays?.ports ?? []).map((ports) => liveOrigin(config, ports)),
      isHttps: consoleUrl.startsWith('https:'),
    })
    const controlUrl = ownUrl(config.bind, listening.port)
    await this.#startRelays(control, { controlUrl, consoleUrl, mayStillRun: wasKilled })
    // From here on the start is finished even when it is interrupted: the password is shown once or never.
    const account = await control.ensureFirstAccount(config.email)
    const demo = config.demo ? await this.#startDemo(control, consoleUrl) : {}
    const report: Report = {
      console: consoleUrl,
      api: consoleUrl,
      pid: process.pid,
      ...(account ? { account } : {}),
      ...(demo.addresses ? { demo: demo.addresses } : {}),
    }
    this.#writeReport(report)
    return {
      report,
      dataFolder: shortPath(data),
      isLoopback: isLoopback(config),
      isDefaultServer: consoleUrl === defaultServer,
      ...(demo.problem === undefined ? {} : { demoProblem: demo.problem }),
    }
  }

  async restartRelays(): Promise<void> {
    await this.#relays?.roll()
  }

  get #reportFile(): string {
    return this.#folder.file('standalone.json')
  }

  get #graceMs(): number {
    return this.#settings.config.graceSeconds * 1_000
  }

  async #listen(): Promise<Listening> {
    const { bind, ports } = this.#settings.config
    const { clock } = this.#options
    const listening = await listen((request, env) => this.#fetch(request, env), {
      host: bind,
      port: ports.console,
      clock,
    })
    this.#parts.defer(() => listening.close(0))
    return listening
  }

  async #openControl(consoleUrl: string): Promise<ControlPlane> {
    const { clock, random } = this.#options
    const { config } = this.#settings
    const control = openControlPlane({
      folder: this.#folder,
      isOpen: config.registration ?? isLoopback(config),
      plan: config.plan ?? (isLoopback(config) ? 'unlimited' : 'free'),
      version: manifest.version,
      smtp: config.mail,
      consoleUrl,
      isProxied: config.public.console !== undefined,
      clock,
      random,
      log: this.#openLog(),
    })
    this.#parts.defer(() => control.close())
    await this.#ensureCell(control, { tlsPort: config.ports.tls, httpPort: config.ports.http })
    return control
  }

  /** The control plane's own log: lines in a file, warnings on the terminal too. */
  #openLog(): Log {
    const file = this.#logFile('control')
    const write = (line: string) => {
      file.write(line)
      const sentence = sentenceOf(line)
      if (sentence !== undefined) this.#options.onTrouble(sentence)
    }
    return pino({ base: null, serializers: { error: pino.stdSerializers.err } }, { write })
  }

  #logFile(name: string): LogFile {
    const file = new LogFile(this.#folder.file('logs', `${name}.log`))
    this.#parts.defer(() => file.close())
    return file
  }

  async #ensureCell(control: ControlPlane, ports: Pick<RelayPorts, 'tlsPort' | 'httpPort'>): Promise<void> {
    const { config } = this.#settings
    const { from, to } = config.ports.tcp
    const { host, domain } = config
    await control.ensureCell({ host, domain, portFrom: from, portTo: to, ...endpointFace(config, ports) })
  }

  async #startRelays(
    control: ControlPlane,
    given: Pick<RelayOptions, 'controlUrl' | 'consoleUrl' | 'mayStillRun'>,
  ): Promise<void> {
    const { clock, random, onProcess, onTrouble, signal } = this.#options
    const relays = new Relays({
      config: this.#settings.config,
      isBundled: this.#settings.isBundled,
      ...given,
      folder: this.#folder,
      newEnrolmentKey: () => control.newEnrolmentKey(),
      log: this.#logFile('relay'),
      clock,
      random,
      onProcess,
      onTrouble,
    })
    this.#relays = relays
    this.#parts.defer(() => relays.stop(this.#graceMs))
    const commands = await control.onCommand((command) => relays.send({ command }))
    this.#parts.defer(() => commands.close())
    await this.#ensureCell(control, await unlessAborted(relays.start(), signal))
  }

  /** A demo that does not come up is said, and is no reason not to start. */
  async #startDemo(
    control: ControlPlane,
    server: string,
  ): Promise<{ addresses?: DemoAddresses; problem?: string }> {
    const { clock, random, onProcess, signal } = this.#options
    const log = this.#logFile('demo-agent')
    try {
      const key = await control.demoKey()
      const demo = await startDemo({ folder: this.#folder, server, key, log, clock, random })
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
    this.#parts.defer(() => rmSync(this.#reportFile, { force: true }))
  }
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

/** As seen from here, if it lies below. */
function shortPath(path: string): string {
  const short = relative(process.cwd(), path)
  return short === '' || short.startsWith('..') ? path : short
}

/** The address by which children on this machine reach the API. */
function ownUrl(bind: string, port: number): string {
  const host = bind === '0.0.0.0' ? '127.0.0.1' : bind === '::' ? '::1' : bind
  return `http://${urlHost(host)}:${port}`
}

function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}
