/** The inspector of a serving agent: whether it runs and where, and `ptun inspect`, which opens it. */
import { fail, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import type { AgentEvent, AgentSnapshot } from '../agent/events.ts'
import { problemOf } from '../agent/events.ts'
import { readStatuses } from '../agent/status-socket.ts'
import { canOpen, openBrowser, pageOf } from '../browser.ts'
import { type Context, say, tell } from '../context.ts'
import type { OpenedInspector } from '../inspector/open-inspector.ts'
import type { Inspection as TerminalInspection } from '../output/live/acts.ts'
import { runtimeFolder } from '../paths.ts'

/** `--inspect <port>`, or false for `--no-inspect`. */
export type InspectFlag = string | boolean | undefined

/** One agent's inspector; `off` if there is none. */
export type Inspection = {
  readonly opened: OpenedInspector | undefined
  /** Why there is none though it was wanted. */
  readonly failure: PortTunnelerError | undefined
}

const off: Inspection = { opened: undefined, failure: undefined }

/** The option, then the variable, which is of this one start, then `inspect` of ptun.yaml. */
export function inspectWish(
  { PTUN_INSPECT: variable }: Context['env'],
  { flag, file }: { readonly flag: InspectFlag; readonly file: InspectFlag },
): InspectFlag {
  return flag ?? (variable || file)
}

/** @throws cli.usage for what is no port, inspector.port if that one is taken */
export async function startInspector(
  { env, clock }: Pick<Context, 'env' | 'clock'>,
  flag: InspectFlag,
): Promise<Inspection> {
  const wish = inspectWish(env, { flag, file: undefined })
  if (wish === false || wish === 'off') return off
  const port = typeof wish === 'string' && wish !== '' ? parsePort(wish) : undefined
  // Without an inspector none of its code is loaded.
  const { openInspector } = await import('../inspector/open-inspector.ts')
  const opened = await openInspector(clock, { port, webhooks: env.PTUN_WEBHOOKS })
  return 'server' in opened ? { opened, failure: undefined } : { opened: undefined, failure: opened }
}

/** Tells it what the agent tells. */
export function tellInspector({ opened }: Inspection, event: AgentEvent): void {
  opened?.inspector.onEvent(event)
}

/** The events about it with which the output begins. */
export function inspectorEvents({ opened, failure }: Inspection): readonly AgentEvent[] {
  if (opened) return [{ event: 'inspector.ready', url: opened.server.link }]
  return failure ? [{ event: 'inspector.failed', problem: problemOf(failure) }] : []
}

export async function closeInspector({ opened }: Inspection): Promise<void> {
  opened?.inspector.close()
  await opened?.server.close()
}

/** What the live view shows of it and asks of it. */
export function terminalOf({ opened }: Inspection): TerminalInspection | undefined {
  if (!opened) return undefined
  const { inspector, server } = opened
  return {
    url: server.link,
    recent: (count) => inspector.recent(count),
    resendLast: (tunnel) => inspector.resendLast(tunnel),
  }
}

/** A snapshot that says where the inspector is. */
export function withInspector(snapshot: AgentSnapshot, { opened }: Inspection): AgentSnapshot {
  return opened ? { ...snapshot, inspector: opened.server.link } : snapshot
}

/** `ptun inspect`: opens the inspector of each agent that serves the tunnel, or of all. @throws inspector.none */
export async function inspect(context: Context, tunnel: string | undefined): Promise<number> {
  const agents = await readStatuses(runtimeFolder(context.env), context.clock)
  const isWanted = ({ tunnels }: AgentSnapshot) =>
    tunnel === undefined || tunnels.some(({ name }) => name === tunnel)
  const found = agents.flatMap((agent) => (agent.inspector && isWanted(agent) ? [agent] : []))
  if (found.length === 0)
    throw fail(
      'inspector.none',
      tunnel === undefined ? undefined : `No agent of this machine inspects "${tunnel}".`,
    )
  for (const { pid, inspector = '', tunnels } of found) {
    const names = tunnels.map(({ name }) => name)
    const url = tunnel === undefined ? inspector : linkTo(inspector, tunnel)
    say(context, `${url}  ${names.join(', ')}`)
    tell(context, { event: 'inspector', url, pid, tunnels: names })
    const page = pageOf(url)
    if (page !== undefined && canOpen(context)) await openBrowser(page)
  }
  return 0
}

/** The link to the requests of one tunnel; what is behind `#` stays there. */
function linkTo(inspector: string, tunnel: string): string {
  const link = new URL(inspector)
  link.searchParams.set('tunnel', tunnel)
  return link.href
}

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (port >= 0 && port <= 65_535) return port
  throw fail(
    'cli.usage',
    `--inspect takes a port, such as 4050, not "${text}"; --no-inspect switches it off.`,
  )
}
