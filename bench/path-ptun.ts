/**
 * The way through PortTunneler, as a user has it: a standalone server in a folder of its own and `ptun start` beside
 * it, TLS between them. CPU time is counted for relay and agent; the control plane carries no bytes.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { makeClient } from '@porttunneler/shared/api/client'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { stringify } from 'yaml'
import { z } from 'zod'
import { type Backend, type Ends, host, type Path, type PathMaker } from './path.ts'
import { childrenOf, stop } from './processes.ts'
import { ours } from './report.ts'
import type { Target } from './scenarios.ts'
import type { Variant } from './variants.ts'

const startMs = 45_000
const repository = fileURLToPath(new URL('..', import.meta.url))
const reportSchema = z.object({
  api: z.string(),
  account: z.object({ email: z.string(), password: z.string() }),
})
const onlineSchema = z.object({ event: z.literal('tunnel.online'), tunnel: z.string(), url: z.url() })

export const ptun = ptunAs({ name: ours })

/** PortTunneler in another form. */
export function ptunAs(variant: Variant): PathMaker {
  return { name: variant.name, open: (backend) => openPtunPath(backend, variant) }
}

async function openPtunPath(backend: Backend, variant: Variant): Promise<Path> {
  const folder = mkdtempSync(join(tmpdir(), 'pt-bench-'))
  const children: ChildProcess[] = []
  const close = async () => {
    for (const child of children.toReversed()) await stop(child)
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const server = startServer(folder, variant)
    children.push(server)
    const { api, key } = await signIn(folder, server)
    const agent = startAgent(folder, backend, { api, key, variant })
    children.push(agent)
    return { name: variant.name, target: await onlineTunnels(agent), ends: endsOf(server, agent), close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Blocks of ports that this run has given out. */
let blocks = 0

function startServer(folder: string, variant: Variant): ChildProcess {
  // Outside the ephemeral ports, and a block of its own for every server of every run.
  const firstPort = 21_000 + ((process.pid + blocks++ * 7) % 500) * 20
  return runProgram(variant, ['standalone/main.ts', '--bundled', '--data', join(folder, 'server')], {
    PORTTUNNELER_DEMO: 'false',
    PORTTUNNELER_CONSOLE_PORT: '0',
    PORTTUNNELER_HTTP_PORT: '0',
    PORTTUNNELER_TLS_PORT: '0',
    PORTTUNNELER_METRICS_PORT: '0',
    PORTTUNNELER_TCP_PORTS: `${firstPort}-${firstPort + 19}`,
  })
}

/** Runs Node on a file of this repository and shows its errors. */
function runProgram(
  { folder = repository, env: changed }: Variant,
  [file = '', ...args]: readonly string[],
  env: NodeJS.ProcessEnv,
): ChildProcess {
  return spawn(process.execPath, [join(folder, file), ...args], {
    env: { ...process.env, ...env, ...changed },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

/** Waits for the server's own report, signs in as its first account and makes a key for the agent. */
async function signIn(folder: string, server: ChildProcess): Promise<{ api: string; key: string }> {
  server.stdout?.resume()
  const path = join(folder, 'server', 'standalone.json')
  const untilMs = performance.now() + startMs
  for (;;) {
    const text = readIfThere(path)
    if (text !== undefined) {
      const { api, account } = reportSchema.parse(JSON.parse(text))
      const { accessToken } = await makeClient({ baseUrl: api }).login(account)
      const client = makeClient({ baseUrl: api, token: () => accessToken })
      const { secret } = await client.createKey({ name: 'bench', scopes: ['tunnels'] })
      return { api, key: secret }
    }
    if (server.exitCode !== null || performance.now() > untilMs) throw new Error('the server did not start')
    await sleep(systemClock, 50)
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function startAgent(
  folder: string,
  backend: Backend,
  { api, key, variant }: { api: string; key: string; variant: Variant },
): ChildProcess {
  const config = join(folder, 'ptun.yaml')
  const tunnels = {
    'bench-tcp': { kind: 'tcp', upstream: `127.0.0.1:${backend.tcpPort}` },
    'bench-web': { kind: 'tcp', upstream: `127.0.0.1:${backend.httpPort}` },
    'bench-http': { kind: 'http', upstream: `127.0.0.1:${backend.httpPort}` },
  }
  writeFileSync(config, stringify({ version: 1, tunnels }))
  const home = { XDG_CONFIG_HOME: folder, XDG_STATE_HOME: folder, XDG_RUNTIME_DIR: folder }
  // As published, which differs from how a clone runs it.
  return runProgram(variant, ['bench/path-ptun-agent.cjs', 'start', '--config', config, '--json'], {
    PTUN_SERVER: api,
    PTUN_KEY: key,
    // bench/inspector.ts measures its cost.
    PTUN_INSPECT: 'off',
    ...home,
  })
}

/** Resolves when the agent says that all tunnels are served. */
function onlineTunnels(agent: ChildProcess): Promise<Target> {
  const urls = new Map<string, URL>()
  return new Promise((resolve, reject) => {
    const timer = systemClock.after(startMs, () => reject(new Error('the tunnels did not come up')))
    agent.once('exit', (code) => reject(new Error(`the agent ended with ${code}`)))
    if (!agent.stdout) throw new Error('the agent was started without a pipe for its events')
    createInterface({ input: agent.stdout }).on('line', (line) => {
      const event = onlineSchema.safeParse(JSON.parse(line)).data
      if (event) urls.set(event.tunnel, new URL(event.url))
      const [tcp, web, http] = ['bench-tcp', 'bench-web', 'bench-http'].map((name) => urls.get(name))
      if (!tcp || !web || !http) return
      timer.clear()
      resolve({
        tcp: { host, port: Number(tcp.port) },
        web: { host, port: Number(web.port) },
        vhost: { host, port: Number(http.port), name: http.host },
      })
    })
  })
}

function endsOf(server: ChildProcess, agent: ChildProcess): Ends {
  const relays = childrenOf(server.pid ?? 0).filter(({ command }) =>
    command.includes('relay-vm/dist/relay.cjs'),
  )
  if (relays.length === 0) throw new Error('the server has no relay process')
  return { server: relays.map(({ pid }) => pid), client: agent.pid === undefined ? [] : [agent.pid] }
}
