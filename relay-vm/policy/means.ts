/**
 * Compares what this process may have (descriptors, V8's heap) with what its configuration lets in, once at the start.
 * Too little of either is logged with the figure that would do. Visitors are then limited to what there is, so that
 * they are refused with a reason, and descriptors are left for agents, the control plane and files.
 */
import { readFileSync } from 'node:fs'
import { codes } from '@porttunneler/shared/base/errors'
import type { Log } from '@porttunneler/shared/base/log'
import { heapLimitBytes } from '@porttunneler/shared/base/memory'
import { type RelayConfig, visitorsMaxDefault } from '../config.ts'

export type Means = {
  /** undefined where the system does not say. */
  readonly descriptors: number | undefined
  readonly heapBytes: number
}

type Limits = RelayConfig['limits']

/** For files, the control plane, the log, name lookups, readers of metrics, and processes that share the ports. */
const reserved = 128
/** For a carrier, one more in a download or a change of network, and a leased port. */
const descriptorsPerSession = 3
/** Visitors' share of the descriptors that are not reserved; the rest is for agents. */
const visitorsShare = 0.75
const strangersShare = 0.1
/** With the default limit, room for this many is no shortage that an operator must be told at each start. */
const plentyVisitors = 10_000

/** Live objects of an idle visitor (docs/performance.md), and of the program itself. */
const visitorHeapBytes = 6 * 1024
const sessionHeapBytes = 30 * 1024
const programHeapBytes = 64 * 1024 ** 2

export function descriptorsNeeded({ visitorsMax, strangersMax, sessionsMax, watchersMax }: Limits): number {
  return visitorsMax + strangersMax + descriptorsPerSession * sessionsMax + watchersMax + reserved
}

export function heapNeeded({ visitorsMax, sessionsMax }: Limits): number {
  return visitorsMax * visitorHeapBytes + sessionsMax * sessionHeapBytes + programHeapBytes
}

/** Logs what is too little. @returns the configuration with limits that the descriptors suffice for */
export function withinMeans(config: RelayConfig, log: Log, means: Means = readMeans()): RelayConfig {
  const { limits } = config
  const heapBytes = heapNeeded(limits)
  if (heapBytes > means.heapBytes) {
    const { code, cure, title } = codes['relay.heap']
    const [needsMiB, hasMiB] = [heapBytes, means.heapBytes].map((bytes) => Math.ceil(bytes / 1024 ** 2))
    log.warn({ code, cure, needsMiB, hasMiB }, title)
  }
  const needs = descriptorsNeeded(limits)
  const has = means.descriptors
  if (has === undefined || has >= needs) return config
  const free = Math.max(1, has - reserved)
  const visitorsMax = Math.min(limits.visitorsMax, Math.max(1, Math.floor(free * visitorsShare)))
  const strangersMax = Math.min(limits.strangersMax, Math.max(1, Math.floor(free * strangersShare)))
  const isAsked = limits.visitorsMax !== visitorsMaxDefault
  if (isAsked || visitorsMax < plentyVisitors) {
    const { code, cure, title } = codes['relay.descriptors']
    log.warn({ code, cure, has, needs, visitorsMax, strangersMax }, title)
  } else log.info({ has, visitorsMax, strangersMax }, 'Visitors are limited by the available descriptors')
  return { ...config, limits: { ...limits, visitorsMax, strangersMax } }
}

function readMeans(): Means {
  return { descriptors: readDescriptors(), heapBytes: heapLimitBytes() }
}

/** Node has raised the soft limit to the hard one by now (Linux). */
export function readDescriptors(): number | undefined {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    return soft === undefined ? undefined : Number(soft)
  } catch {
    // Not Linux, or /proc is hidden: there is nothing to compare with.
    return undefined
  }
}
