/** `ptun names` and `ptun ports`: what the account keeps, whether or not a tunnel uses it. */
import type { Client } from '@porttunneler/shared/api/client'
import type { ReservedName, ReservedPort } from '@porttunneler/shared/api/schemas/reservations'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { plainName, slipOfLabel } from '@porttunneler/shared/base/labels'
import { type Context, connectApi, paintOf, say, tell } from '../context.ts'
import { nearest } from '../nearest.ts'
import { formatDate, formatTable } from '../output/format.ts'
import { askYes } from './ask-yes.ts'
import { tunnelIdOf } from './tunnels.ts'

type Kept = ReservedName | ReservedPort
type Page<T> = { readonly items: readonly T[]; readonly next?: string | undefined }
export type MoveOptions = {
  readonly tunnel?: string
  readonly anyTunnel?: boolean
  readonly toAccount?: string
}

/** What differs between names and ports. */
type Noun<T extends Kept> = {
  /** The word in events and sentences. */
  readonly one: 'name' | 'port'
  readonly listed: { readonly event: string }
  readonly moved: { readonly event: string }
  readonly released: { readonly event: string }
  readonly none: string
  readonly page: (client: Client, cursor: string | undefined) => Promise<Page<T>>
  /** The name in API paths and for people. */
  readonly idOf: (kept: T) => string
  readonly sayOf: (kept: T) => string
  readonly isCalled: (kept: T, text: string) => boolean
  readonly give: (client: Client, id: string, tunnel: string | null) => Promise<T>
  readonly move: (client: Client, id: string, account: string) => Promise<undefined>
  readonly release: (client: Client, id: string) => Promise<undefined>
}

export const names: Noun<ReservedName> = {
  one: 'name',
  listed: { event: 'name' },
  moved: { event: 'name.moved' },
  released: { event: 'name.released' },
  none: 'No names yet. Keep one: ptun names reserve <name>',
  page: (client, cursor) => client.names({ limit: 100, cursor }),
  idOf: ({ host }) => host,
  sayOf: ({ host }) => host,
  isCalled: ({ name, host, url }, text) => [name, host, url].includes(plainName(text)),
  give: (client, id, tunnel) => client.giveName(id, { tunnel }),
  move: (client, id, account) => client.moveName(id, { account }),
  release: (client, id) => client.releaseName(id),
}

export const ports: Noun<ReservedPort> = {
  one: 'port',
  listed: { event: 'port' },
  moved: { event: 'port.moved' },
  released: { event: 'port.released' },
  none: 'No ports yet. Keep one: ptun ports reserve',
  page: (client, cursor) => client.ports({ limit: 100, cursor }),
  idOf: ({ id }) => id,
  sayOf: ({ host, port }) => `${host}:${port}`,
  isCalled: ({ id, port, url, host }, text) =>
    [id, `${port}`, url, `${host}:${port}`].includes(text.toLowerCase()),
  give: (client, id, tunnel) => client.givePort(id, { tunnel }),
  move: (client, id, account) => client.movePort(id, { account }),
  release: (client, id) => client.releasePort(id),
}

/** @throws login.*, server.*, and the API's errors */
export async function listKept<T extends Kept>(context: Context, noun: Noun<T>): Promise<number> {
  const { client } = await connectApi(context)
  const all = await allKept(client, noun)
  for (const kept of all) tell(context, { ...noun.listed, ...kept })
  const paint = paintOf(context)
  const head = [noun.one.toUpperCase(), 'STATE', 'TUNNEL', 'CELL', 'SINCE'].map((title) =>
    paint('dim', title),
  )
  const rows = all.map((kept) => [
    noun.sayOf(kept),
    stateOf(kept),
    kept.tunnel ? `${kept.tunnel.name}${kept.isOnlyFor ? ' (only)' : ''}` : '',
    kept.cell,
    formatDate(kept.reservedAt),
  ])
  if (all.length === 0) say(context, noun.none)
  else say(context, ...formatTable([head, ...rows]))
  return 0
}

/** @throws name.*, endpoint.name_taken, quota.reserved_hosts and the API's other errors */
export async function reserveName(
  context: Context,
  name: string,
  { cell }: { readonly cell?: string },
): Promise<number> {
  const { client } = await connectApi(context)
  const command = (other: string) => `ptun names reserve ${other}${cell ? ` --cell ${cell}` : ''}`
  const kept = await withExample(command, () => client.reserveName({ name, ...(cell && { cell }) }))
  say(context, `${kept.url} is yours. Use it: ptun http 3000 --name ${kept.name}`)
  tell(context, { event: 'name.reserved', ...kept })
  return 0
}

