/** Runs an agent for the tunnels of tcp, http, tls or start, until it is over. */
import type { Clock } from '@porttunneler/shared/base/clock'
import { compactHeap } from '@porttunneler/shared/base/compact-heap'
import { fail, isFailure, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import { slipOfLabel } from '@porttunneler/shared/base/labels'
import type { EventSocket } from '../agent/event-socket.ts'
import { type AgentEvent, type AgentSnapshot, problemOf } from '../agent/events.ts'
import { openState, SavedLeases } from '../agent/saved.ts'
import { readStatuses, type StatusSocket, serveStatus } from '../agent/status-socket.ts'
import { Supervisor } from '../agent/supervisor.ts'
import type { SupervisorOptions } from '../agent/supervisor-options.ts'
import type { WantedTunnel } from '../agent/tunnels.ts'
import { accountOf, dialBy, newMux } from '../agent-parts.ts'
import { type Connection, type Context, connectApi, proxyChooserOf, warn } from '../context.ts'
import { EndToEnd } from '../e2e/end-to-end.ts'
import type { AgentOutput } from '../output/agent-output.ts'
import { runtimeFolder } from '../paths.ts'
import { relayRoute } from '../proxy/relay-route.ts'
import { type ChooseProxy, formatProxy } from '../proxy/settings.ts'
import {
  closeInspector,
  type InspectFlag,
  type Inspection,
  inspectorEvents,
  startInspector,
  tellInspector,
  withInspector,
} from './inspect.ts'
import { leaseApi, placeBy } from './lease-api.ts'
import { Reloader, type ReloaderOptions, type TunnelSource } from './reload.ts'
import { afterStop } from './stopped.ts'
import { openToldOutput } from './told-output.ts'

export type ServeOptions = {
  readonly takeover: boolean
  readonly qr: boolean
  /** The named cell, on the command line or in the present ptun.yaml. */
  readonly cell: () => string | undefined
  /** Where the tunnels can be read again. */
  readonly source?: TunnelSource
  /** The same command line with another name for the tunnel. */
  readonly commandWith?: ((name: string) => string) | undefined
  /** Undefined: the inspector runs at its usual port. */
  readonly inspect?: InspectFlag
}

/** Maximum of addresses in the last line; an agent serves up to 500. */
const keptShown = 5
/** By then the tunnels are up, if they start at once. */
const startMs = 1_000

/** @returns the exit code */
export async function serve(
  context: Context,
  wanted: readonly WantedTunnel[],
  { takeover, qr, source, cell, commandWith, inspect }: ServeOptions,
): Promise<number> {
  const { env, clock, random } = context
  const connection = await connectApi(context)
  const { server, credential } = connection
  const account = accountOf(connection)
  const { agent, folder, failure: stateFailure } = await openState(env, clock.now(), credential.member)
  const runtime = folderOrNone(() => runtimeFolder(env))
  const running = await readRunning(runtime, connection, clock)
  if (!takeover) refuseDoubles(running, wanted)
  const emit = (event: AgentEvent) => onEvent(event)
  const onStateLost = (error: PortTunnelerError) => emit({ event: 'state.lost', problem: problemOf(error) })
  const state = { folder, unkeptAgent: stateFailure && agent, server, account, clock }
  const leases = new SavedLeases({
    ...state,
    onLost: onStateLost,
    onFound: () => emit({ event: 'state.found' }),
  })
  const saved = await leases.find(wanted, {
    taken: takeover ? new Set() : namesIn(running),
    nowMs: clock.now(),
  })
  const mux = newMux(context)
  const endToEnd = new EndToEnd({ connection, folder, account, clock, random, emit })
  const chooseProxy = proxyChooserOf(context)
  const inspection = await startInspector(context, inspect)
  const supervisor = new Supervisor({
    agent,
    server,
    pid: process.pid,
    // A generated name of the last run is requested again.
    wanted: wanted.map((tunnel, index) => ({ ...tunnel, ...nameOf(saved[index]?.lease.name) })),
    takeover,
    api: leaseApi(connection, placeBy({ connection, folder, clock, chooseProxy, saved, cell })),
    clock,
    random,
    turn: mux.turn,
    dial: dialBy({ ...mux, agent, random, connect: relayRoute(chooseProxy) }),
    emit,
    inspect: inspection.opened?.inspector,
    proxy: () => describeWay(chooseProxy, server),
    saved,
    ...keepLeases({ leases, endToEnd, wanted, clock }),
  })
  const snapshot = () => withInspector(supervisor.snapshot(), inspection)
  const output = openToldOutput({ context, connection, wanted, qr, inspection }, snapshot)
  const onEvent = tellingBoth(output, inspection)
  const socket = await openStatus(context, runtime, { snapshot, log: output.log })
  const reloader =
    source && keepAsFile({ clock, source, supervisor, output }, { runtime, connection, takeover })
  const unlisten = obeySignals(supervisor, reloader)
  endToEnd.followSaved(wanted, saved)
  supervisor.start()
  for (const event of inspectorEvents(inspection)) output.onEvent(event)
  reloader?.start()
  if (stateFailure) onStateLost(stateFailure)
  const started = clock.after(startMs, compactHeap, { background: true })
  const exit = await supervisor.ended
  started.clear()
  for (const one of [reloader, endToEnd, output]) one?.close()
  unlisten()
  await Promise.all([socket?.close(), output.log.close(), leases.settled(), closeInspector(inspection)])
  const last = supervisor.snapshot()
  sayLast(context, last, { exit, commandWith })
  return afterStop(context, last, exit)
}

function tellingBoth(output: AgentOutput, inspection: Inspection): (event: AgentEvent) => void {
  return (event) => {
    output.onEvent(event)
    tellInspector(inspection, event)
  }
}

/** What the agent does with its leases: it keeps them for the next run, and has certificates for their hosts. */
function keepLeases({
  leases,
  endToEnd,
  wanted,
  clock,
}: {
  readonly leases: SavedLeases
  readonly endToEnd: EndToEnd
  readonly wanted: readonly WantedTunnel[]
  readonly clock: Clock
}): Pick<SupervisorOptions, 'endTls' | 'save' | 'retire' | 'forget'> {
  return {
    endTls: endToEnd.endTls,
    // The first ones as they were requested: without a name, if the server made it up.
    save: (index, lease, now) => {
      leases.save(wanted[index] ?? now, lease, clock.now())
      endToEnd.follow(now, lease.lease)
    },
    retire: (lease) => leases.retire(lease),
    forget: (lease) => {
      leases.forget(lease)
      endToEnd.drop(lease)
    },
  }
}

function describeWay(choose: ChooseProxy, server: string): string | undefined {
  const proxy = choose({ host: new URL(server).hostname, port: 443, isEncrypted: true })
  return proxy && formatProxy(proxy)
}

/** Agents of this machine at the same server. */
async function readRunning(
  folder: string | undefined,
  { server }: Connection,
  clock: Clock,
): Promise<readonly AgentSnapshot[]> {
  const agents = folder === undefined ? [] : await readStatuses(folder, clock)
  return agents.filter((other) => other.server === server)
}

function namesIn(agents: readonly AgentSnapshot[]): ReadonlySet<string> {
  return new Set(agents.flatMap(({ tunnels }) => tunnels.map(({ name }) => name)))
}

/** Undefined if the user has no home. */
function folderOrNone(find: () => string): string | undefined {
  try {
    return find()
  } catch (error) {
    if (!isFailure(error, 'cli.folder')) throw error
    return undefined
  }
}

/** The agent runs without it, too. */
async function openStatus(
  context: Context,
  folder: string | undefined,
  { snapshot, log }: { readonly snapshot: () => AgentSnapshot; readonly log: EventSocket },
): Promise<StatusSocket | undefined> {
  if (folder === undefined) return undefined
  try {
    const socket = await serveStatus(folder, { pid: process.pid, snapshot })
    await log.listen(folder, process.pid)
    return socket
  } catch (error) {
    warn(context, `ptun status will not see this agent: ${error}`)
    return undefined
  }
}

function keepAsFile(
  options: Omit<ReloaderOptions, 'check'>,
  {
    runtime,
    connection,
    takeover,
  }: { runtime: string | undefined; connection: Connection; takeover: boolean },
): Reloader {
  const check = async (tunnels: readonly WantedTunnel[]) => {
    const running = await readRunning(runtime, connection, options.clock)
    if (!takeover)
      refuseDoubles(
        running.filter(({ pid }) => pid !== process.pid),
        tunnels,
      )
  }
  return new Reloader({ ...options, check })
}

/**
 * The first SIGINT, SIGTERM or SIGHUP drains; a second SIGINT quits at once. Without a terminal, SIGHUP does not mean a
 * closed one: then it means what it means to every daemon, to read the configuration again.
 */
function obeySignals(supervisor: Supervisor, reloader: Reloader | undefined): () => void {
  const hasTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY
  const onHangUp = () => (reloader && !hasTerminal ? reloader.reload() : supervisor.drain())
  let interrupts = 0
  const onInterrupt = () => {
    interrupts += 1
    if (interrupts === 1) supervisor.drain()
    else supervisor.end(130)
  }
  const onTerminate = () => supervisor.drain()
  process.on('SIGINT', onInterrupt)
  process.on('SIGTERM', onTerminate)
  process.on('SIGHUP', onHangUp)
  return () => {
    process.off('SIGINT', onInterrupt)
    process.off('SIGTERM', onTerminate)
    process.off('SIGHUP', onHangUp)
  }
}

/** @throws cli.running: two processes would take the tunnel from each other in turn */
function refuseDoubles(running: readonly AgentSnapshot[], wanted: readonly WantedTunnel[]): void {
  for (const other of running)
    for (const { name, state } of other.tunnels)
      if (state !== 'stopped' && wanted.some((tunnel) => tunnel.name === name))
        throw fail('cli.running', `The ptun process ${other.pid} serves "${name}" already.`)
}

function nameOf(name: string | undefined): { name?: string } {
  return name === undefined ? {} : { name }
}

function sayLast(
  context: Context,
  snapshot: AgentSnapshot,
  { exit, commandWith }: { readonly exit: number } & Pick<ServeOptions, 'commandWith'>,
): void {
  if (exit === 0) sayWhatStays(context, snapshot)
  // For copying into a shell, so only a valid name may come from the server.
  const suggested = snapshot.tunnels.flatMap(({ problem }) => problem?.suggestions ?? [])
  const name = suggested.find((one) => !slipOfLabel(one))
  if (commandWith && name !== undefined) warn(context, `For example: ${commandWith(name)}`)
}

function sayWhatStays(context: Context, { tunnels }: AgentSnapshot): void {
  const kept = tunnels.flatMap(({ url, state }) => (url && state !== 'stopped' ? [url] : []))
  const more = kept.length > keptShown ? ` and ${kept.length - keptShown} more` : ''
  const which = `${kept.slice(0, keptShown).join(', ')}${more}`
  const how = 'by the same command, here or elsewhere'
  if (kept.length === 1) warn(context, `The address waits for its tunnel: get it back ${how}: ${which}`)
  if (kept.length > 1) warn(context, `The addresses wait for their tunnels: get them back ${how}: ${which}`)
}
