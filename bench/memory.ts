/**
 * Memory of a way's two ends, in fresh processes: at rest, and for each connected visitor without traffic. What other
 * measurements leave in a heap would hide both.
 */
import type { ChildProcess } from 'node:child_process'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { order } from './order.ts'
import type { Backend, Path, PathMaker } from './path.ts'
import { residentBytes } from './processes.ts'

export type MemorySample = {
  readonly path: string
  readonly visitors: number
  readonly server: End
  readonly client: End
}

type End = {
  readonly restMB: number
  readonly idleVisitorKB: number
}

/** Enough for buffers of the opening to be released, and for timers to run. */
const settleMs = 1_500

export async function measureMemory(
  maker: PathMaker,
  {
    backend,
    load,
    visitors,
  }: { readonly backend: Backend; readonly load: ChildProcess; readonly visitors: number },
): Promise<MemorySample> {
  const path = await maker.open(backend)
  try {
    await sleep(systemClock, settleMs)
    const rest = residentOf(path)
    await order(load, { job: { kind: 'hold', count: visitors }, target: path.target })
    await sleep(systemClock, settleMs)
    const held = residentOf(path)
    await order(load, { job: { kind: 'release' }, target: path.target })
    const end = (side: 'server' | 'client'): End => ({
      restMB: rest[side] / 1e6,
      idleVisitorKB: (held[side] - rest[side]) / visitors / 1_000,
    })
    return { path: path.name, visitors, server: end('server'), client: end('client') }
  } finally {
    await path.close()
  }
}

function residentOf({ ends }: Path) {
  return { server: residentBytes(ends.server), client: residentBytes(ends.client) }
}
