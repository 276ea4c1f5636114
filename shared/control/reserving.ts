/** From a person's spelling of what to keep to the endpoint, the answer, and what else is free. */
import type { ReservedName, ReservedPort } from '../api/schemas/reservations.ts'
import { fail } from '../base/errors.ts'
import { liesUnder, readAscii } from '../base/host-names.ts'
import { plainName } from '../base/labels.ts'
import type { Caller } from './caller.ts'
import { chooseCell } from './cell-choice.ts'
import { type Cell, describeEndpoint, tcpEndpointId } from './cells.ts'
import { type Control, controlOf } from './control.ts'
import { checkNewName, isPortDenied } from './deny-lists.ts'
import { endpoints, type TunnelDoc, tunnels } from './documents.ts'
import { e2eEndpoint, nameInE2e } from './e2e-names.ts'
import { isReserved } from './lease-rules.ts'
import type { Snapshot, Transaction } from './platform.ts'
import { nameOf, type Reservation, reserve } from './reservations.ts'
import { suggestNames, suggestPorts } from './suggestions.ts'
import { findTunnelByName } from './tunnels.ts'

/** Free ports to look at before giving up. */
const portTries = 20

type AlsoWrite = (tx: Transaction, made: Reservation) => void

/**
 * @param name a name, or a whole host under a domain of ours, in any case
 * @throws name.*, endpoint.name_denied, endpoint.name_taken, quota.reserved_hosts, cell.none, cell.unknown
 */
export async function reserveName(
  control: Control,
  caller: Caller,
  { name, cell: named }: { readonly name: string; readonly cell?: string | undefined },
  alsoWrite?: AlsoWrite,
): Promise<Reservation> {
  const { label, cell: under } = await readName(control, name)
  const plain = nameInE2e(label) ?? label
  checkNewName(plain)
  const { account } = caller
  const tunnel = await findTunnelByName(controlOf(control, account), account, plain)
  const preferred = tunnel?.data.cell ?? ''
  const cell = under ?? (await choosePlace(control, { preferred, named }))
  const id = `host:${label}.${cell.domain}`
  const made = await reserve(control, caller, { id, kind: 'host', cell }, alsoWrite)
  if (made) return made
  const suggestions = await suggestNames(control, { account, name: plain, domain: cell.domain })
  const detail = `Somebody else has the name ${nameOf(id)}, or it waits for its last owner.`
  throw fail('endpoint.name_taken', detail, { fields: { suggestions } })
}

/** Keeping needs no relay that is ready; where it is not clear which cell is meant, the choice among them does. */
async function choosePlace(
  control: Control,
  { preferred, named }: { readonly preferred: string; readonly named: string | undefined },
): Promise<Cell> {
  const open = await control.cells.openIds()
  const [only] = open.length === 1 ? open : []
  const clear = named ?? (preferred || only)
  return clear !== undefined && open.includes(clear)
    ? control.cells.lately(clear)
    : chooseCell(control, { preferred, named })
}

/** @throws name.* */
async function readName(control: Control, text: string): Promise<{ label: string; cell?: Cell }> {
  const plain = plainName(text)
  if (!(nameInE2e(plain) ?? plain).includes('.')) return { label: plain }
  const read = readAscii(text)
  if ('error' in read) throw read.error
  const cells = await control.cells.open()
  const cell = cells.find(({ domain }) => liesUnder(read.host, domain) && read.host !== domain)
  if (!cell)
    throw fail(
      'name.invalid',
      `${read.host} is not under a domain of this service. Your own domains cannot be reserved here.`,
    )
  return { label: read.host.slice(0, -cell.domain.length - 1), cell }
}

/**
 * @param port undefined: any free one
 * @throws endpoint.port_denied, endpoint.port_taken, endpoint.exhausted, quota.reserved_ports, cell.none, cell.unknown
 */
