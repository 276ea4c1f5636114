/**
 * A job that maintains the records that lead visitors to cells: whatever changed them, they are corrected within ten
 * minutes. A cell has its own addresses (a balancer's), else the public addresses of its reporting relays; its wildcard
 * covers names under its domain, also reserved names and the targets of own domains. Where that would lead to several
 * relays, each has a record of its own, by which browsers find its live figures. Targets of tunnels that moved to
 * another cell have records of their own too. A cell whose relays are all silent keeps what it has.
 */
import { isPublicAddress } from '../base/public-addresses.ts'
import { type Cell, directoryOf, queryAll } from './cells.ts'
import type { Control } from './control.ts'
import { proofOf, targetUnder } from './domains/proof.ts'
import type { JobKind, RunningJob, Wish } from './jobs/jobs.ts'
import { requestJob } from './jobs/kick.ts'
import type { Dns, ZoneRecord } from './platform.ts'
import { queries } from './query-table.ts'

const everyMs = 10 * 60_000
const name = 'dns.records'

const wish: Wish = { kind: name, subject: 'all', account: '' }

/** Call it when what the records lead to has changed: they are put right now. */
export async function followByRecords(control: Control): Promise<void> {
  if (control.dns.kind !== 'none') await requestJob(control, wish)
}

/** For installations whose zones are managed by hand. */
export const noDns: Dns = {
  kind: 'none',
  keep: async () => ({ made: 0, removed: 0, foreign: [] }),
  put: async () => {},
  remove: async () => {},
}

export function keepOwnRecords(control: Control): JobKind {
  return {
    name,
    attemptsMax: Number.MAX_SAFE_INTEGER,
    everyMs,
    run: (job) => writeRecords(control, job),
  }
}

async function writeRecords(control: Control, job: RunningJob): Promise<void> {
  if (control.dns.kind === 'none') return
  const cells = await control.cells.open()
  const lists = cells.map((cell) => recordsOf(control, cell))
  // Otherwise the records of a cell without known relays would count as left over.
  if (lists.length === 0 || lists.some((records) => records.length === 0)) return
  const wanted = [...lists.flat(), ...(await recordsOfMoved(control, cells))]
  const { made, removed, foreign } = await control.dns.keep(wanted, job.signal)
  if (made + removed > 0) control.log.info({ made, removed }, 'records of our zones were put right')
  for (const what of foreign) control.log.warn({ what }, 'a record that is not ours stands in the way')
}

/** Targets of own domains whose tunnel is in another cell now: they have its addresses instead of the wildcard's. */
async function recordsOfMoved(control: Control, cells: readonly Cell[]): Promise<readonly ZoneRecord[]> {
  const moved = await queryAll(control.store, queries.domainsAway, { where: { isAway: true } })
  const records: ZoneRecord[] = []
  for (const { data } of moved) {
    const told = cells.find(({ id }) => id === data.cell)
    const present = cells.find(({ id }) => id === data.cellAway)
    // A claim alone proves nothing, and must not fill our zone.
    if (!told || !present || data.state === 'pending') continue
    const { token } = await proofOf(control, data, [])
    records.push(...leadTo(control, [targetUnder(token, told.domain)], present))
  }
  return records
}

function recordsOf(control: Control, cell: Cell): readonly ZoneRecord[] {
  const names = [...new Set([cell.host, cell.domain, `*.${cell.domain}`])].filter(
    (name) => !/^[\d.]+$/.test(name),
  )
  return [...leadTo(control, names, cell), ...recordsOfRelays(control, cell)]
}

/** By its server name, as its certificate and the address of its live figures have it. */
function recordsOfRelays(control: Control, cell: Cell): readonly ZoneRecord[] {
  const shared = addressesOf(control, cell)
  return directoryOf(control, cell).flatMap(({ sni, host }) => {
    const isCovered = isChildOf(sni, cell.domain)
    // A relay chooses its name: it gets none beyond its cell.
    if (!isPublicAddress(host) || !(isCovered || isChildOf(sni, cell.host))) return []
    return isCovered && shared.length === 1 && shared[0] === host ? [] : [recordOf(sni, host)]
  })
}

function isChildOf(name: string, parent: string): boolean {
  return (
    name.endsWith(`.${parent}`) &&
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name.slice(0, -parent.length - 1))
  )
}

function leadTo(control: Control, names: readonly string[], cell: Cell): readonly ZoneRecord[] {
  const addresses = addressesOf(control, cell)
  return names.flatMap((name) => addresses.map((value) => recordOf(name, value)))
}

function addressesOf(control: Control, cell: Cell): readonly string[] {
  const { addresses = [] } = cell
  const relays = directoryOf(control, cell)
  // A cell without relays serves nobody: what leads there stays as it is.
  if (addresses.length > 0 && relays.length > 0) return addresses
  return [...new Set(relays.map(({ host }) => host))].filter(isPublicAddress)
}

function recordOf(name: string, value: string): ZoneRecord {
  return { type: value.includes(':') ? 'AAAA' : 'A', name, value }
}
