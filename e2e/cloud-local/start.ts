/**
 * The cloud on one machine: emulators of Firestore and Pub/Sub, sign-in, the functions under functions-framework, a
 * front like Hosting, and one cell of relays that get commands by Pub/Sub. Parts start in the order in which they need
 * each other and stop in the reverse order, so a relay's last report finds the API. It is in e2e/ because it uses every
 * program of the repository, which nothing that ships may do.
 */
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import { Secret } from '@porttunneler/shared/base/secret'
import { ensureCell } from '@porttunneler/shared/control/cells'
import { roundsMs } from '@porttunneler/shared/control/jobs/worker'
import { type Cloud, openCloud } from '../../functions/cloud.ts'
import { makeLog } from '../../functions/log.ts'
import { readSettings as readCloudSettings } from '../../functions/settings.ts'
import { EmulatorsMissing, startEmulators } from '../../functions/testing/emulators.ts'
import { kmsKeyOf, startGoogleCloud } from '../../functions/testing/google-cloud.ts'
import type { Settings } from '../../standalone/config.ts'
import { type DataFolder, openDataFolder, writePrivateFile } from '../../standalone/data-folder.ts'
import { LogFile } from '../../standalone/log-file.ts'
import { endpointFace, liveOrigin, type RelayPorts } from '../../standalone/relay.ts'
import { Relays, type RelaysOptions } from '../../standalone/relays.ts'
import { readWebFiles } from '../../standalone/web-files.ts'
import { type Listening, listenWith } from '../../standalone/web-server.ts'
import { buildWhatIsStale } from './builds.ts'
import { makeFront } from './front.ts'
import { type FunctionName, type Functions, startFunctions } from './functions.ts'
import { namesEnvironment } from './names-environment.ts'
import { commandsOf, type Place, provision } from './provision.ts'
import { readRewrites } from './rewrites.ts'
import { makeKey, type Person, type SignIn, signInAt, startSignIn } from './sign-in.ts'

const cell = 'local'

export type StartOptions = {
  /** The standalone server's settings that fit: ports, relays, domain, data folder. */
  readonly settings: Settings
  readonly signIn: SignIn['kind'] | undefined
  readonly clock: Clock
  readonly random: () => number
  onProcess(kill: () => void): void
  /** Prints a sentence on the terminal. */
  say(sentence: string): void
  /** Aborted when it is no longer wanted: this also ends a start. */
  readonly signal: AbortSignal
}

/** What a person or a test needs to know about it; also in cloud-local.json of the data folder. */
export type Report = {
  readonly console: string
  readonly api: string
  readonly pid: number
  readonly project: string
  readonly emulators: { readonly firestore: string; readonly pubsub: string; readonly auth: string }
  readonly signIn: SignIn['kind']
  readonly account: Person
  readonly key: string
}

export type CloudLocal = {
  readonly report: Report
  /** Aborted when it cannot go on, with the failure as its reason. */
  readonly broken: AbortSignal
  stop(): Promise<void>
}

/** @throws local.*, standalone.*, the reason of `signal`; everything started by then is stopped again */
export async function startCloudLocal(options: StartOptions): Promise<CloudLocal> {
  const parts = new AsyncDisposableStack()
  try {
    const start = new Start(options, parts)
    const report = await start.run()
    return { report, broken: start.broken, stop: () => parts.disposeAsync() }
  } catch (error) {
    await parts.disposeAsync()
    throw error
  }
}

type Env = Readonly<Record<string, string>>

class Start {
  readonly #options: StartOptions
  readonly #parts: AsyncDisposableStack
  readonly #folder: DataFolder
  readonly #project = `demo-local-${randomBytes(4).toString('hex')}`
  readonly #broken = new AbortController()
  /** The start ends with it. */
  readonly #over: AbortSignal
  #functions: Functions | undefined
  #relays: Relays | undefined

