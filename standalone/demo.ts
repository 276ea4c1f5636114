/**
 * The demo tunnels: an HTTP page and a TCP echo on loopback, served by the ordinary CLI in a child process with a key
 * of the first account. Nothing here knows more than a user would; if the demo works, the product does. An update
 * starts a second agent for the same tunnels before the first one stops, as a user would to avoid a gap.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Clock } from '@porttunneler/shared/base/clock'
import { type ErrorKey, fail, keyOfCode } from '@porttunneler/shared/base/errors'
import type { Secret } from '@porttunneler/shared/base/secret'
import { stringify } from 'yaml'
import { z } from 'zod'
import { type DataFolder, writePrivateFile, writtenAt } from './data-folder.ts'
import { startDemoUpstream } from './demo-upstream.ts'
import type { LineLog } from './log-file.ts'
import { SupervisedProgram } from './supervisor.ts'

const demoTunnels = { http: 'demo', tcp: 'demo-tcp' } as const

export type DemoAddresses = { readonly http: string; readonly tcp: string }

export type Demo = {
  /** Resolves when both tunnels are served. @throws standalone.demo */
  readonly addresses: Promise<DemoAddresses>
  stop(graceMs: number): Promise<void>
  kill(): void
}

export type DemoOptions = {
  readonly folder: Pick<DataFolder, 'file'>
  /** Another server's demo still runs, with the home that was last used. */
  readonly hasPredecessor: boolean
  /** On this machine: the public address need not be reachable from inside (NAT, a proxy elsewhere). */
  readonly server: string
  readonly key: Secret
  readonly log: LineLog
  readonly clock: Clock
  readonly random: () => number
}

/** From the agent's start until both tunnels are up; a slow machine needs three seconds. */
const upDeadlineMs = 20_000

const eventSchema = z.discriminatedUnion('event', [
  z.object({ event: z.literal('tunnel.online'), tunnel: z.string(), url: z.string() }),
  z.object({
    event: z.literal('tunnel.stopped'),
    tunnel: z.string(),
    problem: z.object({ code: z.string(), detail: z.string() }),
  }),
])

export async function startDemo({
  folder,
  hasPredecessor,
  server,
  key,
  log,
  clock,
  random,
}: DemoOptions): Promise<Demo> {
  const upstream = await startDemoUpstream(clock)
  const home = chooseHome(folder, hasPredecessor)
  mkdirSync(home, { recursive: true, mode: 0o700 })
  const config = join(home, configName)
  writePrivateFile(config, demoConfig(upstream))
  const online = new OnlineTunnels()
  const agent = new SupervisedProgram(
    {
      file: fileURLToPath(new URL('../cli/ptun.js', import.meta.url)),
      args: ['start', '--config', config, '--json'],
      env: {
        PTUN_SERVER: server,
        PTUN_KEY: key.reveal(),
        // Its usual port is for the tunnels of the user.
        PTUN_INSPECT: 'off',
        XDG_CONFIG_HOME: home,
        XDG_STATE_HOME: home,
        XDG_RUNTIME_DIR: home,
      },
      execArgv: ['--import', new URL('orphan-guard.ts', import.meta.url).href],
      // Its configuration or key is wrong, and still would be at the next start.
      finalExitCodes: [2, 3, 4],
      onMessage: () => undefined,
      onLine: (line) => {
        log.write(line)
        online.read(line)
      },
      onExit: ({ code, restartMs }) => {
        if (restartMs === undefined) online.fail('standalone.demo', `the agent ended with ${code}`)
      },
    },
    { clock, random },
  )
  const timer = clock.after(upDeadlineMs, () => online.fail('standalone.demo'), { background: true })
  agent.start()
  return {
    addresses: online.addresses.finally(() => timer.clear()),
    stop: async (graceMs) => {
      timer.clear()
      await agent.stop(graceMs)
      await upstream.close()
    },
    kill: () => agent.kill(),
  }
}

const configName = 'ptun.yaml'

/** Each agent needs its own home, which has its id and leases. */
function chooseHome(folder: Pick<DataFolder, 'file'>, hasPredecessor: boolean): string {
  const homes = ['demo', 'demo-b'].map((name) => folder.file(name))
  const usedAt = (home: string) => writtenAt(join(home, configName))
  const [last = '', other = ''] = homes.toSorted((one, another) => usedAt(another) - usedAt(one))
  return hasPredecessor ? other : last
}

function demoConfig({ httpPort, echoPort }: { httpPort: number; echoPort: number }): string {
  const tunnels = {
    [demoTunnels.http]: { kind: 'http', upstream: `127.0.0.1:${httpPort}`, pool: true },
    [demoTunnels.tcp]: { kind: 'tcp', upstream: `127.0.0.1:${echoPort}`, pool: true },
  }
  return `# Written anew at each start of the server.\n${stringify({ version: 1, tunnels })}`
}

/** Waits until the agent's events show both tunnels. */
class OnlineTunnels {
  readonly #urls = new Map<string, string>()
  readonly #done = Promise.withResolvers<DemoAddresses>()

  get addresses(): Promise<DemoAddresses> {
    return this.#done.promise
  }

  /** A line of `ptun start --json`. */
  read(line: string): void {
    const event = eventOf(line)
    if (event?.event === 'tunnel.stopped')
      this.fail(keyOfCode(event.problem.code) ?? 'standalone.demo', event.problem.detail)
    if (event?.event !== 'tunnel.online') return
    this.#urls.set(event.tunnel, event.url)
    const [http, tcp] = [this.#urls.get(demoTunnels.http), this.#urls.get(demoTunnels.tcp)]
    if (http !== undefined && tcp !== undefined)
      this.#done.resolve({ http, tcp: tcp.replace(/^tcp:\/\//, '') })
  }

  fail(key: ErrorKey, detail?: string): void {
    this.#done.reject(fail(key, detail))
  }
}

function eventOf(line: string): z.infer<typeof eventSchema> | undefined {
  try {
    return eventSchema.safeParse(JSON.parse(line)).data
  } catch {
    return undefined
  }
}
