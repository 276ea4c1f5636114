/**
 * The relay of a standalone server: the same daemon as anywhere, as a child process. It gets one JSON file, enrols and
 * syncs over HTTP like every relay. As a child it also gets commands at once, over the IPC channel.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { isIPv4 } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Clock } from '@porttunneler/shared/base/clock'
import { type ErrorKey, fail, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import type { Secret } from '@porttunneler/shared/base/secret'
import { z } from 'zod'
import { type Config, isLoopback } from './config.ts'
import { type DataFolder, writePrivateFile, writtenAt } from './data-folder.ts'
import { figuresName } from './figures.ts'
import { type RelayLog, sentenceOf } from './log-file.ts'
import { SupervisedProgram } from './supervisor.ts'

/** The ports a relay got. */
export const relayPortsSchema = z.object({
  tlsPort: z.int(),
  httpPort: z.int(),
  adminPort: z.int(),
  /** Ports of this process only, where several share the other two. */
  own: z.object({ tlsPort: z.int(), httpPort: z.int() }).optional(),
})
export type RelayPorts = z.infer<typeof relayPortsSchema>

/** What the relay sends when it listens. */
const readySchema = z.object({ ready: relayPortsSchema })

export type RelaySurroundings = {
  readonly folder: Pick<DataFolder, 'file'>
  /** Where the relay calls the API. */
  readonly controlUrl: string
  /** Where visitors read about codes. */
  readonly consoleUrl: string
  /** How commands come if not from this process: the relay's own setting, by instance. */
  readonly commandsOf?: (instance: string) => object
}

export type RelayOptions = RelaySurroundings & {
  readonly config: Config
  readonly isBundled: boolean
  readonly place: RelayPlace
  /** Needed until the relay has its own credential. */
  readonly enrolmentKey: Secret | undefined
  /** The last server was killed, so its relay may hold the ports until its own grace is over; we wait for that. */
  readonly mayStillRun: boolean
  readonly log: RelayLog
  readonly clock: Clock
  readonly random: () => number
  /** Takes a sentence for the terminal. */
  onTrouble(sentence: string): void
}

/**
 * Beside the code, so only somebody who may change the code can write it. From the second start on nothing is parsed: a
 * relay starts sooner and is smaller, from source by 25 MB, because TypeScript's parser is not loaded. Where the code
 * is installed for all to read, the environment names a folder of the service.
 */
const compileCache = fileURLToPath(new URL('../node_modules/.cache/compile', import.meta.url))
/** A missing bundle must be reported: the relay from source would be bigger, and perhaps a different version. */
function relayFile(isBundled: boolean): string {
  const file = fileURLToPath(new URL(isBundled ? bundle : '../relay-vm/main.ts', import.meta.url))
  if (!existsSync(file)) throw relayFailure(`${file} is missing; \`npm start\` makes it`)
  return file
}

const bundle = '../relay-vm/dist/relay.cjs'
/**
 * V8 lets the space of new objects grow to 128 MB while many live for more than a moment, as sockets do; under load a
 * relay crept from 100 to 250 MB in half an hour. With 16 MB (two halves of 8) it needs no more CPU.
 */
export const relayNodeOptions = ['--max-semi-space-size=8']
/**
 * glibc keeps freed memory, in an arena for each thread, and larger blocks there once one was freed (mallopt(3)): with
 * both fixed a relay stops growing. V8's compilers take pieces of 32 KiB and kept 10 MB; as blocks they are given back.
 */
export const relayMalloc = { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '32768' }
/** Node, TLS key and first sync on a slow machine. */
const readyDeadlineMs = 30_000
/** By then its agents have moved to the next relay or never will, and its last report is delivered or never will be. */
const handOverMs = 90_000 + 60_000

/** Whether the relay was enrolled at an earlier start. */
export function isEnrolled(folder: Pick<DataFolder, 'file'>, place: RelayPlace): boolean {
  return existsSync(folder.file(folderOf(place), 'credential.json'))
}

/** When this one was last started, ms; 0 when it never was. */
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
 * sockets in the data folder. A single relay can do without; then the next one waits until it has ended.
 */
export function canShare(config: Config, folder: Pick<DataFolder, 'file'>): boolean {
  if (config.relays > 1) return true
  const longest = join(siblingsFolder(folder), 'r1b.sock')
  return process.platform === 'linux' && Buffer.byteLength(longest) <= unixPathMax
}

/** sockaddr_un holds 108 bytes, including the one that ends it (unix(7)). */
const unixPathMax = 107

export type Relay = {
  /** The ports it listens on, now and after restarts. @throws standalone.relay */
  readonly ready: Promise<RelayPorts>
  send(message: object): void
  /** @param hasSuccessor another relay of this place already listens: agents move to it before this one ends */
  stop(graceMs: number, options?: { readonly hasSuccessor?: boolean }): Promise<void>
  kill(): void
}

