/**
 * The relay of a standalone server: the same daemon as anywhere, as a child process. It gets one JSON file, enrols and
 * syncs over HTTP like every relay; being a child only adds that commands reach it at once over the IPC channel.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Clock } from '@porttunneler/shared/base/clock'
import { type ErrorKey, fail, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import type { Secret } from '@porttunneler/shared/base/secret'
import { z } from 'zod'
import { type Config, isLoopback } from './config.ts'
import { type DataFolder, writePrivateFile } from './data-folder.ts'
import { type LogFile, sentenceOf } from './log-file.ts'
import { SupervisedProgram } from './supervisor.ts'

/** The ports a relay got. */
export const relayPortsSchema = z.object({
  tlsPort: z.int(),
  httpPort: z.int(),
  adminPort: z.int(),
  /** Of this process alone, where several share the other two. */
  own: z.object({ tlsPort: z.int(), httpPort: z.int() }).optional(),
})
export type RelayPorts = z.infer<typeof relayPortsSchema>

/** What the relay says when it listens. */
const readySchema = z.object({ ready: relayPortsSchema })

/** What `/load` at the admin port says. */
const loadSchema = z.object({ served: z.int() })

export type RelaySurroundings = {
  readonly folder: Pick<DataFolder, 'file'>
  /** Where the relay calls the API. */
  readonly controlUrl: string
  /** Where visitors read about codes. */
  readonly consoleUrl: string
  /** How commands come when it is not by this process: the relay's own setting, by instance. */
  readonly commandsOf?: (instance: string) => object
}

export type RelayOptions = RelaySurroundings & {
  readonly config: Config
  readonly isBundled: boolean
  /** Which one of the server's relays: 0 is the first. */
  readonly index: number
  /** What the first one got, for those that share its ports. */
  readonly first: RelayPorts | undefined
  /** What it had before, which agents and visitors know. */
  readonly own?: RelayPorts | undefined
  /** Needed until the relay has a credential of its own. */
  readonly enrolmentKey: Secret | undefined
  /** The last server was killed: its relay may hold the ports until its own grace is over, which is waited for. */
  readonly mayStillRun: boolean
  readonly log: LogFile
  readonly clock: Clock
  readonly random: () => number
  /** A sentence for the terminal. */
  onTrouble(sentence: string): void
}

/**
 * Beside the code, where only who may change the code can write. From the second start on nothing is parsed: a relay
 * starts sooner and is smaller, from source by 25 MB, because the parser of TypeScript is not loaded.
 */
const compileCache = fileURLToPath(new URL('../node_modules/.cache/compile', import.meta.url))
/** A bundle that is not there must be said: the relay from source would be bigger, and perhaps another one. */
function relayFile(isBundled: boolean): string {
  const file = fileURLToPath(new URL(isBundled ? bundle : '../relay-vm/main.ts', import.meta.url))
  if (!existsSync(file)) throw relayFailure(`${file} is missing; \`npm start\` makes it`)
  return file
}

const bundle = '../relay-vm/dist/relay.cjs'
/**
 * V8 lets the space of new objects grow to 128 MB while many live for more than a moment, as sockets do, and under load
 * a relay crept from 100 to 250 MB in half an hour. With 16 MB (two halves of 8) it takes no more CPU.
 */
export const relayNodeOptions = ['--max-semi-space-size=8']
/**
 * glibc keeps what is freed: an arena for each thread, and with every large block that is freed it takes larger ones
 * from there too. With both held, a relay under the same load is an eighth smaller and stops growing (mallopt(3)).
 */
export const relayMalloc = { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '131072' }
/** Node, TLS key and first sync on a slow machine. */
const readyDeadlineMs = 30_000

/** How long a relay's own answer on this machine may take. */
const loadMs = 2_000

/** Whether the relay was enrolled at an earlier start. */
export function isEnrolled(folder: Pick<DataFolder, 'file'>, index: number): boolean {
  return existsSync(folder.file(folderOf(index), 'credential.json'))
}

function folderOf(index: number): string {
  return index === 0 ? 'relay' : `relay-${index + 1}`
}

export type Relay = {
  /** The ports it listens on, now and after restarts. @throws standalone.relay */
  readonly ready: Promise<RelayPorts>
  send(message: object): void
  /** How many endpoints have their agent at this relay now; 0 when it does not answer. */
  served(): Promise<number>
  /** Drains it, starts it again and waits until it listens, at most as long as a start may take. */
  restart(graceMs: number): Promise<void>
  stop(graceMs: number): Promise<void>
  kill(): void
}

