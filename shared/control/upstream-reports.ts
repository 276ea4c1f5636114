/**
 * What agents say about their upstreams: a tunnel whose upstream is out of reach must not look well to its owner.
 * Agents report changes alone, and not often (cli/agent/upstream-reports.ts).
 */
import type { z } from 'zod'
import type { upstreamReportSchema } from '../api/schemas/tunnels.ts'
import { changeAndWatch } from './alerts/watching.ts'
import { type Caller, mayTouch } from './caller.ts'
import type { AccountControl } from './control.ts'
import { type EndpointDoc, tunnels } from './documents.ts'

type UpstreamReport = z.infer<typeof upstreamReportSchema>

/** Skips tunnels that the agent does not hold (any more), so repeating it changes nothing. */
export async function recordUpstreams(
  control: AccountControl,
  caller: Caller,
  { agent, upstreams }: UpstreamReport,
): Promise<void> {
  const found = await control.store.getAll(upstreams.map(({ tunnel }) => tunnels.ref(tunnel)))
  const nowMs = control.clock.now()
  await Promise.all(
    upstreams.map(async ({ tunnel, epoch, code }, index) => {
      const data = found[index]?.data
      if (data?.account !== caller.account || !mayTouch(caller, data.name) || data.endpoint === '') return
      await changeAndWatch(control, data.endpoint, {
        next: (current) => {
          const isHeld = current?.state === 'leased' && current.tunnel === tunnel && current.epoch === epoch
          return isHeld ? withUpstream(current, { agent, code, nowMs }) : undefined
        },
        watches: code !== undefined,
      })
    }),
  )
}

/** @returns undefined when nothing changes */
function withUpstream(
  current: EndpointDoc,
  { agent, code, nowMs }: { agent: string; code: string | undefined; nowMs: number },
): EndpointDoc | undefined {
  const holder = current.holders?.[agent]
  if (holder === undefined || holder.upstream?.code === code) return undefined
  const { upstream: before, ...rest } = holder
  const upstream = code === undefined ? {} : { upstream: { code, since: before?.since ?? nowMs } }
  return { ...current, holders: { ...current.holders, [agent]: { ...rest, ...upstream } } }
}
