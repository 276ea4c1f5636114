/** An agent as a user starts it: `ptun start` with a ptun.yaml, its events read from `--json`. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EventLog } from './events.ts'
import { type Exit, type Program, type ProgramOptions, root, startProgram, textOf } from './programs.ts'
import type { Service } from './service.ts'
import { temporaryFolder } from './standalone.ts'

export type AgentEvent = {
  readonly event: string
  readonly tunnel?: string
  readonly url?: string
} & Readonly<Record<string, unknown>>

export type WantedTunnel = {
  readonly kind: 'http' | 'tcp' | 'tls'
  readonly upstream: number | string
  readonly port?: number | string
  readonly proxyProtocol?: 'v1' | 'v2'
  readonly pool?: boolean
  readonly e2e?: boolean
  readonly hostHeader?: string
  readonly rewriteOrigin?: boolean
  readonly insecureUpstream?: boolean
  readonly upstreamCa?: string
  readonly upstreamProtocol?: 'http1' | 'h2c' | 'h2'
  readonly auth?: readonly string[]
  readonly authFile?: string
  readonly redirects?: readonly { readonly from: string; readonly to: string }[]
  readonly requestHeaders?: object
  readonly responseHeaders?: object
  readonly hsts?: boolean
  readonly policy?: object
  readonly health?: { readonly kind: 'http'; readonly path: string; readonly everySeconds: number }
}

export type Agent = {
  readonly program: Program
  readonly events: EventLog<AgentEvent>
  /** Resolves to the endpoint of a tunnel once visitors get in. */
  online(tunnel: string, from?: number): Promise<string>
  waitFor(
    event: string,
    options?: { tunnel?: string; from?: number; deadlineMs?: number },
  ): Promise<AgentEvent>
  stop(signal?: NodeJS.Signals): Promise<Exit>
}

/** As users install it: one file with kept compiled code. `npm run build -w cli` makes it. */
export const publishedPtun = join(root, 'bench/path-ptun-agent.cjs')
/** The published one where it has just been built (global-setup.ts): it starts in half the time of the source. */
export const ptun = process.env.PT_BUILT ? publishedPtun : join(root, 'cli/ptun.js')

/** A home folder of its own. An agent's id and leases are in it, so a restart from the same home is the same agent. */
export function agentHome(): string {
  return temporaryFolder('home')
}

function agentEnv(service: Pick<Service, 'api' | 'key'>, home: string): Readonly<Record<string, string>> {
  // Agents of many tests run beside one another; e2e/inspector.test.ts has an inspector.
  return { ...privateFolders(home), PTUN_SERVER: service.api, PTUN_KEY: service.key, PTUN_INSPECT: 'off' }
}

/** The folders of a user who has never run ptun. */
export function privateFolders(home: string): Readonly<Record<string, string>> {
  return {
    HOME: home,
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_STATE_HOME: join(home, 'state'),
    XDG_RUNTIME_DIR: join(home, 'run'),
  }
}

export async function startAgent(
  service: Pick<Service, 'api' | 'key'>,
  tunnels: Readonly<Record<string, WantedTunnel>>,
  {
    home,
    env = {},
    isVerbose = false,
    file = ptun,
    proxy,
    cell,
    ...place
  }: { home?: string; isVerbose?: boolean; file?: string; proxy?: string; cell?: string } & Pick<
    ProgramOptions,
    'env' | 'namespace' | 'uid' | 'gid'
  > = {},
): Promise<Agent> {
  const folder = home ?? agentHome()
  const config = join(folder, 'ptun.yaml')
  writeFileSync(
    config,
    JSON.stringify({ version: 1, ...(proxy && { proxy }), ...(cell && { cell }), tunnels }),
  )
  const program = await startProgram(
    'node',
    [file, 'start', '--config', config, '--json', ...(isVerbose ? ['--verbose'] : [])],
    {
      cwd: folder,
      env: { ...agentEnv(service, folder), ...env },
      ...place,
    },
  )
  const events = eventsOf(program)
  const waitFor: Agent['waitFor'] = (event, { tunnel, ...options } = {}) =>
    Promise.race([
      events.waitFor((one) => one.event === event && (tunnel === undefined || one.tunnel === tunnel), {
        what: `${event} ${tunnel ?? ''}`,
        ...options,
      }),
      program.exited.then(({ code }) => {
        throw new Error(`the agent ended with ${code}:\n${textOf(program, 'stderr')}`)
      }),
    ])
  return {
    program,
    events,
    waitFor,
    online: async (tunnel, from = 0) => String((await waitFor('tunnel.online', { tunnel, from })).url),
    stop: async (signal) => {
      const exit = await program.stop(signal)
      if (home === undefined) rmSync(folder, { recursive: true, force: true })
      return exit
    },
  }
}

/** Every line of stdout is an event. */
function eventsOf({ lines }: Program): EventLog<AgentEvent> {
  const events = new EventLog<AgentEvent>()
  lines.subscribe(({ from, text }) => {
    if (from === 'stdout' && text.startsWith('{')) events.push(JSON.parse(text))
  })
  return events
}
