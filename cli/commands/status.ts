/** `ptun status`: what the agents of this machine do now, and the account's tunnels. */

import { stateWord } from '@porttunneler/shared/api/schemas/tunnel-words'
import { formatBytes } from '@porttunneler/shared/base/amounts'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { type AgentSnapshot, problemOf, type TunnelStatus } from '../agent/events.ts'
import { readStatuses } from '../agent/status-socket.ts'
import { noticeOfAlerts } from '../alert-notice.ts'
import { type Connection, type Context, connectApi, paintOf, say, tell } from '../context.ts'
import { formatDuration, formatTable, type Paint, printable } from '../output/format.ts'
import {
  groupRanges,
  isRange,
  type Range,
  statesOf,
  totalsOf,
  troublesOf,
  upstreamOf,
  urlOf,
} from '../output/ranges.ts'
import { stateColours, stateOf } from '../output/states.ts'
import { runtimeFolder } from '../paths.ts'
import { allTunnels, poolLines, tunnelTable, whyLines } from './tunnels.ts'

/** Asks agents directly, so this half works without the server. @throws login.*, cli.server */
export async function status(context: Context): Promise<number> {
  const paint = paintOf(context)
  const agents = await readStatuses(runtimeFolder(context.env), context.clock)
  for (const agent of agents) tell(context, { event: 'agent', ...agent })
  say(context, paint('bold', 'On this machine'))
  if (agents.length === 0) say(context, 'No agent is running. Start one: ptun http 3000')
  const look = { nowMs: context.clock.now(), isEach: context.isVerbose, paint }
  for (const agent of agents) say(context, ...agentLines(agent, look))
  say(context, '', paint('bold', 'In your account'))
  return tellAccount(context, paint)
}

async function tellAccount(context: Context, paint: Paint): Promise<number> {
  try {
    const { client } = await connectApi(context)
    const tunnels = await allTunnels(client)
    for (const tunnel of tunnels) tell(context, { event: 'tunnel', ...tunnel })
    if (tunnels.length === 0) say(context, 'No tunnels yet.')
    else {
      const nowMs = context.clock.now()
      const more = [...poolLines(tunnels, nowMs, paint), ...whyLines(tunnels, nowMs, paint)]
      say(context, ...tunnelTable(tunnels, paint), ...more)
    }
    await tellAlerts(context, client, paint)
    return 0
  } catch (error) {
    const failure = isFailure(error) ? error : fail('server.unreachable', undefined, { cause: error })
    say(context, `Not known: ${failure.code} ${failure.detail}`, `  ${paint('dim', failure.entry.cure)}`)
    tell(context, { event: 'error', ...problemOf(failure) })
    return failure.entry.exit
  }
}

/** An older server has none, and a key may not see them: the tunnels are there all the same. */
async function tellAlerts(context: Context, client: Connection['client'], paint: Paint): Promise<void> {
  const count = await client.alertCount().catch(() => undefined)
  if (!count) return
  tell(context, { event: 'alerts', ...count })
  const notice = noticeOfAlerts(count)
  if (notice !== undefined) say(context, '', paint('red', notice))
}

/** @param isEach shows every port of a range by itself */
function agentLines(
  agent: AgentSnapshot,
  { nowMs, isEach, paint }: { readonly nowMs: number; readonly isEach: boolean; readonly paint: Paint },
): readonly string[] {
  const state =
    agent.state !== 'running' ? paint('yellow', 'stopping') : `up ${formatDuration(nowMs - agent.startedAt)}`
  const list = isEach ? agent.tunnels : groupRanges(agent.tunnels)
  const relays = agent.relays.map(({ instance, state: relay, rttMs }) =>
    relay === 'connected' && rttMs !== undefined
      ? `${instance} ${formatDuration(rttMs)}`
      : `${instance} ${relay}`,
  )
  const head = `process ${agent.pid}, ${state}, server ${agent.server}${agent.proxy ? ` through ${agent.proxy}` : ''}`
  const settings = agent.tunnels.flatMap((tunnel) =>
    tunnel.settings ? [`  ${paint('dim', `${tunnel.name}: ${printable(tunnel.settings.join(', '))}`)}`] : [],
  )
  return [
    head,
    ...formatTable(list.map((row) => (isRange(row) ? rangeCells(row, paint) : tunnelCells(row, paint)))),
    ...settings,
    ...(relays.length > 0 ? [`  relays: ${relays.join(', ')}`] : []),
    ...fileLines(agent, nowMs, paint),
    ...list.flatMap((row) => troubleLines(row, paint)),
  ]
}

function tunnelCells(tunnel: TunnelStatus, paint: Paint): readonly string[] {
  const state = stateOf(tunnel)
  return [
    `  ${tunnel.name}`,
    paint(stateColours[state], stateWord(state)),
    tunnel.isShared ? paint('dim', 'pool') : '',
    tunnel.url ?? '',
    ...placeCells(tunnel.upstream, tunnel, paint),
  ]
}

function rangeCells(range: Range, paint: Paint): readonly string[] {
  const { tunnels, ports, name } = range
  const isUp = tunnels.every((tunnel) => stateOf(tunnel) === 'healthy')
  return [
    `  ${name}`,
    paint(isUp ? 'green' : 'yellow', statesOf(range)),
    tunnels.some(({ isShared }) => isShared) ? paint('dim', 'pool') : '',
    urlOf(range) ?? ports,
    ...placeCells(upstreamOf(range), totalsOf(range), paint),
  ]
}

function placeCells(
  upstream: string,
  { active, total, bytesIn, bytesOut }: ReturnType<typeof totalsOf>,
  paint: Paint,
): readonly string[] {
  const bytes = `in ${formatBytes(bytesIn)}, out ${formatBytes(bytesOut)}`
  return [paint('dim', '->'), upstream, `${active} open, ${total} in all`, bytes]
}

function troubleLines(row: TunnelStatus | Range, paint: Paint): readonly string[] {
  if (isRange(row))
    return troublesOf(row).map(
      ({ ports, problem }) =>
        `  ${paint('red', problem.code)} ${row.name} ${ports}: ${printable(problem.detail)}`,
    )
  const { name, problem } = row
  return problem ? [`  ${paint('red', problem.code)} ${name}: ${printable(problem.detail)}`] : []
}

function fileLines({ config }: AgentSnapshot, nowMs: number, paint: Paint): readonly string[] {
  if (config?.problem)
    return [`  ${paint('red', config.problem.code)} not taken: ${printable(config.problem.detail)}`]
  return config ? [`  ${config.path} read again ${formatDuration(nowMs - config.since)} ago`] : []
}
