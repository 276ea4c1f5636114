/**
 * The relay of a standalone server: the same daemon as anywhere, as a child process. It gets one JSON file, enrols and
 * syncs over HTTP like every relay; being a child only adds that commands reach it at once over the IPC channel.
 */
import { existsSync, mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Clock } from '@porttunneler/shared/base/clock'
import { type ErrorKey, fail, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import type { Secret } from '@porttunneler/shared/base/secret'
import { z } from 'zod'
import { type Config, isLoopback } from './config.ts'
import { type DataFolder, writePrivateFile } from './data-folder.ts'
import { type LogFile, sentenceOf } from './log-file.ts'
import { SupervisedProgram } from './supervisor.ts'

/** What the relay says when it listens: the ports it got. */
const readySchema = z.object({
  ready: z.object({ tlsPort: z.int(), httpPort: z.int(), adminPort: z.int() }),
})
export type RelayPorts = z.infer<typeof readySchema>['ready']

export type RelaySurroundings = {
  readonly folder: Pick<DataFolder, 'file'>
  /** Where the relay calls the API. */
  readonly controlUrl: string
  /** Where visitors read about codes. */
  readonly consoleUrl: string
}

export type RelayOptions = RelaySurroundings & {
  readonly config: Config
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

const instance = 'r1'
/**
 * Beside the code, where only who may change the code can write. From the second start on nothing is parsed: a relay
 * starts in a third of the time and is 25 MB smaller, because the parser of TypeScript is not loaded.
 */
const compileCache = fileURLToPath(new URL('../node_modules/.cache/compile', import.meta.url))
/** Node, TLS key and first sync on a slow machine. */
const readyDeadlineMs = 30_000

/** Whether the relay was enrolled at an earlier start. */
export function isEnrolled(folder: Pick<DataFolder, 'file'>): boolean {
  return existsSync(folder.file('relay', 'credential.json'))
}

export type Relay = {
  /** The ports it listens on, now and after restarts. @throws standalone.relay */
  readonly ready: Promise<RelayPorts>
  send(message: object): void
  stop(graceMs: number): Promise<void>
  kill(): void
}

export function startRelay(options: RelayOptions): Relay {
  const { config, folder, enrolmentKey, mayStillRun, log, clock, random } = options
  mkdirSync(folder.file('relay'), { recursive: true, mode: 0o700 })
  const file = folder.file('relay', 'relay.json')
  const configure = (ports: Config['ports']) => {
    const json = relayConfig({ ...config, ports }, options)
    writePrivateFile(file, `${JSON.stringify(json, null, 2)}\n`)
  }
  configure(config.ports)
  const ready = Promise.withResolvers<RelayPorts>()
  let isUp = false
  let lastSentence = 'It said nothing.'
  const program = new SupervisedProgram(
    {
      file: fileURLToPath(new URL('../relay-vm/main.ts', import.meta.url)),
      args: [file],
      env: {
        NODE_COMPILE_CACHE: compileCache,
        ...(enrolmentKey !== undefined && { PTUN_ENROLMENT_KEY: enrolmentKey.reveal() }),
      },
      finalExitCodes: [],
      onMessage: (message) => {
        const ports = readySchema.safeParse(message).data?.ready
        if (!ports || isUp) return
        isUp = true
        // Ports that the system chose are kept over restarts, or every agent and endpoint would lose its address.
        configure({ ...config.ports, tls: ports.tlsPort, http: ports.httpPort, metrics: ports.adminPort })
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
    stop: (graceMs) => program.stop(graceMs),
    kill: () => program.kill(),
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

/** The relay's configuration file (relay-vm/config.ts), as far as it differs from its defaults. */
export function relayConfig(config: Config, { folder, controlUrl, consoleUrl }: RelaySurroundings): object {
  const { bind, host, domain, ports } = config
  const liveUrl = liveUrlOf(config)
  const names = [host, ...(liveUrl ? [new URL(liveUrl).hostname] : []), bind, '127.0.0.1'].filter(
    (name) => name !== '0.0.0.0' && !name.includes(':'),
  )
  return {
    instance,
    dataDir: folder.file('relay'),
    controlUrl,
    docsUrl: consoleUrl,
    listen: {
      tls: { host: bind, port: ports.tls },
      http: { host: bind, port: ports.http },
      tcpHost: bind,
      admin: { host: '127.0.0.1', port: ports.metrics },
    },
    public: {
      // "localhost" may mean ::1 to an agent, where nobody listens.
      agentHost: isLoopback(config) ? bind : host,
      ...(config.public.tls === undefined ? {} : { agentPort: config.public.tls }),
      agentSni: `${instance}.relay.${domain}`,
      names: [...new Set(names)],
      ...(liveUrl === undefined ? {} : { watchUrl: liveUrl }),
      domain,
    },
    ...(config.certificate === undefined ? {} : { certificate: config.certificate }),
    graceMs: config.graceSeconds * 1_000,
  }
}

/** What http endpoints look like to visitors, given the ports that the relay got. */
export function endpointFace(config: Config, ports: Pick<RelayPorts, 'tlsPort' | 'httpPort'>) {
  const tlsPort = config.public.tls ?? ports.tlsPort
  const httpScheme = config.public.scheme ?? (config.certificate ? 'https' : 'http')
  const ownPort = config.certificate && httpScheme === 'https' ? tlsPort : ports.httpPort
  return { httpScheme, httpPort: config.public.http ?? ownPort, tlsPort } as const
}

/** Where browsers reach live figures, when it is not plain HTTP at `host`. */
function liveUrlOf(config: Config): string | undefined {
  if (config.public.live !== undefined) return config.public.live
  const port = config.public.tls ?? config.ports.tls
  return config.certificate && port !== 0 ? `https://${config.host}:${port}` : undefined
}

/** The origin that the console's pages may call for live figures. */
export function liveOrigin(config: Config, { httpPort }: Pick<RelayPorts, 'httpPort'>): string {
  return liveUrlOf(config) ?? `http://${config.host}:${httpPort}`
}
