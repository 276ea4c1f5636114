/**
 * What only one server at a time has: the data folder's lock, the store with the control plane on it, and the console's
 * port. Opened and closed as a whole, so that it can pass to a newer server and back.
 */
import { hostname } from 'node:os'
import type { Command } from '@porttunneler/shared/api/schemas/relays'
import type { Clock } from '@porttunneler/shared/base/clock'
import type { Log } from '@porttunneler/shared/base/log'
import type { Telemetry } from '@porttunneler/shared/base/telemetry'
import type { Sense } from '@porttunneler/shared/control/alerts/sense'
import type { Logs } from '@porttunneler/shared/control/logs/role'
import { BackupSchedule } from './backup/schedule.ts'
import { keepBillingFigures } from './billing-figures.ts'
import { Certified } from './certified.ts'
import { type Config, isLoopback } from './config.ts'
import { type ControlPlane, openControlPlane } from './control-plane.ts'
import type { DataFolder } from './data-folder.ts'
import { writeFigures } from './figures.ts'
import { openOfficeSocket } from './office-socket.ts'
import manifest from './package.json' with { type: 'json' }
import { endpointFace, isNameCertified, liveOrigin, type RelayPorts } from './relay.ts'
import { sensesOf } from './service-senses.ts'
import type { WebFiles } from './web-files.ts'
import { type Fetch, listen, makeWeb } from './web-server.ts'

export type Front = {
  readonly control: ControlPlane
  readonly consoleUrl: string
  readonly consolePort: number
  /** The API's address for children on this machine. */
  readonly controlUrl: string
  /** Stores the ports that visitors reach. */
  ensureCell(ports: Pick<RelayPorts, 'tlsPort' | 'httpPort'>): Promise<void>
  /** Gives running requests `graceMs` to end. Then another server can use the folder. Idempotent. */
  close(graceMs: number): Promise<void>
}

export type FrontOptions = {
  readonly config: Config
  /** Closed with the front, also if that fails to open. */
  readonly folder: DataFolder
  readonly consolePort: number
  readonly files: WebFiles
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
  /** Where the log can be searched. */
  readonly logs: Logs | undefined
  readonly telemetry: Telemetry | undefined
  relayPorts(): readonly RelayPorts[]
  onCommand(command: Command): void
}

/** @throws standalone.port_taken, .port_denied, .address, store.* */
export async function openFront(options: FrontOptions): Promise<Front> {
  const { config, folder, clock } = options
  await using opened = new AsyncDisposableStack()
  opened.defer(() => folder.close())
  const isCertified = config.acme !== undefined || config.authority !== undefined
  let fetch: Fetch = () => new Response('Starting.\n', { status: 503, headers: { 'retry-after': '1' } })
  let certified: Certified | undefined
  const listening = await listen((request, env) => fetch(request, env), {
    host: config.bind,
    port: options.consolePort,
    clock,
    ...(isCertified && { certificateOf: () => certified?.certificate }),
  })
  opened.defer(() => listening.close(0))
  const consoleUrl =
    config.public.console ??
    `${isNameCertified(config) ? 'https' : 'http'}://${urlHost(config.host)}:${listening.port}`
  let schedule: BackupSchedule | undefined
  const senses = sensesOf(folder.path, () => schedule?.status())
  const control = openControl(options, { consoleUrl, senses })
  opened.defer(() => control.close())
  schedule = openSchedule(options)
  if (schedule) opened.defer(() => schedule.close())
  const figures = keepBillingFigures(control.office.control, folder.path)
  opened.defer(() => figures.clear())
  const backups = async () => schedule?.status()
  opened.defer(await openOfficeSocket({ ...control.office, backups }, options))
  const ensureCell = (ports: Pick<RelayPorts, 'tlsPort' | 'httpPort'>) => {
    const { from, to } = config.ports.tcp
    const { host, domain } = config
    return control.ensureCell({ host, domain, portFrom: from, portTo: to, ...endpointFace(config, ports) })
  }
  const { tls: tlsPort, http: httpPort } = config.ports
  await ensureCell(options.relayPorts()[0] ?? { tlsPort, httpPort })
  certified = isCertified ? new Certified(control.office.control, config.domain) : undefined
  await certified?.read()
  const commands = await control.onCommand((command) => {
    if (command.kind === 'certificate') void certified?.read()
    options.onCommand(command)
  })
  opened.defer(() => commands.close())
  fetch = makeWeb({
    api: control.fetch,
    files: options.files,
    liveOrigins: () => options.relayPorts().map((ports) => liveOrigin(config, ports)),
    isHttps: consoleUrl.startsWith('https:'),
    names: namesOf(config, consoleUrl),
    secureUrl: () => (leadsToHttps(config) && certified?.certificate ? consoleUrl : undefined),
  })
  const parts = opened.move()
  return {
    control,
    consoleUrl,
    consolePort: listening.port,
    controlUrl: ownUrl(config.bind, listening.port),
    ensureCell,
    close: async (graceMs) => {
      await listening.close(graceMs)
      await parts.disposeAsync()
    },
  }
}

function openControl(
  options: FrontOptions,
  { consoleUrl, senses }: { readonly consoleUrl: string; readonly senses: readonly Sense[] },
): ControlPlane {
  const { config, folder, clock, random, log, logs, telemetry } = options
  return openControlPlane({
    folder,
    registration: config.registration ?? (isLoopback(config) ? 'open' : 'closed'),
    provenMail: config.provenMail,
    terms: config.terms,
    plan: config.plan ?? (isLoopback(config) ? 'unlimited' : 'free'),
    version: manifest.version,
    smtp: config.mail,
    providers: config.signIn.providers,
    dns: config.dns,
    acme: config.acme,
    authority: config.authority,
    billing: config.billing,
    alerts: { ...config.alerts, senses },
    consoleUrl,
    proxies: proxiesOf(config),
    clock,
    random,
    log,
    logs,
    telemetry,
  })
}

function openSchedule({ config, folder, clock, log }: FrontOptions): BackupSchedule | undefined {
  if (config.backup) return new BackupSchedule({ settings: config.backup, data: folder.path, clock, log })
  // Those of an earlier setting would say that one is overdue.
  writeFigures(folder.path, 'ptun_backup_', [])
  return undefined
}

/**
 * Browsers trust what an authority of the world has certified; that of this machine only where somebody told them to.
 * With `public.console` something is in front, which knows how it was reached.
 */
function leadsToHttps({ acme, public: { console } }: Config): boolean {
  return acme !== undefined && console === undefined
}

/** Includes the name that the system gives this machine, since nobody else can have it. */
function namesOf({ host, domain, public: face }: Config, consoleUrl: string): readonly string[] {
  return [host, domain, new URL(consoleUrl).hostname, hostname(), ...face.names]
}

/** `public.console` means that something on this machine is in front. */
function proxiesOf({ public: names, trustedProxies }: Config): readonly string[] {
  return names.console === undefined ? trustedProxies : ['127.0.0.0/8', '::1', ...trustedProxies]
}

/** The address at which children on this machine reach the API. */
function ownUrl(bind: string, port: number): string {
  const host = bind === '0.0.0.0' ? '127.0.0.1' : bind === '::' ? '::1' : bind
  return `http://${urlHost(host)}:${port}`
}

function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}
