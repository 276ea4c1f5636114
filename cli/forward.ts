/**
 * `import { forward } from 'porttunneler'`: an agent inside a program. It is the agent of `ptun`: the same wire, the
 * same reconnecting, the same saved leases. It prints nothing, takes no signals, and has no inspector.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Server } from 'node:net'
import { tunnelNameSchema } from '@porttunneler/shared/api/schemas/common'
import { fail, keyOfCode } from '@porttunneler/shared/base/errors'
import { nameMax, slipOfLabel } from '@porttunneler/shared/base/labels'
import type { TunnelKind } from '@porttunneler/shared/protocol/endpoint'
import type { AgentEvent, Problem } from './agent/events.ts'
import { openState, SavedLeases } from './agent/saved.ts'
import { Supervisor } from './agent/supervisor.ts'
import type { WantedTunnel } from './agent/tunnels.ts'
import { parseUpstream } from './agent/upstream.ts'
import { accountOf, dialBy, newMux } from './agent-parts.ts'
import { leaseApi, placeBy } from './commands/lease-api.ts'
import { type Context, connectApi, proxyChooserOf } from './context.ts'
import { httpParts } from './http-options.ts'
import type { Forwardable, ForwardOptions, Listener } from './index.d.ts'
import { relayRoute } from './proxy/relay-route.ts'

type World = Pick<Context, 'clock' | 'random'>

/**
 * Opens a tunnel, and waits until visitors get in; it waits as `ptun` does while server, relay or line are away.
 * @throws login.*, cli.server, cli.upstream, cli.usage; what the server refuses for good; the reason of `signal`
 */
export async function forward(target: Forwardable, options: ForwardOptions, world: World): Promise<Listener> {
  options.signal?.throwIfAborted()
  const wanted = { ...wantedOf(options), ...options }
  const own = await openTarget(target)
  try {
    return await serveTarget(own, tunnelOf(own.upstream, wanted), { ...options, ...world })
  } catch (error) {
    own.close()
    throw error
  }
}

type Target = { readonly upstream: string; close(): void }

/** A server that was not listening yet, and one made for a handler, end with the tunnel. */
async function openTarget(target: Forwardable): Promise<Target> {
  if (typeof target === 'number' || typeof target === 'string')
    return { upstream: String(target), close: () => undefined }
  const server = typeof target === 'function' ? createServer(target) : target
  if (server.listening) return { upstream: upstreamOf(server), close: () => undefined }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { upstream: upstreamOf(server), close: () => void server.close() }
}

function upstreamOf(server: Server): string {
  const address = server.address()
  if (address === null) throw fail('cli.upstream', 'The server does not listen.')
  if (typeof address === 'string') return `unix:${address}`
  const { address: host, port, family } = address
  // Everywhere: also at this machine's own loopback.
  if (host === '::' || host === '0.0.0.0') return `localhost:${port}`
  return family === 'IPv6' ? `[${host}]:${port}` : `${host}:${port}`
}

/** @throws cli.usage */
function wantedOf({ kind = 'http', name, port }: ForwardOptions): { readonly kind: TunnelKind } {
  if (name !== undefined && !tunnelNameSchema.safeParse(name).success)
    throw fail('cli.usage', `name: ${slipOfLabel(name, nameMax)?.detail ?? `"${name}" cannot be a name.`}`)
  if (port !== undefined && kind !== 'tcp')
    throw fail('cli.usage', 'port: only tcp tunnels have a public port.')
  return { kind }
}

function tunnelOf(
  text: string,
  { kind, name, port, pool, ...options }: ForwardOptions & { readonly kind: TunnelKind },
): WantedTunnel {
  const upstream = parseUpstream(text)
  const { hostHeader, rewriteOrigin, auth } = options
  return {
    kind,
    upstream,
    ...httpParts({ hostHeader, rewriteOrigin, auth }, { kind, upstream, folder: '.' }),
    ...(name !== undefined && { name }),
    ...(port !== undefined && { port }),
    ...(pool && { isPool: true }),
  }
}

async function serveTarget(
  own: Target,
  wanted: WantedTunnel,
  options: ForwardOptions & World,
): Promise<Listener> {
  const { signal, onEvent } = options
  const online = Promise.withResolvers<{ url: string; name: string }>()
  // Nobody may be waiting any more when it fails.
  online.promise.catch(() => undefined)
  let reason: Error | undefined
  const emit = (event: AgentEvent) => {
    if (event.event === 'tunnel.online') online.resolve({ url: event.url, name: event.tunnel })
    if (event.event === 'tunnel.stopped') reason = errorOf(event.problem)
    tell(onEvent, event)
  }
  const { supervisor, settled } = await makeAgent(contextOf(options), wanted, { ...options, emit })
  const closed = supervisor.ended.then(async () => {
    own.close()
    signal?.removeEventListener('abort', abort)
    await settled()
    online.reject(reason ?? signal?.reason ?? new Error('The tunnel was closed.'))
    return reason
  })
  const close = async () => {
    supervisor.drain()
    await closed
  }
  const abort = () => supervisor.end(0)
  signal?.addEventListener('abort', abort)
  supervisor.start()
  if (signal?.aborted) abort()
  return { ...(await online.promise), closed, close, [Symbol.asyncDispose]: close }
}

/** What a listener throws is its program's to see, and must not break the agent in the middle of its work. */
function tell(onEvent: ForwardOptions['onEvent'], event: AgentEvent): void {
  try {
    onEvent?.(event)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}

function errorOf({ code, detail }: Problem): Error {
  return fail(keyOfCode(code) ?? 'api.internal', detail)
}

/** Nothing is printed into somebody else's program. */
function contextOf({ server, key, clock, random }: ForwardOptions & World): Context {
  const silent = { write: () => true }
  return {
    env: { ...process.env, ...(key !== undefined && { PTUN_KEY: key }) },
    stdout: silent,
    stderr: silent,
    clock,
    random,
    isJson: true,
    isVerbose: false,
    ...(server !== undefined && { server }),
  }
}

type Agent = { readonly supervisor: Supervisor; settled(): Promise<void> }

async function makeAgent(
  context: Context,
  wanted: WantedTunnel,
  { cell, takeover = false, emit }: ForwardOptions & { readonly emit: (event: AgentEvent) => void },
): Promise<Agent> {
  const { clock, random } = context
  const connection = await connectApi(context)
  const { server, credential } = connection
  const { agent, folder, failure } = await openState(context.env, clock.now(), credential.member)
  const leases = new SavedLeases({
    folder,
    unkeptAgent: failure && agent,
    server,
    account: accountOf(connection),
    clock,
    onLost: () => undefined,
    onFound: () => undefined,
  })
  const saved = await leases.find([wanted], { taken: new Set(), nowMs: clock.now() })
  const [first] = saved
  const chooseProxy = proxyChooserOf(context)
  const mux = newMux(context)
  const supervisor = new Supervisor({
    agent,
    server,
    pid: process.pid,
    wanted: [{ ...wanted, ...(first && { name: first.lease.name }) }],
    takeover,
    api: leaseApi(connection, placeBy({ connection, folder, clock, chooseProxy, saved, cell: () => cell })),
    clock,
    random,
    turn: mux.turn,
    dial: dialBy({ ...mux, agent, random, connect: relayRoute(chooseProxy) }),
    emit,
    saved,
    save: (_index, lease) => leases.save(wanted, lease, clock.now()),
    retire: (lease) => leases.retire(lease),
    forget: (lease) => leases.forget(lease),
  })
  return { supervisor, settled: () => leases.settled() }
}
