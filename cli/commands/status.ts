/** `ptun status`: what the agents of this machine do now, and what the account's tunnels are. */
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { type AgentSnapshot, problemOf } from '../agent/events.ts'
import { readStatuses } from '../agent/status-socket.ts'
import { type Context, connectApi, paintOf, say, tell } from '../context.ts'
import { formatBytes, formatDuration, formatTable, type Paint, printable } from '../output/format.ts'
import { healthColours, healthWords } from '../output/live.ts'
import { runtimeFolder } from '../paths.ts'
import { allTunnels, poolLines, tunnelTable } from './tunnels.ts'

/** Agents are asked directly, so this half works without the server. @throws login.*, cli.server */
export async function status(context: Context): Promise<number> {
  const paint = paintOf(context)
  const agents = await readStatuses(runtimeFolder(context.env), context.clock)
  for (const agent of agents) tell(context, { event: 'agent', ...agent })
  say(context, paint('bold', 'On this machine'))
  if (agents.length === 0) say(context, 'No agent is running. Start one: ptun http 3000')
  for (const agent of agents) say(context, ...agentLines(agent, context.clock.now(), paint))
  say(context, '', paint('bold', 'In your account'))
  return tellAccount(context, paint)
}

async function tellAccount(context: Context, paint: Paint): Promise<number> {
  try {
    const { client } = await connectApi(context)
    const tunnels = await allTunnels(client)
    for (const tunnel of tunnels) tell(context, { event: 'tunnel', ...tunnel })
    if (tunnels.length === 0) say(context, 'No tunnels yet.')
    else say(context, ...tunnelTable(tunnels, paint), ...poolLines(tunnels, context.clock.now(), paint))
    return 0
  } catch (error) {
    const failure = isFailure(error) ? error : fail('server.unreachable', undefined, { cause: error })
    say(context, `Not known: ${failure.code} ${failure.detail}`, `  ${paint('dim', failure.entry.cure)}`)
    tell(context, { event: 'error', ...problemOf(failure) })
    return failure.entry.exit
  }
}

function agentLines(agent: AgentSnapshot, nowMs: number, paint: Paint): readonly string[] {
  const state =
    agent.state !== 'running' ? paint('yellow', 'stopping') : `up ${formatDuration(nowMs - agent.startedAt)}`
  const rows = agent.tunnels.map((tunnel) => [
    `  ${tunnel.name}`,
    paint(tunnel.state === 'online' ? 'green' : 'yellow', tunnel.state),
    tunnel.isShared ? paint('dim', 'pool') : '',
    tunnel.health ? paint(healthColours[tunnel.health], healthWords[tunnel.health]) : '',
    tunnel.url ?? '',
    paint('dim', '->'),
    tunnel.upstream,
    `${tunnel.active} open, ${tunnel.total} in all`,
    `in ${formatBytes(tunnel.bytesIn)}, out ${formatBytes(tunnel.bytesOut)}`,
  ])
  const relays = agent.relays.map(({ instance, state: relay, rttMs }) =>
    relay === 'connected' && rttMs !== undefined
      ? `${instance} ${formatDuration(rttMs)}`
      : `${instance} ${relay}`,
  )
  const troubles = agent.tunnels.flatMap(({ name, problem }) =>
    problem ? [`  ${paint('red', problem.code)} ${name}: ${printable(problem.detail)}`] : [],
  )
  const { config } = agent
  const changed = config && formatDuration(nowMs - config.since)
  const file = config?.problem
    ? [`  ${paint('red', config.problem.code)} not taken: ${printable(config.problem.detail)}`]
    : config
      ? [`  ${config.path} read again ${changed} ago`]
      : []
  const head = `process ${agent.pid}, ${state}, server ${agent.server}${agent.proxy ? ` through ${agent.proxy}` : ''}`
  const settings = agent.tunnels.flatMap((tunnel) =>
    tunnel.settings ? [`  ${paint('dim', `${tunnel.name}: ${printable(tunnel.settings.join(', '))}`)}`] : [],
  )
  return [
    head,
    ...formatTable(rows),
    ...settings,
    ...(relays.length > 0 ? [`  relays: ${relays.join(', ')}`] : []),
    ...file,
    ...troubles,
  ]
}
