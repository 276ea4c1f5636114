/** A standalone server, an agent that lives through its loss, and its visitors. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Agent, agentHome, startAgent } from '../harness/agent.ts'
import { visit } from '../harness/http.ts'
import { childrenOf, runProgram } from '../harness/programs.ts'
import type { Service } from '../harness/service.ts'
import {
  firstLogin,
  freeSettings,
  type Standalone,
  startStandalone,
  temporaryFolder,
} from '../harness/standalone.ts'
import { startHttp } from '../harness/upstreams.ts'

export type World = {
  readonly server: Standalone
  readonly service: Service
  /** For backups, and for folders of later servers. */
  readonly folder: string
  readonly upstream: number
  /** Starts a server on a folder, at the same ports. */
  start(folder: string): Promise<Standalone>
  startAgent(name: string): Promise<Agent>
  /** What `ptunctl` prints. */
  operator(folder: string, ...words: string[]): Promise<unknown>
  /** Whether a visitor of the address is served. */
  visit(url: string): Promise<boolean>
}

export async function openWorld(parts: AsyncDisposableStack): Promise<World> {
  const folder = temporaryFolder('disaster')
  parts.defer(() => rmSync(folder, { recursive: true, force: true }))
  const env = await freeSettings()
  const start = async (data: string) => {
    const server = await startStandalone({ folder: data, env })
    parts.defer(async () => void (await server.program.stop()))
    return server
  }
  const server = await start(join(folder, 'first'))
  const upstream = await startHttp()
  parts.defer(() => upstream.close())
  const addressOf = (_host: string, port: number) => ({ host: '127.0.0.1', port })
  const service: Service = {
    ...(await firstLogin(server)),
    addressOf,
    faults: { killRelay: async () => {}, freezeControlPlane: () => () => {} },
    stop: async () => {},
  }
  return {
    ...{ server, service, folder, start },
    upstream: upstream.port,
    startAgent: async (name) => {
      const home = agentHome()
      const agent = await startAgent(service, { [name]: { kind: 'http', upstream: upstream.port } }, { home })
      parts.defer(async () => {
        await agent.stop()
        rmSync(home, { recursive: true, force: true })
      })
      return agent
    },
    operator: async (data, ...words) => {
      const { exit, stdout, stderr } = await runProgram('node', [
        'ptunctl/ptunctl.js',
        ...['--data', data, '--json', '--as', 'drill'],
        ...words,
      ])
      if (exit.code !== 0) throw new Error(`ptunctl ${words.join(' ')}: ${stdout} ${stderr}`)
      return JSON.parse(stdout)
    },
    visit: async (url) => (await visit(service, `${url}/hello`)).status === 200,
  }
}

/** As a machine that loses its power: nobody of them says goodbye. */
export async function killServer({ program }: Standalone): Promise<void> {
  const pids = [program.pid, ...childrenOf(program.pid).map(({ pid }) => pid)]
  for (const pid of pids) process.kill(pid, 'SIGKILL')
  await program.exited
}
