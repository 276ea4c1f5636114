/** A real server (control plane and relay), a real agent and upstreams in the namespaces, one set a scenario. */
import { rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { type Agent, agentHome, publishedPtun, startAgent } from '../harness/agent.ts'
import type { Service } from '../harness/service.ts'
import { type Address, listening, listenTcp, portOf } from '../harness/sockets.ts'
import { firstLogin, type Standalone, startStandalone, temporaryFolder } from '../harness/standalone.ts'
import { sendHashed } from '../harness/transfer.ts'
import { addresses, type Network } from './network.ts'

export const relayPorts = { console: 8400, http: 8480, tls: 8443, metrics: 8490 } as const

/** How much `source` sends to each visitor. */
export const sourceBytes = 64 * 1024 ** 2

export type World = {
  readonly service: Service
  readonly standalone: Standalone
  readonly agent: Agent
  /** Addresses of tunnels to an echo, and to a source of 64 MiB. */
  readonly echo: Address
  readonly source: Address
  /** Origin of an http tunnel that answers "hello", and the address that answers it. */
  readonly web: string
  readonly webUpstream: string
  /** The upstreams behind the other two, without a tunnel. */
  readonly upstreams: { readonly echo: Address; readonly source: Address }
  /** Starts the server again on the same folder and ports, after it was ended. */
  restartServer(): Promise<void>
  /** Starts the same agent again, after it was ended. */
  restartAgent(): Promise<void>
  close(): Promise<void>
}

export type WorldOptions = {
  /** Added to the environment of the agent's process. */
  readonly agentEnv?: Readonly<Record<string, string>>
  /** The agent runs from its bundle, as users have it, and not from its source. */
  readonly isPublished?: boolean
}

export async function openWorld(
  network: Network,
  { agentEnv = {}, isPublished = false }: WorldOptions = {},
): Promise<World> {
  await using parts = new AsyncDisposableStack()
  const folder = temporaryFolder('chaos')
  const home = agentHome()
  parts.defer(() => {
    for (const path of [folder, home]) rmSync(path, { recursive: true, force: true })
  })
  const upstreams = await startUpstreams()
  parts.defer(() => upstreams.close())
  // At the end of a scenario there is no grace period.
  writeFileSync(join(folder, 'standalone.yaml'), 'graceSeconds: 0\n')
  const place = { folder, namespace: network.at('relay'), env: settings }
  let standalone = await startStandalone(place)
  parts.defer(async () => void (await standalone.program.stop()))
  const service = await serviceOf(standalone)
  const start = () =>
    startAgent(
      service,
      {
        echo: { kind: 'tcp', upstream: `${addresses.office}:${upstreams.echo}` },
        source: { kind: 'tcp', upstream: `${addresses.office}:${upstreams.source}` },
        web: { kind: 'http', upstream: `${addresses.office}:${upstreams.web}` },
      },
      {
        home,
        namespace: network.at('agent'),
        isVerbose: true,
        env: agentEnv,
        ...(isPublished && { file: publishedPtun }),
      },
    )
  let agent = await start()
  parts.defer(async () => void (await agent.stop('SIGKILL')))
  const [echo, source, web] = await Promise.all(['echo', 'source', 'web'].map((name) => agent.online(name)))
  const kept = parts.move()
  return {
    service,
    get standalone() {
      return standalone
    },
    get agent() {
      return agent
    },
    echo: endpoint(echo),
    source: endpoint(source),
    web: web ?? '',
    upstreams: {
      echo: { host: addresses.office, port: upstreams.echo },
      source: { host: addresses.office, port: upstreams.source },
    },
    webUpstream: `${addresses.office}:${upstreams.web}`,
    restartServer: async () => {
      standalone = await startStandalone(place)
    },
    restartAgent: async () => {
      agent = await start()
    },
    close: () => kept.disposeAsync(),
  }
}

const settings: Readonly<Record<string, string>> = {
  PORTTUNNELER_BIND: '0.0.0.0',
  PORTTUNNELER_HOST: addresses.relay,
  PORTTUNNELER_DOMAIN: 'tunnels.test',
  PORTTUNNELER_DEMO: 'false',
  PORTTUNNELER_CONSOLE_URL: `http://${addresses.relay}:${relayPorts.console}`,
}

function endpoint(url = ''): Address {
  return { host: addresses.relay, port: Number(new URL(url).port) }
}

async function serviceOf(server: Standalone): Promise<Service> {
  return {
    ...(await firstLogin(server)),
    addressOf: (_host, port) => ({ host: addresses.relay, port }),
    faults: {
      killRelay: () => Promise.reject(new Error('scenarios do it themselves')),
      freezeControlPlane: () => () => undefined,
    },
    stop: async () => void (await server.program.stop()),
  }
}

type Upstreams = {
  readonly echo: number
  readonly source: number
  readonly web: number
  close(): Promise<void>
}

async function startUpstreams(): Promise<Upstreams> {
  const echo = await listenTcp((socket) => void socket.pipe(socket), 0, addresses.office)
  const source = await listenTcp(sendAll, 0, addresses.office)
  const web: Server = createServer((_request, response) => void response.end('hello'))
  await listening(web, 0, addresses.office)
  return {
    echo: echo.port,
    source: source.port,
    web: portOf(web),
    close: async () => {
      web.closeAllConnections()
      web.close()
      await Promise.all([echo.close(), source.close()])
    },
  }
}

function sendAll(socket: Socket): void {
  // A visitor that leaves early ends it early, which the socket's own handlers notice.
  sendHashed(socket, { bytes: sourceBytes, seed: 7 }).catch(() => socket.destroy())
}
