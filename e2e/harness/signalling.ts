/**
 * The whole way of a command: the API on SQLite with the bus on Pub/Sub, the relay daemon as on a VM (commands by its
 * subscription, `sync` over HTTP), an agent with tunnels, and visitors.
 */

import { rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { openPubsubBus } from '@porttunneler/functions/platform/bus.pubsub'
import { openPubsubClients, type PubsubClients } from '@porttunneler/functions/platform/pubsub-clients'
import { ensureSubscription } from '@porttunneler/functions/platform/pubsub-provision'
import { TestAgent } from '@porttunneler/relay-vm/testing/test-relay'
import { makeApi } from '@porttunneler/shared/api/app'
import { type Client, makeClient } from '@porttunneler/shared/api/client'
import type { RelayAddress } from '@porttunneler/shared/api/schemas/tunnels'
import { systemClock } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { newId } from '@porttunneler/shared/base/ids'
import { silentLog } from '@porttunneler/shared/base/log'
import { ensureCell } from '@porttunneler/shared/control/cells'
import { noCertificates } from '@porttunneler/shared/control/certificates/role'
import { type Control, makeControl } from '@porttunneler/shared/control/control'
import { noPayments } from '@porttunneler/shared/control/money/payments-none'
import { topics } from '@porttunneler/shared/control/names'
import { noDns } from '@porttunneler/shared/control/own-records'
import { Principals } from '@porttunneler/shared/control/principals'
import { queryTable } from '@porttunneler/shared/control/query-table'
import { enrolledRelayIdentity } from '@porttunneler/shared/control/relay-enrolment'
import { encodeJson, FrameType } from '@porttunneler/shared/protocol/frames'
import { noInquiries } from '@porttunneler/shared/testing/zones'
import { signInRoutes } from '@porttunneler/standalone/platform/identity.local.routes'
import { openSqliteStore } from '@porttunneler/standalone/platform/store.sqlite'
import { makeLocalIdentity } from '@porttunneler/standalone/testing/local-identity'
import { listen } from '@porttunneler/standalone/web-server'
import { z } from 'zod'
import { eventually } from './events.ts'
import { type Program, startProgram } from './programs.ts'
import { dialRaw } from './raw-agent.ts'
import { temporaryFolder } from './standalone.ts'
import { startHttp } from './upstreams.ts'

const cell = 'home'
const slot = 'r1'
const host = '127.0.0.1'
const clock = systemClock
const readySchema = z.object({ msg: z.literal('The relay is ready'), tlsPort: z.int(), httpPort: z.int() })
const noRates = { perAddress: 1_000_000, perCaller: 1_000_000 }

export type LiveTunnel = { readonly id: string; readonly name: string }

export type Signalling = {
  readonly control: Control
  readonly client: Client
  readonly relay: Program
  /** Clients of the same Pub/Sub, and the relay's subscription. */
  readonly clients: PubsubClients
  readonly topic: string
  readonly subscription: string
  /** Tunnels that visitors reach. */
  open(names: readonly string[]): Promise<readonly LiveTunnel[]>
  /** The status that a visitor gets. */
  visit(tunnel: LiveTunnel): Promise<number>
  /** Tries to join the agent's session, knowing the session but not its secret. */
  forge(): Promise<void>
  /** The time from the call to the first refused visitor, ms. */
  timeDelete(tunnel: LiveTunnel): Promise<number>
  close(): Promise<void>
}

/** @param pubsub `host:port` of the emulator; an unused one for an outage */
export async function startSignalling({
  pubsub,
  project,
  isDown = false,
}: {
  pubsub: string
  project: string
  isDown?: boolean
}): Promise<Signalling> {
  process.env.METADATA_SERVER_DETECTION = 'none'
  process.env.PUBSUB_EMULATOR_HOST = pubsub
  const topic = topics.commands(cell)
  await using parts = new AsyncDisposableStack()
  const clients = await openPubsubClients(project)
  parts.defer(() => clients.close())
  if (!isDown) await ensureSubscription({ project, clients }, topic, slot)
  const plane = await startControlPlane(project, parts)
  const relay = await startRelay(
    plane,
    { pubsub, project, subscription: `ptun.${topic}.${slot}`, events: `ptun.${topics.events}` },
    parts,
  )
  const upstream = await startHttp()
  parts.defer(() => upstream.close())
  const agent = await startAgent(plane.client, relay, upstream.port)
  parts.defer(async () => agent.close())
  const visit = ({ name }: LiveTunnel) => statusOf(relay.httpPort, `${name}.tunnels.test`)
  const stack = parts.move()
  return {
    ...plane,
    relay: relay.program,
    clients,
    topic,
    subscription: `projects/${project}/subscriptions/ptun.${topic}.${slot}`,
    open: (names) => agent.open(names),
    visit,
    forge: () => agent.forge(),
    timeDelete: async (tunnel) => {
      const startMs = clock.monotonic()
      const deleted = plane.client.deleteTunnel(tunnel.id)
      while ((await visit(tunnel)) === 200);
      const ms = clock.monotonic() - startMs
      await deleted
      return ms
    },
    close: () => stack.disposeAsync(),
  }
}

type Plane = {
  readonly control: Control
  readonly client: Client
  readonly url: string
  key(): Promise<string>
}

async function startControlPlane(project: string, parts: AsyncDisposableStack): Promise<Plane> {
  const random = Math.random
  const store = openSqliteStore(':memory:', { queries: queryTable, clock, random })
  parts.defer(() => store.close())
  const onBackgroundError = () => undefined
  const bus = await openPubsubBus({ project, clock, random, provisions: true, onBackgroundError })
  parts.defer(() => bus.close())
  const { identity, options, mail } = makeLocalIdentity({ store, clock })
  const relayIdentity = enrolledRelayIdentity({ store, clock })
  const { vault } = options
  const url = 'http://control.test'
  const settings = {
    issuer: url,
    consoleUrl: url,
    docsUrl: url,
    version: '0.0.0',
    registration: 'open' as const,
  }
  const control = makeControl(
    {
      store,
      bus,
      identity,
      relayIdentity,
      mail,
      vault,
      certificates: noCertificates,
      inquiries: noInquiries,
      askNetworks: async () => [],
      payments: noPayments,
      dns: noDns,
    },
    { clock, random, log: silentLog, settings: { ...settings, defaultPlan: 'unlimited' } },
  )
  const ports = { portFrom: 20_000, portTo: 20_001, httpScheme: 'http', httpPort: 80, tlsPort: 443 } as const
  await ensureCell(control, { id: cell, host, domain: 'tunnels.test', ...ports })
  const principals = new Principals(control)
  const addressOf = () => host
  const mounts = [
    signInRoutes({
      identity,
      addressOf,
      isHttps: () => false,
      admit: async () => {},
      isInvited: async () => false,
      checkPasskey: async () => Promise.reject(fail('auth.passkey')),
      confirm: (signIn) => control.signIns.confirm(signIn, 'password'),
    }),
  ]
  const api = makeApi({ control, principals, addressOf, enrolment: relayIdentity, mounts, rates: noRates })
  const listening = await listen((asked, env) => api.fetch(asked, env), { host, port: 0, clock })
  parts.defer(() => listening.close(0))
  const baseUrl = `http://${host}:${listening.port}`
  const ada = { email: 'ada@example.com', password: 'correct horse battery' }
  const { accessToken } = (await identity.register(ada, { from: host })).tokens
  const client = makeClient({ baseUrl, token: () => accessToken })
  return { control, client, url: baseUrl, key: () => relayIdentity.makeKey(cell) }
}

type RunningRelay = { readonly program: Program; readonly tlsPort: number; readonly httpPort: number }

async function startRelay(
  plane: Plane,
  { pubsub, ...commands }: { pubsub: string; project: string; subscription: string; events: string },
  parts: AsyncDisposableStack,
): Promise<RunningRelay> {
  const folder = temporaryFolder('signalling')
  parts.defer(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'relay.json')
  const config = {
    instance: slot,
    dataDir: join(folder, 'relay'),
    controlUrl: plane.url,
    listen: { tls: { host, port: 0 }, http: { host, port: 0 }, tcpHost: host },
    public: { agentHost: host, agentSni: 'r1.relay.tunnels.test', names: [host], domain: 'tunnels.test' },
    commands: { pubsub: commands },
  }
  writeFileSync(file, JSON.stringify(config))
  const program = await startProgram('node', ['relay-vm/main.ts', file], {
    env: { PTUN_ENROLMENT_KEY: await plane.key(), PUBSUB_EMULATOR_HOST: pubsub },
  })
  parts.defer(async () => void (await program.stop('SIGKILL')))
  const { text } = await program.lines.waitFor((line) => line.text.includes('The relay is ready'), {
    what: 'readiness of the relay',
  })
  return { program, ...readySchema.parse(JSON.parse(text)) }
}

async function startAgent(client: Client, { tlsPort }: RunningRelay, upstreamPort: number) {
  const agent = newId('agt', clock.now())
  let bind = 0
  let session: TestAgent | undefined
  let forged: RelayAddress | undefined
  return {
    async open(names: readonly string[]): Promise<readonly LiveTunnel[]> {
      const tunnels = names.map((name) => ({ name, kind: 'http' as const }))
      // The relay's first report, which makes it usable for leases, may still be on its way.
      const { results, relays } = await eventually('a lease', () =>
        client.claim({ agent, tunnels }).then(
          (claimed) => (claimed.results.every((one) => 'lease' in one) ? claimed : undefined),
          (error: unknown) => {
            if (isFailure(error)) return undefined
            throw error
          },
        ),
      )
      const leases = results.flatMap((one) => ('lease' in one ? [one.lease] : []))
      const [first] = leases
      if (first === undefined) throw new Error('no lease')
      const [address] = relays
      if (address === undefined) throw new Error('no relay')
      const { certificate } = address
      forged ??= address
      session ??= await TestAgent.dial(tlsPort, {
        ticket: first.ticket,
        upstreamPort,
        agentId: agent,
        certificate,
      })
      for (const { ticket } of leases) await session.bind(++bind, ticket)
      return leases.map(({ tunnel }, index) => ({ id: tunnel, name: names[index] ?? '' }))
    },
    async forge(): Promise<void> {
      if (session === undefined || forged === undefined) throw new Error('no session yet')
      const body = { versions: [1], agent, build: 'test', ticket: '', carrier: 9, window: 65_536, lost: [] }
      const resume = { session: session.session.id, proof: 'x'.repeat(43) }
      const raw = await dialRaw(forged)
      raw.send(encodeJson(FrameType.hello, { ...body, resume }))
      await raw.closed
    },
    close: () => session?.session.close('session.closed'),
  }
}

/** 0: the connection was cut. */
function statusOf(port: number, name: string): Promise<number> {
  return new Promise((resolve) => {
    const asked = request({ host, port, path: '/hello', headers: { host: name }, agent: false }, (answer) => {
      answer.resume()
      answer.once('end', () => resolve(answer.statusCode ?? 0))
      answer.once('error', () => resolve(0))
    })
    asked.once('error', () => resolve(0))
    asked.end()
  })
}
