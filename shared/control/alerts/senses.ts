/** What both platforms can find out about the service itself: relays, jobs, and what the service depends on. */
import { codes } from '../../base/errors.ts'
import type { Control } from '../control.ts'
import { type JobDoc, jobs, type RelayDoc } from '../documents.ts'
import { jobRef } from '../jobs/jobs.ts'
import { relaysOf } from '../operator/fleet.ts'
import { askDependencies } from '../operator/health.ts'
import type { Snapshot } from '../platform.ts'
import { silentMs } from '../presence.ts'
import { queries } from '../query-table.ts'
import type { AlertDoc } from './alert-documents.ts'
import { failingJob } from './failing-jobs.ts'
import type { Found, Sense } from './sense.ts'

/** A store full of dead jobs is one cause: the first pages of them name it. */
const deadMax = 50

/** A relay is down when none of its processes has reported, unless the last one had said that it leaves. */
export function senseRelays(control: Control, open: readonly Snapshot<AlertDoc>[]): Sense {
  return {
    kinds: ['relay.down'],
    look: async () => {
      const nowMs = control.clock.now()
      const byRelay = Map.groupBy(await relaysOf(control), ({ data }) => data.relay)
      const found = [...byRelay].flatMap(([relay, places]) =>
        silentRelay(
          relay,
          places.map(({ data }) => data),
          nowMs,
        ),
      )
      // Forgotten after a week, which is no end of its trouble to tell anybody of.
      const gone = open.filter(
        ({ data: { kind, subject } }) => kind === 'relay.down' && !byRelay.has(subject),
      )
      return { found, stopped: gone.map(({ data }) => data.subject) }
    },
  }
}

function silentRelay(relay: string, places: readonly RelayDoc[], nowMs: number): readonly Found[] {
  const there = places.filter(({ seenAt, state }) => seenAt > 0 && state !== 'draining')
  const [last] = there.toSorted((a, b) => b.seenAt - a.seenAt)
  if (!last || nowMs - last.seenAt <= silentMs) return []
  const { cause, cure, code } = codes['alert.relay']
  const name = `${relay} in ${last.cell}`
  return [{ kind: 'relay.down', subject: relay, name, since: last.seenAt, cause, cure, code }]
}

/** Jobs that have given up, by their kind; and whether those that were failing still are. */
export function senseJobs({ store }: Pick<Control, 'store'>, open: readonly Snapshot<AlertDoc>[]): Sense {
  return {
    kinds: ['job.dead', 'job.failing'],
    look: async () => {
      const dead = await store.query(queries.jobsByState, { where: { state: 'dead' }, limit: deadMax })
      const byKind = Map.groupBy(dead.items, ({ ref }) => ref.id.slice(0, ref.id.indexOf(':')))
      const failing = open.filter(({ data }) => data.kind === 'job.failing')
      const now = await store.getAll(failing.map(({ data }) => jobs.ref(jobRef(data.subject, 'all').id)))
      return {
        found: [
          ...[...byKind].map(([kind, items]) => deadJobs(kind, items, dead.next !== undefined)),
          ...now.flatMap((job) => (job ? failingJob(job) : [])),
        ],
      }
    },
  }
}

function deadJobs(kind: string, items: readonly Snapshot<JobDoc>[], isCut: boolean): Found {
  const { cause, cure, code } = codes['alert.jobs_dead']
  const last = items.at(-1)?.data.error ?? ''
  const count = `${items.length}${isCut ? ' or more' : ''}`
  const failure = last === '' ? '' : ` The last failure was ${last}.`
  return {
    kind: 'job.dead',
    subject: kind,
    name: `${count} of ${kind}`,
    cause: `${cause}${failure}`,
    cure,
    code,
  }
}

/** What is asked directly; the store is not among them, for without it nobody would hear of anything. */
export function senseDependencies(control: Control): Sense {
  return {
    kinds: ['dependency.failing'],
    look: async () => {
      const asked = await askDependencies(control)
      const failing = asked.filter(({ name, state }) => name !== 'store' && state === 'failing')
      const found = failing.map(({ name, what, code = '', cause = '', cure }): Found => {
        const words = { cause, code, ...(cure !== undefined && { cure }) }
        return { kind: 'dependency.failing', subject: name, name: what, ...words }
      })
      return { found }
    },
  }
}
