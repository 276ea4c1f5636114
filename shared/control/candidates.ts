/**
 * Where a claim looks for an endpoint, one candidate a round: the tunnel's earlier one, then a free one at a random
 * place, then one whose last tunnel has lost its right to it. It reads outside the transaction that takes the endpoint.
 */
import { fail } from '../base/errors.ts'
import { limits } from '../protocol/limits.ts'
import { type Cell, tcpEndpointId, type Views } from './cells.ts'
import type { Control } from './control.ts'
import { isNameDenied, isPortDenied } from './deny-lists.ts'
import { type EndpointDoc, endpoints, type TunnelDoc } from './documents.ts'
import { e2eEndpoint, findE2eEndpoint } from './e2e-names.ts'
import { isReserved, mayReuse } from './lease-rules.ts'
import type { Snapshot } from './platform.ts'
import { queries } from './query-table.ts'
import { suggestNames } from './suggestions.ts'
import { freeLapsed } from './sweeper.ts'

export type Search = {
  readonly tunnel: Snapshot<TunnelDoc>
  readonly port: number | undefined
  /** Must not be proposed again. */
  readonly tried: ReadonlySet<string>
  /** Proposed in this round to another tunnel of the call. */
  readonly avoid: ReadonlySet<string>
  readonly cell: Cell
  readonly views: Views
}

const freeAtOnce = 4
const suffixTries = 5
/** No two of these look alike. */
const suffixLetters = 'abcdefghjkmnpqrstuvwxyz23456789'

/** @throws endpoint.exhausted, endpoint.port_taken, endpoint.port_denied, endpoint.name_denied, endpoint.name_taken */
export async function findCandidate(control: Control, search: Search): Promise<string> {
  const { tunnel, tried } = search
  const own = tunnel.data.endpoint
  if (tunnel.data.kind !== 'tcp') return findHost(control, search)
  if (search.port !== undefined) return findPort(search, search.port)
  const wish = wishOf(tunnel.data, search.cell)
  if (wish !== undefined) return findPort(search, portOf(wish))
  if (own.startsWith(`tcp:${search.cell.id}:`) && !tried.has(own)) return own
  const free = await control.free.find(control, search.cell.id, [tried, search.avoid])
  const found = free ?? (await findReusable(control, search))
  if (found === undefined) throw fail('endpoint.exhausted')
  return found
}

/** Whether the tunnel asked for exactly this one, by its port or its name; any other would change its address. */
export function isAskedFor(
  candidate: string,
  { tunnel, port, cell }: Pick<Search, 'tunnel' | 'port' | 'cell'>,
): boolean {
  const { kind } = tunnel.data
  if (kind === 'tls' && candidate === e2eEndpoint(tunnel.data, cell.domain)) return true
  if (kind !== 'tcp') return candidate === plainHost(tunnel.data, cell)
  return port !== undefined || wishOf(tunnel.data, cell) !== undefined
}

/** The reserved host that was given to it, or the host of its name. */
function plainHost(tunnel: Pick<TunnelDoc, 'name' | 'wish' | 'wishCell'>, cell: Cell): string {
  return wishOf(tunnel, cell) ?? `host:${tunnel.name}.${cell.domain}`
}

function wishOf({ wish, wishCell }: Pick<TunnelDoc, 'wish' | 'wishCell'>, { id }: Cell): string | undefined {
  return wishCell === id ? wish : undefined
}

function portOf(endpoint: string): number {
  return Number(endpoint.slice(endpoint.lastIndexOf(':') + 1))
}

function findPort({ cell, tried }: Search, port: number): string {
  const { portFrom, portTo } = cell
  if (port < portFrom || port > portTo)
    throw fail('endpoint.port_denied', `Port ${port} is outside ${portFrom} to ${portTo}.`)
  if (isPortDenied(port)) throw fail('endpoint.port_denied', `Port ${port} is withheld from everybody.`)
  const id = tcpEndpointId(cell.id, port)
  if (tried.has(id)) throw fail('endpoint.port_taken', `Port ${port} is not free.`)
  return id
}

async function findReusable(
  control: Control,
  { tunnel, cell, views, tried, avoid }: Search,
): Promise<string | undefined> {
  const nowMs = control.clock.now()
  const view = await views.withBound()
  const { account } = tunnel.data
  const where = { cell: cell.id, kind: 'tcp' }
  const [expired, rested] = await Promise.all([
    control.store.query(queries.expiredInCell, {
      where: { ...where, state: 'leased' },
      to: nowMs - limits.skewMs,
      limit: 50,
    }),
    control.store.query(queries.restedInCell, {
      where: { ...where, state: 'resting' },
      to: nowMs,
      limit: 50,
    }),
  ])
  const fits = ({ ref: { id }, data }: Snapshot<EndpointDoc>) =>
    !tried.has(id) &&
    !avoid.has(id) &&
    !isReserved(data) &&
    mayReuse(id, data, { account, cell: view, nowMs })
  const found = [...rested.items, ...expired.items].filter(fits)
  const chosen = pickOne(found.slice(0, freeAtOnce), control.random)
  if (chosen?.data.state === 'leased' && chosen.data.account !== account)
    await freeLapsed(control, chosen.ref.id, { cell, view })
  return chosen?.ref.id
}

async function findHost(control: Control, { tunnel, cell, tried }: Search): Promise<string> {
  const { name, endpoint: own, generated } = tunnel.data
  const wish = wishOf(tunnel.data, cell)
  if (wish === undefined && isNameDenied(name))
    throw fail('endpoint.name_denied', `"${name}" cannot be the name of a host here.`)
  const kept = wish ?? (await findE2eEndpoint(control, tunnel.data, cell.domain))
  if (kept !== undefined && !tried.has(kept)) return kept
  if (kept === undefined && isHostOf(own, name, cell.domain) && !tried.has(own)) return own
  const plain = kept ?? plainHost(tunnel.data, cell)
  if (!tried.has(plain)) return plain
  if (!generated || kept !== undefined) throw await taken(control, tunnel.data, { id: plain, cell })
  for (let attempt = 0; attempt < suffixTries; attempt++) {
    const suffix = Array.from({ length: 4 }, () => pickOne([...suffixLetters], control.random)).join('')
    const id = `host:${name}-${suffix}.${cell.domain}`
    if (!tried.has(id)) return id
  }
  throw fail('endpoint.exhausted', `No host name like "${name}" is free.`)
}

/**
 * The error for a taken name. We never give another address than the one asked for; the caller chooses another name.
 */
async function taken(
  control: Control,
  { account, name }: TunnelDoc,
  { id, cell: { domain } }: { readonly id: string; readonly cell: Cell },
) {
  const found = await control.store.get(endpoints.ref(id))
  const who = found?.data.account === account ? 'Another tunnel of this account' : 'Somebody else'
  const suggestions = await suggestNames(control, { account, name, domain })
  const host = id.slice('host:'.length)
  return fail('endpoint.name_taken', `${who} has the name ${host}.`, { fields: { suggestions } })
}

/** After a rename the old host no longer matches, and the next claim moves. */
function isHostOf(endpoint: string, name: string, domain: string): boolean {
  const label = endpoint.slice('host:'.length, -domain.length - 1)
  return endpoint === `host:${label}.${domain}` && (label === name || label.slice(0, -4) === `${name}-`)
}

function pickOne<T>(items: readonly T[], random: () => number): T | undefined {
  return items[Math.floor(random() * items.length)]
}
