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
import { type DataFolder, writePrivateFile, writtenAt } from './data-folder.ts'
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
  readonly place: RelayPlace
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
/** Its agents have come to the next one by then or never will, and its last report is delivered or will not be. */
const handOverMs = 90_000 + 60_000

/** Whether the relay was enrolled at an earlier start. */
export function isEnrolled(folder: Pick<DataFolder, 'file'>, place: RelayPlace): boolean {
  return existsSync(folder.file(folderOf(place), 'credential.json'))
}

/** When this one was started last, ms; 0 when it never was. */
export function startedAt(folder: Pick<DataFolder, 'file'>, place: RelayPlace): number {
  return writtenAt(folder.file(folderOf(place), configName))
}

const configName = 'relay.json'

function folderOf({ index, turn }: Pick<RelayPlace, 'index' | 'turn'>): string {
  return `${index === 0 ? 'relay' : `relay-${index + 1}`}${turn === 'b' ? '-b' : ''}`
}

/** Names of relays that may be at this place, the usual one first. */
export function instanceAt({ index, turn }: Pick<RelayPlace, 'index' | 'turn'>): string {
  return `r${index + 1}${turn === 'b' ? 'b' : ''}`
}

/** Where the relays of this server find each other. */
export function siblingsFolder(folder: Pick<DataFolder, 'file'>): string {
  return folder.file('siblings')
}

/**
 * Whether several processes can have the same ports here (SO_REUSEPORT that spreads connections), and may have Unix
 * sockets in the data folder. One relay does without; the next one then waits until it has ended.
 */
export function canShare(config: Config, folder: Pick<DataFolder, 'file'>): boolean {
  if (config.relays > 1) return true
  const longest = join(siblingsFolder(folder), 'r1b.sock')
  return process.platform === 'linux' && Buffer.byteLength(longest) <= unixPathMax
}

/** sockaddr_un holds 108 bytes, with the one that ends it (unix(7)). */
const unixPathMax = 107

export type Relay = {
  /** The ports it listens on, now and after restarts. @throws standalone.relay */
  readonly ready: Promise<RelayPorts>
  send(message: object): void
  /** @param hasSuccessor a relay of this place listens already: agents move to it before this one ends */
  stop(graceMs: number, options?: { readonly hasSuccessor?: boolean }): Promise<void>
  kill(): void
}

function environmentOf(enrolmentKey: Secret | undefined): Readonly<Record<string, string>> {
  const always = { NODE_COMPILE_CACHE: compileCache, ...relayMalloc }
  return enrolmentKey === undefined ? always : { ...always, PTUN_ENROLMENT_KEY: enrolmentKey.reveal() }
}

export function startRelay(options: RelayOptions): Relay {
  const { config, folder, enrolmentKey, mayStillRun, log, clock, random } = options
  const dataDir = folder.file(folderOf(options.place))
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const file = join(dataDir, configName)
  const configure = (ports?: RelayPorts) => {
    const json = relayConfig(config, options, { ...options.place, ports })
    writePrivateFile(file, `${JSON.stringify(json, null, 2)}\n`)
  }
  configure(options.place.ports)
  const ready = Promise.withResolvers<RelayPorts>()
  let isUp = false
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
        if (!ports || isUp) return
        isUp = true
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
    stop: (graceMs, { hasSuccessor = false } = {}) =>
      hasSuccessor ? program.stop(graceMs + handOverMs, 'SIGUSR2') : program.stop(graceMs),
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
  const file = folder.file(folderOf(firstPlace), 'check.json')
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
  place: RelayPlace = firstPlace,
): object {
  const { bind, host, domain, ports } = config
  const { index, first, ports: before } = place
  const shared = first ?? before
  const instance = instanceAt(place)
  const ownPorts = { tlsPort: nthPort(ports.own, 2 * index), httpPort: nthPort(ports.own, 2 * index + 1) }
  const own = { host: bind, ...ownPorts, ...before?.own }
  const liveUrl = liveUrlOf(config, own.tlsPort)
  const names = [host, ...(liveUrl ? [new URL(liveUrl).hostname] : []), bind, '127.0.0.1'].filter(
    (name) => name !== '0.0.0.0' && !name.includes(':'),
  )
  return {
    instance,
    dataDir: folder.file(folderOf(place)),
    tlsDir: folder.file(folderOf({ index, turn: 'a' }), 'tls'),
    controlUrl,
    docsUrl: consoleUrl,
    listen: {
      tls: { host: bind, port: shared?.tlsPort ?? ports.tls },
      http: { host: bind, port: shared?.httpPort ?? ports.http },
      tcpHost: bind,
      admin: { host: '127.0.0.1', port: before?.adminPort ?? nthPort(ports.metrics, index) },
      ...(canShare(config, folder) && { siblings: siblingsFolder(folder) }),
      ...(config.relays > 1 && { own }),
    },
    public: {
      // "localhost" may mean ::1 to an agent, where nobody listens.
      agentHost: isLoopback(config) ? bind : host,
      ...(config.public.tls === undefined || config.relays > 1 ? {} : { agentPort: config.public.tls }),
      // Of the place: agents dial it and find whoever is there.
      agentSni: `r${index + 1}.relay.${domain}`,
      names: [...new Set(names)],
      ...(liveUrl === undefined ? {} : { watchUrl: liveUrl }),
      domain,
    },
    ...(config.certificate === undefined ? {} : { certificate: config.certificate }),
    trustedProxies: config.trustedProxies,
    proxyProtocol: config.proxyProtocol,
    ...(commandsOf && { commands: commandsOf(instance) }),
    graceMs: config.graceSeconds * 1_000,
    // The store is next door: what usage pages show may be as fresh as a person expects.
    limits: { usageMs: usageEveryMs },
  }
}

/**
 * One of the server's relays as agents and visitors know it, by ports and certificate. Two processes take turns there,
 * each with a folder and a name of its own: the next one listens before the one that is there ends.
 */
export type RelayPlace = {
  /** 0 is the first. */
  readonly index: number
  readonly turn: 'a' | 'b'
  /** What the first one got, for those that share its ports. */
  readonly first?: RelayPorts | undefined
  /** What whoever was there before had. */
  readonly ports?: RelayPorts | undefined
}

const firstPlace: RelayPlace = { index: 0, turn: 'a' }

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
