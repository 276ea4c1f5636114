/**
 * The programs of a soak: the standalone server as `npm start` runs it with two relays from their bundle, and two
 * published agents, each with upstreams of its own.
 */
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { type Agent, agentHome, publishedPtun, startAgent } from '../harness/agent.ts'
import { eventually } from '../harness/events.ts'
import { childrenOf } from '../harness/programs.ts'
import type { Service } from '../harness/service.ts'
import {
  firstLogin,
  freeSettings,
  type Standalone,
  startStandalone,
  temporaryFolder,
} from '../harness/standalone.ts'
import type { Side } from './ledger.ts'
import type { Doors } from './load.ts'
import { Upstreams } from './upstreams.ts'

const relayBundle = 'relay-vm/dist/relay.cjs'
const reporter = new URL('../chaos/report-resources.ts', import.meta.url).href
const relayNames = ['r1', 'r2'] as const

const relayFileSchema = z.object({
  listen: z.object({ admin: z.object({ port: z.int() }), own: z.object({ tlsPort: z.int() }) }),
})

export type RelayPlace = {
  readonly name: string
  readonly pid: number
  readonly adminPort: number
  /** Where agents are connected. */
  readonly tlsPort: number
}

export type Party = {
  readonly upstreams: Upstreams
  readonly doors: Doors
  agent: Agent
  /** Starts the same agent again, after it was ended; resolves when both relays have it. */
  restart(): Promise<void>
  close(): Promise<void>
}

export type World = {
  readonly server: Standalone
  readonly parties: Readonly<Record<Side, Party>>
  /** The relays as they run now. */
  relays(): readonly RelayPlace[]
  close(): Promise<void>
}

export async function openWorld(): Promise<World> {
  const folder = temporaryFolder('soak')
  const server = await startStandalone({
    folder,
    env: {
      ...(await freeSettings()),
      PORTTUNNELER_RELAYS: String(relayNames.length),
      PORTTUNNELER_OWN_PORTS: '0',
      PORTTUNNELER_METRICS_PORT: '0',
    },
  })
  const service = await firstLogin(server)
  const parties = { a: await openParty('a', service), b: await openParty('b', service) }
  return {
    server,
    parties,
    relays: () => relaysOf(server),
    close: async () => {
      server.program.send('SIGCONT')
      for (const party of Object.values(parties)) await party.close()
      await server.program.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A relay keeps its name when its process is replaced. While one replaces the other it is left out. */
function relaysOf({ program, folder }: Standalone): readonly RelayPlace[] {
  const running = childrenOf(program.pid).filter(({ command }) => command.includes(relayBundle))
  return relayNames.flatMap((name, index) => {
    const usual = index === 0 ? 'relay' : `relay-${index + 1}`
    const present = [usual, `${usual}-b`].flatMap((turn) => {
      const file = join(folder, turn, 'relay.json')
      const pid = running.find(({ command }) => command.includes(file))?.pid
      return pid === undefined ? [] : [{ file, pid }]
    })
    const [only] = present
    if (only === undefined || present.length > 1) return []
    const { listen } = relayFileSchema.parse(JSON.parse(readFileSync(only.file, 'utf8')))
    return [{ name, pid: only.pid, adminPort: listen.admin.port, tlsPort: listen.own.tlsPort }]
  })
}

async function openParty(side: Side, service: Pick<Service, 'api' | 'key'>): Promise<Party> {
  const upstreams = await Upstreams.start()
  const home = agentHome()
  const { echo, source, sink, web } = upstreams.ports
  const tunnels = {
    [`echo-${side}`]: { kind: 'tcp', upstream: echo },
    [`source-${side}`]: { kind: 'tcp', upstream: source },
    [`sink-${side}`]: { kind: 'tcp', upstream: sink },
    [`web-${side}`]: { kind: 'http', upstream: web },
  } as const
  const start = async () => {
    // V8 takes 128 MB for new objects of a long-lived process; then half an hour says nothing about our own memory.
    const env = { NODE_OPTIONS: `--import ${reporter} --max-semi-space-size=8` }
    const agent = await startAgent(service, tunnels, { home, file: publishedPtun, env })
    for (const relay of relayNames)
      await agent.events.waitFor(
        (one) => one.event === 'relay.connected' && [relay, `${relay}b`].includes(String(one.relay)),
        { what: `a session to ${relay}`, deadlineMs: 60_000 },
      )
    return agent
  }
  const agent = await start()
  const addresses = await Promise.all(
    Object.keys(tunnels).map(async (name) => new URL(await agent.online(name))),
  )
  const door = (index: number) => ({ host: '127.0.0.1', port: Number(addresses[index]?.port) })
  const party: Party = {
    upstreams,
    doors: {
      echo: door(0),
      source: door(1),
      sink: door(2),
      web: { ...door(3), name: addresses[3]?.host ?? '' },
    },
    agent,
    restart: async () => {
      party.agent = await start()
      await Promise.all(Object.keys(tunnels).map((name) => party.agent.online(name)))
    },
    close: async () => {
      await party.agent.stop('SIGKILL')
      await upstreams.close()
      rmSync(home, { recursive: true, force: true })
    },
  }
  return party
}

/** Resolves when both relays run and report all eight endpoints. */
export async function untilServed(world: World): Promise<void> {
  await eventually(
    'both relays serve all endpoints',
    async () => {
      const relays = world.relays()
      if (relays.length < relayNames.length) return undefined
      const served = await Promise.all(relays.map(({ adminPort }) => servedAt(adminPort)))
      return served.every((count) => count === 8) || undefined
    },
    90_000,
  )
}

const loadSchema = z.object({ served: z.int() })

async function servedAt(adminPort: number): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/load`, { signal: AbortSignal.timeout(2_000) })
  return loadSchema.parse(await answer.json()).served
}
