/**
 * The job that looks at one tunnel: an event that may mean trouble asks for it (a relay misses its agent, an agent its
 * upstream, a lease has lapsed), and it looks again only while there is trouble or an alert that has not ended. A
 * tunnel that is well has no such job.
 */
import { codes } from '../../base/errors.ts'
import { readyRelays } from '../cells.ts'
import type { Control } from '../control.ts'
import { type EndpointDoc, endpoints, type TunnelDoc, tunnels } from '../documents.ts'
import type { JobKind, RunningJob } from '../jobs/jobs.ts'
import { judgeTunnel } from '../tunnel-state.ts'
import { type AlertKey, alertRef, noRules, rulesRef } from './alert-documents.ts'
import type { Finding } from './deciding.ts'
import { judge } from './raising.ts'
import type { Trouble } from './states.ts'

const minuteMs = 60_000
/** Jobs may not wait longer than this in one go (ahead.ts). */
const waitsMs = 60 * minuteMs

const kinds = ['tunnel.down', 'tunnel.upstream'] as const

export function checkTunnels(control: Control): JobKind {
  return { name: 'alert.check', attemptsMax: 100, waitsMs, run: (job) => check(control, job) }
}

async function check(control: Control, job: RunningJob): Promise<void> {
  const { store, clock } = control
  const { account, subject: id } = job
  const [[tunnel], [rules], known] = await Promise.all([
    store.getAll([tunnels.ref(id)]),
    store.getAll([rulesRef(account)]),
    store.getAll(kinds.map((kind) => alertRef({ account, kind, subject: id }))),
  ])
  const found = await findingsOf(control, id, tunnel?.data)
  const nowMs = clock.now()
  const dueAts: number[] = []
  for (const [index, kind] of kinds.entries()) {
    const key: AlertKey = { account, kind, subject: id }
    const about = { rules: rules?.data ?? noRules(account), tunnel: { id, tags: tunnel?.data.tags } }
    const step = { key, finding: found[kind], ...about }
    const dueAt = await judge(control, job, step, { known: known[index], nowMs })
    if (dueAt !== undefined) dueAts.push(dueAt)
  }
  if (dueAts.length > 0) await job.pause({}, Math.min(...dueAts, nowMs + waitsMs))
}

type Findings = { readonly [K in (typeof kinds)[number]]: Finding }

async function findingsOf(control: Control, id: string, tunnel: TunnelDoc | undefined): Promise<Findings> {
  if (!tunnel) return both('stopped')
  const [endpoint] =
    tunnel.endpoint === '' ? [] : await control.store.getAll([endpoints.ref(tunnel.endpoint)])
  const cell = (await control.cells.latelyAll([tunnel.cell])).get(tunnel.cell)
  const nowMs = control.clock.now()
  const lease = endpoint?.data
  const ready = cell ? readyRelays(control, cell) : []
  const { state, why } = judgeTunnel({ id, tunnel, endpoint: lease, ready, nowMs })
  const { cause, cure, code, since = nowMs } = why
  const trouble = { name: tunnel.name, cause, cure, code, since }
  switch (state) {
    case 'healthy':
    case 'degraded':
      return both('well')
    case 'upstream_failing':
      return { 'tunnel.down': 'well', 'tunnel.upstream': trouble }
    case 'connecting':
      return both('unclear')
    case 'never_used':
      return both('stopped')
    case 'refused':
    case 'offline':
      return offline(lease, { id, trouble, isBlind: ready.length === 0, nowMs })
  }
}

/** An agent that is ended by its user gives the lease back; a lease that ran out by itself had one that died. */
function offline(
  lease: EndpointDoc | undefined,
  {
    id,
    trouble,
    isBlind,
    nowMs,
  }: { readonly id: string; readonly trouble: Trouble; readonly isBlind: boolean; readonly nowMs: number },
): Findings {
  // No relay has ever had its agent: there was nothing to lose.
  if (lease?.tunnel !== id || lease.servedAt === 0) return both('stopped')
  const isLeased = lease.state === 'leased' && lease.expiresAt > nowMs
  // The cell has no relay that reports: the operators' trouble, and the owner can do nothing about it.
  if (isLeased && isBlind) return both('unclear')
  const hasLapsed = lease.state === 'leased' || (lease.releasedAt > 0 && lease.releasedAt >= lease.expiresAt)
  if (!isLeased && !hasLapsed) return both('stopped')
  const { code = codes['tunnel.away'].code } = trouble
  return { 'tunnel.down': { ...trouble, code }, 'tunnel.upstream': 'unclear' }
}

function both(finding: Finding): Findings {
  return { 'tunnel.down': finding, 'tunnel.upstream': finding }
}