function environmentOf(enrolmentKey: Secret | undefined): Readonly<Record<string, string>> {
  const always = { NODE_COMPILE_CACHE: compileCache, ...relayMalloc }
  return enrolmentKey === undefined ? always : { ...always, PTUN_ENROLMENT_KEY: enrolmentKey.reveal() }
}

export function startRelay(options: RelayOptions): Relay {
  const { config, folder, enrolmentKey, mayStillRun, log, clock, random } = options
  const dataDir = folder.file(folderOf(options.index))
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const file = join(dataDir, 'relay.json')
  const configure = (own?: RelayPorts) => {
    const json = relayConfig(config, options, { ...options, own })
    writePrivateFile(file, `${JSON.stringify(json, null, 2)}\n`)
  }
  configure(options.own)
  const ready = Promise.withResolvers<RelayPorts>()
  let isUp = false
  let adminPort = 0
  let onReady = () => {}
  let lastSentence = 'It said nothing.'
  const program = new SupervisedProgram(
    {
      file: relayFile(options.isBundled),
      args: [file],
      execArgv: relayNodeOptions,
      env: environmentOf(enrolmentKey),
      finalExitCodes: [],
      onMessage: (message) => {
        const ports = readySchema.safeParse(message).data?.ready
        if (!ports) return
        onReady()
        if (isUp) return
        isUp = true
        adminPort = ports.adminPort
        // Ports that the system chose are kept over restarts, or every agent and endpoint would lose its address.
        configure(ports)
        ready.resolve(ports)
      },
      onLine: (line) => {
        log.write(line)
        const sentence = sentenceOf(line)
        if (sentence === undefined) return
        // Of a crash, its message says more than the trace below it.
        if (!/^(\s|Node\.js v)/.test(sentence)) lastSentence = sentence
        if (isUp) options.onTrouble(sentence)
      },
      onExit: ({ code, signal, restartMs }) => {
        if (!isUp && !mayStillRun && (code === 2 || code === 3)) ready.reject(relayFailure(lastSentence))
        if (isUp && restartMs !== undefined)
          options.onTrouble(`The relay ended (${signal ?? `exit ${code}`}) and starts again.`)
      },
    },
    { clock, random },
  )
  const deadlineMs = readyDeadlineMs + (mayStillRun ? config.graceSeconds * 1_000 : 0)
  const timer = clock.after(deadlineMs, () => ready.reject(relayFailure(lastSentence)), {
    background: true,
  })
  program.start()
  return {
    ready: ready.promise.finally(() => timer.clear()),
    send: (message) => program.send(message),
    served: () => servedAt(adminPort),
    restart: async (graceMs) => {
      const again = Promise.withResolvers<void>()
      onReady = again.resolve
      await program.restart(graceMs)
      await within(readyDeadlineMs, again.promise, clock)
    },
    stop: (graceMs) => program.stop(graceMs),
    kill: () => program.kill(),
  }
}

/**
 * Whether the relay of this version loads and accepts its configuration, by a process that does no more than that.
 * @throws standalone.relay
 */
export async function checkRelay(
  options: RelaySurroundings & Pick<RelayOptions, 'config' | 'isBundled'>,
): Promise<void> {
  const { config, folder, isBundled } = options
  const file = folder.file(folderOf(0), 'check.json')
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  writePrivateFile(file, JSON.stringify(relayConfig(config, options)))
  const args = [relayFile(isBundled), '--check', file]
  try {
    await promisify(execFile)(process.execPath, args, { timeout: readyDeadlineMs })
  } catch (cause) {
    const said = cause instanceof Error && 'stdout' in cause ? String(cause.stdout).trim() : ''
    throw relayFailure(sentenceOf(said.split('\n').at(-1) ?? '') ?? String(cause))
  } finally {
    rmSync(file, { force: true })
  }
}

/** Waits for `done`, but no longer than `ms`. */
async function within(ms: number, done: Promise<void>, clock: Clock): Promise<void> {
  const late = Promise.withResolvers<void>()
  const timer = clock.after(ms, late.resolve)
  await Promise.race([done, late.promise])
  timer.clear()
}

async function servedAt(adminPort: number): Promise<number> {
  try {
    const answer = await fetch(`http://127.0.0.1:${adminPort}/load`, { signal: AbortSignal.timeout(loadMs) })
    return loadSchema.parse(await answer.json()).served
  } catch {
    // It is not there, or not yet: then nobody has an agent at it.
    return 0
  }
}