export async function reservePort(
  control: Control,
  caller: Caller,
  { port, cell: named }: { readonly port?: number | undefined; readonly cell?: string | undefined },
  alsoWrite?: AlsoWrite,
): Promise<Reservation> {
  const cell = await choosePlace(control, { preferred: '', named })
  const reserveId = (id: string) => reserve(control, caller, { id, kind: 'tcp', cell }, alsoWrite)
  if (port === undefined) {
    const tried = new Set<string>()
    for (let at = 0; at < portTries; at++) {
      const id = await control.free.find(control, cell.id, [tried])
      const made = id === undefined ? undefined : await reserveId(id)
      if (made) return made
      if (id === undefined) break
      tried.add(id)
    }
    throw fail('endpoint.exhausted')
  }
  const { portFrom, portTo } = cell
  if (port < portFrom || port > portTo)
    throw fail('endpoint.port_denied', `Port ${port} is outside ${portFrom} to ${portTo}.`)
  if (isPortDenied(port)) throw fail('endpoint.port_denied', `Port ${port} is withheld from everybody.`)
  const made = await reserveId(tcpEndpointId(cell.id, port))
  if (made) return made
  const suggestions = await suggestPorts(control, cell.id)
  const detail = `Somebody else has port ${port}, or it waits for its last owner.`
  throw fail('endpoint.port_taken', detail, { fields: { suggestions } })
}

/** What the account keeps, in any cell: a new tunnel that asks for it by name or port belongs there. */
export async function findKept(
  control: Control,
  account: string,
  {
    name,
    port,
    isTls = false,
  }: {
    readonly name?: string | undefined
    readonly port?: number | undefined
    /** A tunnel of kind tls prefers the name that no wildcard covers. */
    readonly isTls?: boolean
  },
): Promise<{ readonly wish: string; readonly wishCell: string } | undefined> {
  const cells = await control.cells.open()
  // With one place, the name or port alone leads to it.
  if (cells.length < 2 || (name ?? port) === undefined) return undefined
  const idsIn = ({ id, domain }: Cell) => {
    if (port !== undefined) return [tcpEndpointId(id, port)]
    const plain = `host:${name}.${domain}`
    return isTls && name !== undefined ? [e2eEndpoint({ name }, domain), plain] : [plain]
  }
  const found = await control.store.getAll(cells.flatMap(idsIn).map((id) => endpoints.ref(id)))
  const kept = found.find(
    (one) => one && isReserved(one.data) && one.data.account === account && one.data.reservedTunnel === '',
  )
  return kept && { wish: kept.ref.id, wishCell: kept.data.cell }
}

export async function describeNames(
  control: Control,
  found: readonly Reservation[],
): Promise<ReservedName[]> {
  return describe(control, found, ({ ref: { id } }, cell) => {
    const { url, host } = describeEndpoint(id, 'http', cell)
    return { name: host.slice(0, -cell.domain.length - 1), host, url }
  })
}

export async function describePorts(
  control: Control,
  found: readonly Reservation[],
): Promise<ReservedPort[]> {
  return describe(control, found, ({ ref: { id } }, cell) => {
    const { url, host, port } = describeEndpoint(id, 'tcp', cell)
    return { id: nameOf(id), port, host, url }
  })
}

async function describe<T>(
  control: Control,
  found: readonly Reservation[],
  own: (one: Reservation, cell: Cell) => T,
) {
  const served = await control.store.getAll(found.map(({ data }) => tunnels.ref(tunnelOf(data) || 'none')))
  return Promise.all(
    found.map(async (one, at) => {
      const cell = await control.cells.lately(one.data.cell)
      return { ...own(one, cell), ...common(one, served[at], control.clock.now()) }
    }),
  )
}

function common({ data }: Reservation, tunnel: Snapshot<TunnelDoc> | undefined, nowMs: number) {
  const { cell, reservedAt = 0, reservedRevision = 0, reservedTunnel = '' } = data
  const isServed = data.state === 'leased' && data.expiresAt > nowMs
  const rests = data.state === 'resting' && data.wasAnothers === true && data.restUntil > nowMs
  return {
    cell,
    state: isServed ? ('in_use' as const) : rests ? ('resting' as const) : ('unused' as const),
    ...(tunnel && {
      tunnel: { id: tunnel.ref.id, name: tunnel.data.name },
      isOnlyFor: reservedTunnel !== '',
    }),
    ...(rests && { restsUntil: data.restUntil }),
    reservedAt,
    revision: reservedRevision,
  }
}

/** The tunnel it was given to, or else the one that has it now. */
function tunnelOf({ reservedTunnel = '', state, tunnel }: Reservation['data']): string {
  return reservedTunnel || (state === 'leased' ? tunnel : '')
}