  constructor(options: StartOptions, parts: AsyncDisposableStack) {
    this.#options = options
    this.#parts = parts
    this.#folder = openDataFolder(options.settings.data)
    parts.defer(() => this.#folder.close())
    this.#over = AbortSignal.any([options.signal, this.#broken.signal])
  }

  get broken(): AbortSignal {
    return this.#broken.signal
  }

  async run(): Promise<Report> {
    const { say, signIn: kind, clock } = this.#options
    await buildWhatIsStale((workspace) => say(`Building ${workspace}.`), this.#over)
    const starting = [
      this.#startEmulators(),
      this.#until(startSignIn(this.#project, { kind, clock })),
      this.#until(startGoogleCloud(this.#project)),
    ] as const
    // Waits for all, so that each part is known before anything ends them, whatever happens to one.
    await Promise.allSettled(starting)
    this.#over.throwIfAborted()
    const [emulators, signIn, google] = await Promise.all(starting)
    const listening = await this.#listen(signIn.host)
    const url = `http://${this.#options.settings.config.host}:${listening.port}`
    const env = this.#environment({ ...emulators, auth: signIn.host, google: google.url, url })
    // Google's SDKs, here and in the relays, find the emulators by these variables.
    Object.assign(process.env, env)
    const functions = await this.#startFunctions(env)
    this.#over.throwIfAborted()
    const cloud = await this.#openCloud()
    const controlUrl = `http://127.0.0.1:${listening.port}`
    await this.#startRelays(cloud, functions, { controlUrl, consoleUrl: url })
    this.#over.throwIfAborted()
    this.#startSchedule(functions)
    const account = {
      email: this.#options.settings.config.email,
      password: randomBytes(9).toString('base64url'),
    }
    const report: Report = {
      console: url,
      api: url,
      pid: process.pid,
      project: this.#project,
      emulators: { ...emulators, auth: signIn.host },
      signIn: signIn.kind,
      account,
      key: await makeKey(url, await signInAt(signIn.host, this.#project, account)),
    }
    this.#over.throwIfAborted()
    this.#writeFiles(report, env)
    return report
  }

  async #until<T extends { close(): Promise<void> }>(starting: Promise<T>): Promise<T> {
    const part = await starting
    this.#parts.defer(() => part.close())
    return part
  }

  async #startEmulators() {
    try {
      const { firestore, pubsub, stop } = await startEmulators({
        env: process.env,
        signal: this.#over,
        onEnded: (what) => this.#broken.abort(fail('local.emulator', what)),
      })
      this.#parts.defer(stop)
      return { firestore, pubsub }
    } catch (cause) {
      if (cause instanceof EmulatorsMissing) throw fail('local.emulators', cause.message, { cause })
      throw fail('local.start', cause instanceof Error ? cause.message : undefined, { cause })
    }
  }

  #environment(given: Record<'firestore' | 'pubsub' | 'auth' | 'google' | 'url', string>): Env {
    return {
      GOOGLE_CLOUD_PROJECT: this.#project,
      FIRESTORE_EMULATOR_HOST: given.firestore,
      PUBSUB_EMULATOR_HOST: given.pubsub,
      FIREBASE_AUTH_EMULATOR_HOST: given.auth,
      // Otherwise every SDK first looks for Google's own metadata server.
      METADATA_SERVER_DETECTION: 'none',
      PORTTUNNELER_URL: given.url,
      PORTTUNNELER_KMS_KEY: kmsKeyOf(this.#project),
      PORTTUNNELER_EMULATED_GOOGLE: given.google,
      PORTTUNNELER_PLAN: 'unlimited',
      ...namesEnvironment(this.#options.settings.config),
      FIREBASE_API_KEY: 'local',
      // Plans are sold only where a test names its server for Stripe.
      STRIPE_WEBHOOK_SECRET: process.env.STRIPE_WEBHOOK_SECRET ?? 'whsec_local',
    }
  }

  async #listen(auth: string): Promise<Listening> {
    const { config } = this.#options.settings
    const { clock } = this.#options
    const functionOf = readRewrites()
    const portOf = (name?: FunctionName) => name && this.#functions?.ports.get(name)
    const front = makeFront({
      files: readWebFiles(fileURLToPath(new URL('../../web/dist', import.meta.url))),
      liveOrigins: () => [
        `http://${auth}`,
        ...(this.#relays?.ports ?? []).map((ports) => liveOrigin(config, ports)),
      ],
      // As Hosting does (functions/hosting.ts); the emulator's own pages are in the place of those on our host.
      signIn: { script: ['https://apis.google.com'], frame: ["'self'", `http://${auth}`] },
      functionOf: (target) => portOf(functionOf(target)),
    })
    const listening = await listenWith(front, { host: config.bind, port: config.ports.console, clock })
    this.#parts.defer(() => listening.close(0))
    return listening
  }

  async #startFunctions(env: Env): Promise<Functions> {
    const { clock, random, onProcess, say } = this.#options
    const logOf = (name: FunctionName) => this.#logFile(name)
    const signal = this.#over
    const functions = await startFunctions({ env, logOf, clock, random, onProcess, onTrouble: say, signal })
    this.#functions = functions
    this.#parts.defer(() => functions.stop(1_000))
    return functions
  }

  /** The code of the functions, used as an operator's tools use it. */
  async #openCloud(): Promise<Cloud> {
    const settings = readCloudSettings(process.env)
    const cloud = openCloud(settings, makeLog(this.#project, this.#logFile('operator')))
    this.#parts.defer(() => cloud.close())
    return cloud
  }

  async #startRelays(
    cloud: Cloud,
    functions: Functions,
    given: Pick<RelaysOptions, 'controlUrl' | 'consoleUrl'>,
  ): Promise<void> {
    const { settings, clock, random, onProcess, say } = this.#options
    const { config, isBundled } = settings
    await this.#ensureCell(cloud, { tlsPort: config.ports.tls, httpPort: config.ports.http })
    const place: Place = { project: this.#project, cell }
    const instances = Array.from({ length: config.relays }, (_, index) => `r${index + 1}`)
    await provision(place, { instances, functionPorts: functions.ports })
    const relays = new Relays({
      config,
      isBundled,
      folder: this.#freshFolder('relays'),
      ...given,
      commandsOf: (instance) => commandsOf(place, instance),
      mayStillRun: false,
      newEnrolmentKey: async () => new Secret(await cloud.enrolment.makeKey(cell)),
      log: this.#logFile('relay'),
      clock,
      random,
      onProcess,
      onTrouble: say,
    })
    this.#relays = relays
    this.#parts.defer(() => relays.stop(config.graceSeconds * 1_000))
    await this.#ensureCell(cloud, await relays.start())
  }

  async #ensureCell({ control }: Cloud, ports: Pick<RelayPorts, 'tlsPort' | 'httpPort'>): Promise<void> {
    const { config } = this.#options.settings
    const { from, to } = config.ports.tcp
    const { host, domain } = config
    await ensureCell(control, {
      id: cell,
      host,
      domain,
      portFrom: from,
      portTo: to,
      ...endpointFace(config, ports),
    })
  }

  /** Does the work of Cloud Scheduler. */
  #startSchedule(functions: Functions): void {
    const { clock, say } = this.#options
    const url = `http://127.0.0.1:${functions.ports.get('onSchedule')}/`
    const call = () => {
      fetch(url, { method: 'POST' }).catch(() => say('The housekeeping could not be called.'))
    }
    call()
    const timer = clock.every(roundsMs, call, { background: true })
    this.#parts.defer(() => timer.clear())
  }

  /** This start's empty database does not know credentials of an earlier start. */
  #freshFolder(name: string): Pick<DataFolder, 'file'> {
    rmSync(this.#folder.file(name), { recursive: true, force: true })
    return { file: (...names) => this.#folder.file(name, ...names) }
  }

  #logFile(name: string): LogFile {
    const file = new LogFile(this.#folder.file('logs', `${name}.log`))
    this.#parts.defer(() => file.close())
    return file
  }

  /** For scripts, and for `node --env-file`: an operator's tools find everything by it. */
  #writeFiles(report: Report, env: Env): void {
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value}\n`)
    for (const [name, text] of [
      ['cloud-local.json', `${JSON.stringify(report, null, 2)}\n`],
      ['operator.env', variables.join('')],
    ] as const) {
      const file = this.#folder.file(name)
      writePrivateFile(file, text)
      this.#parts.defer(() => rmSync(file, { force: true }))
    }
  }
}
