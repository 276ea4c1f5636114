/** All relays of a cell end at once, an operator closes the cell, and its tunnel is served by another one. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '@porttunneler/shared/base/clock'
import { freePorts } from '@porttunneler/shared/testing/ports'
import { z } from 'zod'
import { eventually } from '../harness/events.ts'
import { type Program, startProgram } from '../harness/programs.ts'
import { check, type DrillResult } from './drill.ts'
import { Visitors } from './visitors.ts'
import { openWorld, type World } from './world.ts'

const host = '127.0.0.1'
/** Two minutes of silence, and the agent's next question after that. */
const backMs = 15 * 60_000

export async function loseCell(): Promise<DrillResult> {
  await using parts = new AsyncDisposableStack()
  const world = await openWorld(parts)
  const operator = (...words: string[]) => world.operator(world.server.folder, ...words)
  await operator('cells', 'close', 'home')
  const far = await startFarCell(parts, world)
  const agent = await world.startAgent('web')
  const url = await agent.online('web')
  check(url.includes('web.far.test'), 'the tunnel is in the far cell')
  await operator('cells', 'open', 'home')
  let now = url
  const visitors = new Visitors(() => world.visit(now))
  parts.defer(() => visitors.close())
  await visitors.backSince(systemClock.monotonic(), backMs)

  const known = agent.events.items.length
  far.send('SIGKILL')
  await far.exited
  const lostMs = systemClock.monotonic()
  await operator('cells', 'close', 'far')
  const moved = await agent.waitFor('tunnel.online', { tunnel: 'web', from: known, deadlineMs: backMs })
  now = String(moved.url)
  const servedMs = systemClock.monotonic()
  const rtoMs = servedMs - lostMs + (await visitors.backSince(servedMs, backMs))
  return {
    lost: 'a cell, with another one open',
    rpo: 'nothing',
    rtoMs,
    seen: `closed right after the loss; ${url} became ${now}`,
  }
}

const relaysSchema = z.array(z.looseObject({ cell: z.string(), state: z.string() }))

async function startFarCell(parts: AsyncDisposableStack, world: World): Promise<Program> {
  const data = world.server.folder
  const [httpPort = 0, tlsPort = 0] = await freePorts(2)
  const face = [
    '--host',
    'far.test',
    '--domain',
    'far.test',
    '--ports',
    '40000-40001',
    '--http-scheme',
    'http',
  ]
  const ports = ['--http-port', `${httpPort}`, '--tls-port', `${tlsPort}`]
  await world.operator(data, 'cells', 'create', 'far', ...face, ...ports)
  const { key } = z
    .object({ key: z.string() })
    .parse(await world.operator(data, 'enrolment', 'create', 'far'))
  const config = join(world.folder, 'far.json')
  const sni = 'f1.far.test'
  writeFileSync(
    config,
    JSON.stringify({
      instance: 'f1',
      dataDir: join(world.folder, 'far'),
      controlUrl: world.service.api,
      listen: {
        tls: { host, port: tlsPort },
        http: { host, port: httpPort },
        tcpHost: host,
        admin: { host, port: 0 },
      },
      public: { agentHost: host, agentSni: sni, names: [sni], domain: 'far.test' },
    }),
  )
  const relay = await startProgram('node', ['relay-vm/main.ts', config], { env: { PTUN_ENROLMENT_KEY: key } })
  parts.defer(async () => void (await relay.stop()))
  await eventually(
    'the relay of the far cell is ready',
    async () => {
      const found = relaysSchema.parse(await world.operator(data, 'relays', 'list', '--cell', 'far'))
      return found.some(({ state }) => state === 'ready') || undefined
    },
    60_000,
  )
  return relay
}
