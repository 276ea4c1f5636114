/** `ptun list` and `ptun delete`: the tunnels of the account. */
import type { Client } from '@porttunneler/shared/api/client'
import {
  isServed,
  isTrouble,
  stateWord,
  type TunnelState,
} from '@porttunneler/shared/api/schemas/tunnel-words'
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import { fail } from '@porttunneler/shared/base/errors'
import { type Context, connectApi, paintOf, say, tell } from '../context.ts'
import { nearest } from '../nearest.ts'
import { formatDuration, formatTable, type Paint } from '../output/format.ts'
import { askYes } from './ask-yes.ts'

type Wish = { readonly search?: string; readonly tag?: string; readonly state?: readonly TunnelState[] }

/** Trouble first. @throws login.*, server.*, and the API's errors */
export async function list(context: Context, { search, tag, state }: Wish): Promise<number> {
  const { client } = await connectApi(context)
  const isPart = search !== undefined || tag !== undefined || state !== undefined
  const tunnels = await allTunnels(client, { search, tag, state, sort: 'trouble' })
  for (const tunnel of tunnels) tell(context, { event: 'tunnel', ...tunnel })
  if (tunnels.length === 0)
    say(context, isPart ? 'No tunnel is like that.' : 'No tunnels yet. Make one: ptun http 3000')
  else {
    const paint = paintOf(context)
    say(context, ...tunnelTable(tunnels, paint), ...whyLines(tunnels, context.clock.now(), paint))
  }
  return 0
}

/** @throws api.not_found for an unknown name, cli.usage without --yes if there is nobody to ask */
export async function deleteTunnel(
  context: Context,
  name: string,
  { yes = false }: { yes?: boolean },
): Promise<number> {
  const { client } = await connectApi(context)
  const tunnel = await findTunnel(client, name)
  const given = tunnel.endpoint ? ` and give up ${tunnel.endpoint.url}` : ''
  const asked = { act: 'Deleting', question: `Delete ${tunnel.name}${given}?` }
  if (!yes && !(await askYes(context, asked))) {
    say(context, 'Nothing was deleted.')
    return 1
  }
  await client.deleteTunnel(tunnel.id)
  say(context, `Deleted ${tunnel.name}${tunnel.endpoint ? `; ${tunnel.endpoint.url} is given up` : ''}.`)
  tell(context, { event: 'tunnel.deleted', id: tunnel.id, name: tunnel.name })
  return 0
}

/** All pages; most accounts have one. */
export async function allTunnels(
  client: Client,
  wish: Parameters<Client['tunnels']>[0] = {},
): Promise<readonly Tunnel[]> {
  const all: Tunnel[] = []
  let cursor: string | undefined
  do {
    const page = await client.tunnels({ ...wish, limit: 100, cursor })
    all.push(...page.items)
    cursor = page.next
  } while (cursor !== undefined)
  return all
}

/** @param text its name or id @throws api.not_found */
export async function tunnelIdOf(client: Client, text: string): Promise<string> {
  return (await findTunnel(client, text)).id
}

/** @param text its name or id @throws api.not_found with the name that it may be meant to be */
export async function findTunnel(client: Client, text: string): Promise<Tunnel> {
  const all = await allTunnels(client)
  const found = all.find(({ name, id }) => name === text || id === text)
  if (found) return found
  const guess = nearest(
    text,
    all.map(({ name }) => name),
  )
  throw fail('api.not_found', `There is no tunnel "${text}"${guess ? `; did you mean "${guess}"?` : '.'}`)
}

export function tunnelTable(tunnels: readonly Tunnel[], paint: Paint): readonly string[] {
  const isTagged = tunnels.some(({ tags = [] }) => tags.length > 0)
  const titles = ['NAME', 'KIND', 'STATE', 'AGENTS', 'ENDPOINT', ...(isTagged ? ['TAGS'] : [])]
  const head = titles.map((title) => paint('dim', title))
  const rows = tunnels.map(({ name, kind, state, agents, holders, endpoint, tags = [] }) => [
    name,
    kind,
    paint(colourOf(state), stateWord(state)),
    agents === 'many' ? poolText(holders) : '',
    endpoint?.url ?? '',
    ...(isTagged ? [tags.join(' ')] : []),
  ])
  return formatTable([head, ...rows])
}

function colourOf(state: TunnelState): 'red' | 'yellow' | 'green' | 'dim' {
  if (state === 'healthy') return 'green'
  if (state === 'upstream_failing' || state === 'refused') return 'red'
  return isServed(state) ? 'yellow' : 'dim'
}

/** Says what is wrong, and what to do, for each tunnel that somebody should look at. */
export function whyLines(tunnels: readonly Tunnel[], nowMs: number, paint: Paint): readonly string[] {
  return tunnels
    .filter(({ state }) => isTrouble(state))
    .flatMap(({ name, state, why: { cause, cure, code, since } }) => [
      '',
      `${paint('bold', name)} ${paint(colourOf(state), stateWord(state))}${since === undefined ? '' : ` for ${formatDuration(nowMs - since)}`}${code ? paint('dim', ` ${code}`) : ''}`,
      `  ${cause}`,
      ...(cure ? [`  ${cure}`] : []),
    ])
}

/** Each agent of the tunnels that several share. */
export function poolLines(tunnels: readonly Tunnel[], nowMs: number, paint: Paint): readonly string[] {
  const rows = tunnels.flatMap(({ name, agents, holders }) =>
    agents === 'many'
      ? holders.map(({ agent, since, state }) => [
          `  ${name}`,
          agent,
          paint(state === 'online' ? 'green' : 'yellow', state),
          `for ${formatDuration(nowMs - since)}`,
        ])
      : [],
  )
  return rows.length === 0 ? [] : ['', paint('bold', 'Agents of pools'), ...formatTable(rows)]
}

/** `2 of 3`: how many of the agents that share it are there. */
function poolText(holders: Tunnel['holders']): string {
  const present = holders.filter(({ state }) => state === 'online').length
  return present === holders.length ? `pool: ${present}` : `pool: ${present} of ${holders.length}`
}
