/**
 * A job that maintains the records that lead visitors to cells: whatever changed them, they are corrected within ten
 * minutes. A cell has the public addresses of its reporting relays; its wildcard covers names under its domain, also
 * reserved names and the targets of own domains. A cell whose relays are all silent keeps what it has.
 */
import { isPublicAddress } from '../base/public-addresses.ts'
import { type Cell, directoryOf } from './cells.ts'
import type { Control } from './control.ts'
import type { JobKind, RunningJob } from './jobs/jobs.ts'
import type { Dns, ZoneRecord } from './platform.ts'

const everyMs = 10 * 60_000

/** For installations whose zones are managed by hand. */
export const noDns: Dns = {
  kind: 'none',
  keep: async () => ({ made: 0, removed: 0, foreign: [] }),
  put: async () => {},
  remove: async () => {},
}

export function keepOwnRecords(control: Control): JobKind {
  return {
    name: 'dns.records',
    attemptsMax: Number.MAX_SAFE_INTEGER,
    everyMs,
    run: (job) => writeRecords(control, job),
  }
}

async function writeRecords(control: Control, job: RunningJob): Promise<void> {
  if (control.dns.kind === 'none') return
  const cells = await Promise.all((await control.cells.openIds()).map((id) => control.cells.lately(id)))
  const lists = cells.map((cell) => recordsOf(control, cell))
  // Otherwise the records of a cell without known relays would count as left over.
  if (lists.length === 0 || lists.some((records) => records.length === 0)) return
  const { made, removed, foreign } = await control.dns.keep(lists.flat(), job.signal)
  if (made + removed > 0) control.log.info({ made, removed }, 'records of our zones were put right')
  for (const what of foreign) control.log.warn({ what }, 'a record that is not ours stands in the way')
}

function recordsOf(control: Control, cell: Cell): readonly ZoneRecord[] {
  const hosts = directoryOf(control, cell).map((relay) => relay.host)
  const addresses = [...new Set(hosts)].filter(isPublicAddress)
  const names = [...new Set([cell.host, cell.domain, `*.${cell.domain}`])].filter(
    (name) => !/^[\d.]+$/.test(name),
  )
  return names.flatMap((name) =>
    addresses.map((value) => ({ type: value.includes(':') ? 'AAAA' : 'A', name, value }) as const),
  )
}
