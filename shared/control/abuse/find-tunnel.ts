/** From what a visitor sees in the address bar, or types after `nc`, to the tunnel that has this address now. */
import { type Place, readAddress } from '../../base/reported-address.ts'
import { wildcardOver } from '../../base/wildcards.ts'
import { tcpEndpointId } from '../cells.ts'
import type { Control } from '../control.ts'
import { type CellDoc, endpoints, type TunnelDoc, tunnels } from '../documents.ts'
import { names } from '../name-documents.ts'
import type { Snapshot } from '../platform.ts'
import { queries } from '../query-table.ts'

/** Far more cells than a service has, on one page. */
const cellsMax = 200

/** By an id (tun_…), the address of an endpoint, or an own domain. */
export async function findTunnelAt(control: Control, text: string): Promise<Snapshot<TunnelDoc> | undefined> {
  if (/^tun_[0-9a-z]{26}$/.test(text)) return control.store.get(tunnels.ref(text))
  const place = readAddress(text)
  const id = place && (await tunnelAt(control, place))
  return id === undefined ? undefined : control.store.get(tunnels.ref(id))
}

/** The tunnel that has it, perhaps one that was deleted a moment ago. */
export async function tunnelAt({ store }: Control, { host, port }: Place): Promise<string | undefined> {
  const tcp = port === undefined ? [] : await cellsOf(store, { host, port })
  const wildcard = wildcardOver(host)
  const [own, ...byPort] = await store.getAll([
    endpoints.ref(`host:${host}`),
    ...tcp.map((cell) => endpoints.ref(tcpEndpointId(cell, port ?? 0))),
  ])
  const found = [own, ...byPort].find((one) => one !== undefined && one.data.tunnel !== '')
  if (found) return found.data.tunnel
  const [exact, over] = await store.getAll([names.ref(host), names.ref(wildcard || host)])
  const name = [exact, over].find((one) => one?.data.state === 'active')
  return name?.data.tunnel
}

/** Whether it is below the domain of one of our cells, or a port of one, whether or not a tunnel has it. */
export async function isOurs({ store }: Pick<Control, 'store'>, { host, port }: Place): Promise<boolean> {
  const all = await allCells(store)
  return all.some(
    ({ data }) =>
      host.endsWith(`.${data.domain.toLowerCase()}`) ||
      (port !== undefined && data.host.toLowerCase() === host && hasPort(data, port)),
  )
}

/** Cells whose tcp endpoints have this host, closed ones too: their tunnels go on. */
async function cellsOf(
  store: Control['store'],
  { host, port }: { readonly host: string; readonly port: number },
): Promise<readonly string[]> {
  const fits = (await allCells(store)).filter(
    ({ data }) => data.host.toLowerCase() === host && hasPort(data, port),
  )
  return fits.map(({ ref }) => ref.id)
}

async function allCells(store: Pick<Control['store'], 'query'>): Promise<readonly Snapshot<CellDoc>[]> {
  const pages = await Promise.all(
    (['open', 'closed'] as const).map((state) =>
      store.query(queries.cellsByState, { where: { state }, limit: cellsMax }),
    ),
  )
  return pages.flatMap(({ items }) => items)
}

function hasPort({ portFrom, portTo }: CellDoc, port: number): boolean {
  return port >= portFrom && port <= portTo
}