/** What kept the relay from starting, as a person thinks of it: a port of this server, not a relay's PT-5002. */
export function relayFailure(sentence: string): PortTunnelerError {
  const reason = /\((EADDRINUSE|EACCES|EADDRNOTAVAIL)\)/.exec(sentence)?.[1]
  return fail(listenKeys[reason ?? ''] ?? 'standalone.relay', sentence)
}

const listenKeys: Readonly<Record<string, ErrorKey>> = {
  EADDRINUSE: 'standalone.port_taken',
  EACCES: 'standalone.port_denied',
  EADDRNOTAVAIL: 'standalone.address',
}

/** How often a running hour is reported. */
const usageEveryMs = 60_000

/** The relay's configuration file (relay-vm/config.ts), as far as it differs from its defaults. */
export function relayConfig(
  config: Config,
  { folder, controlUrl, consoleUrl, commandsOf }: RelaySurroundings,
  { index, first, own }: RelayPlace = { index: 0 },
): object {
  const { bind, host, domain, ports } = config
  const shared = first ?? own
  const instance = `r${index + 1}`
  const ownPorts = { tlsPort: nthPort(ports.own, 2 * index), httpPort: nthPort(ports.own, 2 * index + 1) }
  const several = { host: bind, ...ownPorts, ...own?.own, folder: folder.file('siblings') }
  const liveUrl = liveUrlOf(config, (own?.own ?? ownPorts).tlsPort)
  const names = [host, ...(liveUrl ? [new URL(liveUrl).hostname] : []), bind, '127.0.0.1'].filter(
    (name) => name !== '0.0.0.0' && !name.includes(':'),
  )
  return {
    instance,
    dataDir: folder.file(folderOf(index)),
    controlUrl,
    docsUrl: consoleUrl,
    listen: {
      tls: { host: bind, port: shared?.tlsPort ?? ports.tls },
      http: { host: bind, port: shared?.httpPort ?? ports.http },
      tcpHost: bind,
      admin: { host: '127.0.0.1', port: own?.adminPort ?? nthPort(ports.metrics, index) },
      ...(config.relays > 1 && { own: several }),
    },
    public: {
      // "localhost" may mean ::1 to an agent, where nobody listens.
      agentHost: isLoopback(config) ? bind : host,
      ...(config.public.tls === undefined || config.relays > 1 ? {} : { agentPort: config.public.tls }),
      agentSni: `${instance}.relay.${domain}`,
      names: [...new Set(names)],
      ...(liveUrl === undefined ? {} : { watchUrl: liveUrl }),
      domain,
    },
    ...(config.certificate === undefined ? {} : { certificate: config.certificate }),
    ...(commandsOf && { commands: commandsOf(instance) }),
    graceMs: config.graceSeconds * 1_000,
    // The store is next door: what usage pages show may be as fresh as a person expects.
    limits: { usageMs: usageEveryMs },
  }
}

/** Which of the relays it is, the ports that all share, and those it got itself at its first start. */
type RelayPlace = {
  readonly index: number
  readonly first?: RelayPorts | undefined
  readonly own?: RelayPorts | undefined
}

function nthPort(port: number, index: number): number {
  return port === 0 ? 0 : port + index
}

/** What http endpoints look like to visitors, given the ports that the relay got. */
export function endpointFace(config: Config, ports: Pick<RelayPorts, 'tlsPort' | 'httpPort'>) {
  const tlsPort = config.public.tls ?? ports.tlsPort
  const httpScheme = config.public.scheme ?? (config.certificate ? 'https' : 'http')
  const ownPort = config.certificate && httpScheme === 'https' ? tlsPort : ports.httpPort
  return { httpScheme, httpPort: config.public.http ?? ownPort, tlsPort } as const
}

/** Where browsers reach live figures, when it is not plain HTTP at `host`. */
function liveUrlOf(config: Config, ownTlsPort: number): string | undefined {
  if (config.public.live !== undefined) return config.public.live
  const port = config.relays > 1 ? ownTlsPort : (config.public.tls ?? config.ports.tls)
  return config.certificate && port !== 0 ? `https://${config.host}:${port}` : undefined
}

/** The origin that the console's pages may call for live figures. */
export function liveOrigin(config: Config, { httpPort, own }: Pick<RelayPorts, 'httpPort' | 'own'>): string {
  return liveUrlOf(config, own?.tlsPort ?? 0) ?? `http://${config.host}:${own?.httpPort ?? httpPort}`
}
