/** The part of an account's export that says what its tunnels carried, and for whom. */
import { endingOf } from '../../base/ending-words.ts'
import { monthStart } from '../books/calendar.ts'
import { readHours } from '../books/hours.ts'
import { packedResultsIn } from '../books/results.ts'
import { connections } from '../connections/documents.ts'
import { unpackRows } from '../connections/packing.ts'
import type { Control } from '../control.ts'
import type { Doc } from '../platform.ts'
import { queries } from '../query-table.ts'
import { usageHours, usageMonths, usagePeriods } from '../usage-documents.ts'
import { all, nameless, type Part, part } from './parts.ts'

/** Months of usage are kept for less than this. */
const monthsMax = 36

export const partsOfUsage: readonly Part[] = [
  part('account', usageHours, {
    fields: {
      account: 'show',
      tunnel: 'show',
      cell: 'show',
      hour: 'show',
      in: 'show',
      out: 'show',
      opened: 'show',
      refused: 'show',
      // Packed for charts: the same figures in shorter steps.
      minutes: 'show',
      answers: 'show',
      times: 'show',
      open: 'show',
      codes: 'show',
      updatedAt: 'show',
      ttl: 'show',
    },
    named: nameless,
    find: (control, { id }) => all(control, queries.usageOfAccount, { where: { account: id } }),
  }),
  part('account', connections, {
    fields: {
      account: 'show',
      tunnel: 'show',
      from: 'show',
      until: 'show',
      counted: 'show',
      kept: 'show',
      packed: 'hide',
      ttl: 'show',
    },
    unpack: ({ packed, from }) => ({ connections: connectionsIn(packed, from) }),
    find: (control, { id }) => all(control, queries.connectionsOfAccount, { where: { account: id } }),
  }),
  part('account', usagePeriods, {
    fields: {
      account: 'show',
      start: 'show',
      end: 'show',
      state: 'show',
      turnsAt: 'hide',
      plan: 'show',
      hours: 'hide',
      answers: 'hide',
      times: 'hide',
      open: 'hide',
      codes: 'hide',
      bytes: 'show',
      countedTo: 'show',
      monthsTo: 'hide',
      corrections: 'show',
      lateHours: 'hide',
      corrected: 'show',
      warned: 'show',
      ttl: 'show',
    },
    named: nameless,
    // Documents of releases up to 0.1 have a map of hours.
    unpack: ({ hours, lateHours = '', start, ...results }) =>
      typeof hours === 'string'
        ? hoursOf({ ...packedResultsIn(results), hours: lateHours === '' ? hours : lateHours }, start)
        : { hours },
    find: (control, { id }) => all(control, queries.periodsOfAccount, { where: { account: id } }),
  }),
  part('account', usageMonths, {
    fields: {
      account: 'show',
      tunnel: 'show',
      start: 'show',
      hours: 'hide',
      answers: 'hide',
      times: 'hide',
      open: 'hide',
      codes: 'hide',
      ttl: 'show',
    },
    named: nameless,
    unpack: ({ hours, start, ...results }) => hoursOf({ ...packedResultsIn(results), hours }, start),
    find: (control, { id }) => monthsOf(control, id),
  }),
]

function connectionsIn(packed: string, fromMs: number): Doc[] {
  return unpackRows(packed).map(([after, ms, from, bytesIn, out, code]) => ({
    endedAt: fromMs + after,
    ms,
    from,
    in: bytesIn,
    out,
    ...endingOf(code),
  }))
}

function hoursOf(series: Parameters<typeof readHours>[0], start: number): Doc {
  return { hours: [...readHours(series, start)].map(([hour, sum]) => ({ hour, ...sum })) }
}

/** The newest months first, each with all tunnels that carried something. */
async function* monthsOf(control: Control, account: string) {
  const nowMs = control.clock.now()
  for (let back = 0; back < monthsMax; back++) {
    const where = { account, start: monthStart(nowMs, -back) }
    yield* all(control, queries.monthsOfAccount, { where })
  }
}
