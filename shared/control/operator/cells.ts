/** How an operator makes and closes cells. A closed one serves its tunnels and takes no new ones. */
import { z } from 'zod'
import { fail } from '../../base/errors.ts'
import { cellDomainMax } from '../../base/labels.ts'
import { isPublicAddress } from '../../base/public-addresses.ts'
import { type CellSettings, ensureCell, queryAll, readyRelays } from '../cells.ts'
import type { Control } from '../control.ts'
import { type CellDoc, cells } from '../documents.ts'
import { followByRecords } from '../own-records.ts'
import { queries } from '../query-table.ts'
import { cellIdSchema, declareAct, recordAct } from './act.ts'
import { switchCell } from './fleet.ts'

const hostSchema = z
  .string()
  .toLowerCase()
  .max(253)
  .regex(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/,
    'a host name; no part of it is longer than 63 characters',
  )
const portSchema = z.int().min(1).max(65_535)
const idSchema = z.strictObject({ id: cellIdSchema })
const face = {
  host: hostSchema,
  domain: hostSchema
    .max(cellDomainMax)
    .refine((domain) => !/(^|\.)\d+$/.test(domain), 'a domain: an address has no names under it'),
  portFrom: portSchema.min(1024),
  portTo: portSchema,
  httpScheme: z.enum(['http', 'https']),
  httpPort: portSchema,
  tlsPort: portSchema,
}
/** A balancer's, in front of the relays; visitors could not reach others. */
const addressesSchema = z
  .array(z.string().refine(isPublicAddress, 'an address of the public internet'))
  .max(4)
const settingsSchema = z.strictObject({
  ...idSchema.shape,
  ...face,
  addresses: addressesSchema.default([]),
})
const changeSchema = z
  .strictObject({ ...idSchema.shape, ...face, addresses: addressesSchema })
  .partial()
  .required({ id: true })

export const cellActs = {
  'cells.list': declareAct(z.strictObject({}), async ({ control }) => {
    const states: readonly CellDoc['state'][] = ['open', 'closed']
    const found = await Promise.all(
      states.map((state) => queryAll(control.store, queries.cellsByState, { where: { state } })),
    )
    return Promise.all(found.flat().map(({ ref, data }) => describe(control, ref.id, data)))
  }),
  'cells.create': declareAct(settingsSchema, async ({ control }, input, by) => {
    const settings = inOrder(input)
    if (await control.store.get(cells.ref(settings.id)))
      throw fail('operator.exists', `There is a cell "${settings.id}" already.`)
    await recordAct(control, by, { action: 'cell.created', target: settings.id, details: { ...settings } })
    await ensureCell(control, settings)
    return describe(control, settings.id, await find(control, settings.id))
  }),
  'cells.change': declareAct(changeSchema, async ({ control }, { id, ...changed }, by) => {
    const { state: _, createdAt: __, ...before } = await find(control, id)
    const given = Object.fromEntries(
      Object.entries(changed).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
    )
    const settings = inOrder({ ...before, ...given, id })
    await recordAct(control, by, { action: 'cell.changed', target: id, details: given })
    await ensureCell(control, settings)
    await followByRecords(control)
    return describe(control, id, await find(control, id))
  }),
  'cells.close': declareAct(idSchema, async ({ control }, { id }, by) => {
    await switchCell(control, { id, state: 'closed' }, by)
    return describe(control, id, await find(control, id))
  }),
  'cells.open': declareAct(idSchema, async ({ control }, { id }, by) => {
    await switchCell(control, { id, state: 'open' }, by)
    return describe(control, id, await find(control, id))
  }),
}

/** @throws operator.missing */
export async function find({ store }: Pick<Control, 'store'>, id: string): Promise<CellDoc> {
  const found = await store.get(cells.ref(id))
  if (!found) throw fail('operator.missing', `There is no cell "${id}".`)
  return found.data
}

/** @throws operator.input */
function inOrder(settings: CellSettings): CellSettings {
  if (settings.portFrom <= settings.portTo) return settings
  throw fail('operator.input', `The ports ${settings.portFrom}-${settings.portTo} go from high to low.`)
}

async function describe(control: Control, id: string, cell: CellDoc) {
  const { state, host, domain, portFrom, portTo, httpScheme, httpPort, tlsPort, createdAt } = cell
  const { addresses = [] } = cell
  const relays = await queryAll(control.store, queries.relaysOfCell, { where: { cell: id } })
  const ready = readyRelays(control, { ...cell, id, relays }).length
  const shown = { host, domain, ports: `${portFrom}-${portTo}`, httpScheme, httpPort, tlsPort, addresses }
  return { id, state, ...shown, relaysReady: ready, createdAt }
}