/** @throws endpoint.port_taken, endpoint.port_denied, quota.reserved_ports and the API's other errors */
export async function reservePort(
  context: Context,
  port: string | undefined,
  { cell }: { readonly cell?: string },
): Promise<number> {
  const wanted = port === undefined ? undefined : parsePort(port)
  const { client } = await connectApi(context)
  const command = (other: string) => `ptun ports reserve ${other}${cell ? ` --cell ${cell}` : ''}`
  const wish = { ...(wanted !== undefined && { port: wanted }), ...(cell && { cell }) }
  const kept = await withExample(command, () => client.reservePort(wish))
  say(context, `${kept.url} is yours. Use it: ptun tcp 5432 --port ${kept.port}`)
  tell(context, { event: 'port.reserved', ...kept })
  return 0
}

function parsePort(text: string): number {
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port
  throw fail('cli.usage', `"${text}" is not a port (1 to 65535).`)
}

/** A suggestion goes into a command to be copied, so only valid names and ports are used. */
async function withExample<T>(command: (other: string) => string, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    const { suggestions } = isFailure(error) ? error.fields : {}
    const fit = Array.isArray(suggestions)
      ? suggestions.map(String).find((one) => !slipOfLabel(one))
      : undefined
    if (!isFailure(error) || fit === undefined) throw error
    throw fail(error.key, error.detail, { fields: { suggestions, example: command(fit) }, cause: error })
  }
}

/** @throws api.not_found for one that the account does not keep, cli.usage without --yes if there is nobody to ask */
export async function releaseKept<T extends Kept>(
  context: Context,
  noun: Noun<T>,
  { text, yes = false }: { readonly text: string; readonly yes?: boolean },
): Promise<number> {
  const { client } = await connectApi(context)
  const kept = await find(client, noun, text)
  const question = `Release ${noun.sayOf(kept)}? Others may have it after a rest.`
  if (!yes && !(await askYes(context, { act: 'Releasing', question }))) {
    say(context, 'Nothing was released.')
    return 1
  }
  await noun.release(client, noun.idOf(kept))
  const use = kept.state === 'in_use' ? ' The tunnel that uses it goes on.' : ''
  say(
    context,
    `Released ${noun.sayOf(kept)}. It rests before others get it; you may take it back meanwhile.${use}`,
  )
  tell(context, { ...noun.released, ...kept })
  return 0
}

/** @throws cli.usage, api.not_found, tunnel.kind, quota.reserved_hosts, quota.reserved_ports */
export async function moveKept<T extends Kept>(
  context: Context,
  noun: Noun<T>,
  { text, to }: { readonly text: string; readonly to: MoveOptions },
): Promise<number> {
  const { tunnel, anyTunnel = false, toAccount: account } = to
  if ([tunnel !== undefined, anyTunnel, account !== undefined].filter(Boolean).length !== 1)
    throw fail('cli.usage', 'Say where to: --tunnel <name>, --any-tunnel, or --to-account <id>.')
  const { client } = await connectApi(context)
  const kept = await find(client, noun, text)
  const what = noun.sayOf(kept)
  if (account !== undefined) {
    await noun.move(client, noun.idOf(kept), account)
    const rest = kept.state === 'unused' ? '' : ' It can be used there in 65 minutes at the latest.'
    say(context, `${what} is the other account's now.${rest}`)
    tell(context, { ...noun.moved, ...kept, account })
    return 0
  }
  const id = tunnel === undefined ? null : await tunnelIdOf(client, tunnel)
  const moved = await noun.give(client, noun.idOf(kept), id)
  const whose =
    id === null ? 'any tunnel of the account that asks for it' : `the tunnel "${tunnel}" and no other`
  say(context, `${what} is for ${whose}.`)
  tell(context, { ...noun.moved, ...moved })
  return 0
}

async function find<T extends Kept>(client: Client, noun: Noun<T>, text: string): Promise<T> {
  const all = await allKept(client, noun)
  const [found, another] = all.filter((kept) => noun.isCalled(kept, text))
  if (found && another) {
    const which = all.filter((kept) => noun.isCalled(kept, text)).map(noun.idOf)
    throw fail('cli.usage', `"${text}" is kept in several cells. Say which one: ${which.join(', ')}.`)
  }
  if (found) return found
  const guess = nearest(
    text,
    all.map((kept) => ('name' in kept ? kept.name : `${kept.port}`)),
  )
  throw unknown(`${noun.one} "${text}" that this account keeps`, guess)
}

function unknown(what: string, guess: string | undefined) {
  return fail('api.not_found', `There is no ${what}${guess ? `; did you mean "${guess}"?` : '.'}`)
}

/** All pages; an account keeps at most some hundreds. */
async function allKept<T extends Kept>(client: Client, { page }: Noun<T>): Promise<readonly T[]> {
  const all: T[] = []
  let cursor: string | undefined
  do {
    const { items, next } = await page(client, cursor)
    all.push(...items)
    cursor = next
  } while (cursor !== undefined)
  return all
}

function stateOf({ state, restsUntil }: Kept): string {
  if (state === 'in_use') return 'in use'
  return state === 'resting' && restsUntil !== undefined
    ? `rests until ${new Date(restsUntil).toISOString().slice(11, 16)} UTC`
    : state
}