function environmentOf(enrolmentKey: Secret | undefined): Readonly<Record<string, string>> {
  const always = { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? compileCache, ...relayMalloc }
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
        // Keep ports that the system chose over restarts, or every agent and endpoint would lose its address.
        configure(ports)
        ready.resolve(ports)
      },
      onLine: (line) => {
        log.write(line, instanceAt(options.place))
        const sentence = sentenceOf(line)
        if (sentence === undefined) return
        // After a crash, the message says more than the trace below it.
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
 * Checks, in a separate process, whether the relay of this version loads and accepts its configuration.
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

/** Why the relay did not start, in a person's terms: a port of this server, not a relay's PT-5002. */
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

/** The relay's configuration file (relay-vm/config.ts), as far as it differs from the defaults. */
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
  const liveUrl = liveUrlOf(config, ownPorts.tlsPort)
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
      admin: {
        host: '127.0.0.1',
        port: before?.adminPort ?? nthPort(ports.metrics, index),
        // Once for the machine.
        ...(index === 0 && { figures: folder.file(figuresName) }),
      },
      ...(canShare(config, folder) && { siblings: siblingsFolder(folder) }),
      ...(config.relays > 1 && { own }),
    },
    public: {
      // "localhost" may mean ::1 to an agent, where nobody listens.
      agentHost: isLoopback(config) ? bind : host,
      ...(config.public.tls === undefined || config.relays > 1 ? {} : { agentPort: config.public.tls }),
      // The place's name: agents dial it and find the relay that is there.
      agentSni: `r${index + 1}.relay.${domain}`,
      names: [...new Set(names)],
      ...(liveUrl === undefined ? {} : { watchUrl: liveUrl }),
      domain,
    },
    ...(config.certificate === undefined ? {} : { certificate: config.certificate }),
    trustedProxies: config.trustedProxies,
    proxyProtocol: config.proxyProtocol,
    originPulls: config.originPulls,
    ...(commandsOf && { commands: commandsOf(instance) }),
    graceMs: config.graceSeconds * 1_000,
    // The store is on the same machine, so usage pages can be as fresh as a person expects.
    limits: { usageMs: usageEveryMs },
  }
}

/**
 * One of the server's relays as agents and visitors know it, by ports and certificate. Two processes take turns there,
 * each with its own folder and name: the next one listens before the present one ends.
 */
export type RelayPlace = {
  /** 0 is the first. */
  readonly index: number
  readonly turn: 'a' | 'b'
  /** The ports of the first one, for those that share them. */
  readonly first?: RelayPorts | undefined
  /** The ports of the relay that was there before. */
  readonly ports?: RelayPorts | undefined
}

const firstPlace: RelayPlace = { index: 0, turn: 'a' }

function nthPort(port: number, index: number): number {
  return port === 0 ? 0 : port + index
}

/** What http endpoints look like to visitors, given the relay's ports. */
export function endpointFace(config: Config, ports: Pick<RelayPorts, 'tlsPort' | 'httpPort'>) {
  const tlsPort = config.public.tls ?? ports.tlsPort
  const httpScheme = config.public.scheme ?? (isTrusted(config) ? 'https' : 'http')
  const ownPort = isTrusted(config) && httpScheme === 'https' ? tlsPort : ports.httpPort
  return { httpScheme, httpPort: config.public.http ?? ownPort, tlsPort } as const
}

/** Whether visitors use TLS with a trusted certificate. */
function isTrusted({ certificate, acme, authority }: Config): boolean {
  return certificate !== undefined || acme !== undefined || authority !== undefined
}

/**
 * Whether the server orders a certificate for `host`: browsers name no server when they are given an address, so a
 * relay does not know which certificate they want.
 */
export function isNameCertified({ acme, authority, host }: Config): boolean {
  return acme !== undefined || (authority !== undefined && !isIPv4(host))
}

/**
 * Where browsers reach live figures, when it is not plain HTTP at `host`. Own ports that the system chooses are known
 * only when the relay runs: then it is plain HTTP, for the console and the relay alike.
 */
function liveUrlOf(config: Config, ownTlsPort: number): string | undefined {
  if (config.public.live !== undefined) return config.public.live
  const port = config.relays > 1 ? ownTlsPort : (config.public.tls ?? config.ports.tls)
  const isSecure = config.certificate !== undefined || isNameCertified(config)
  return isSecure && port !== 0 ? `https://${config.host}:${port}` : undefined
}

/** The origin that the console's pages may call for live figures. */
export function liveOrigin(config: Config, { httpPort, own }: Pick<RelayPorts, 'httpPort' | 'own'>): string {
  return (
    liveUrlOf(config, config.ports.own === 0 ? 0 : (own?.tlsPort ?? 0)) ??
    `http://${config.host}:${own?.httpPort ?? httpPort}`
  )
}
