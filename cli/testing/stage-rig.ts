/** Runs a request through stages, without a gate around them. */
import { parseHead, type RequestHead } from '@porttunneler/shared/http/head'
import { HeadEdit } from '../http/head-edit.ts'
import type { Reply, Stage } from '../http/pipeline.ts'

/** @throws if the relay would refuse it */
export function headOf(...lines: readonly string[]): RequestHead {
  const parsed = parseHead(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'))
  if (typeof parsed === 'string') throw new Error(parsed)
  return parsed
}

/** @returns what a stage answers instead of the upstream, if one does */
export function replyOf(stages: readonly Stage[], head: RequestHead): Reply | undefined {
  const edit = new HeadEdit(head.bytes)
  for (const stage of stages) {
    const reply = stage.onRequest?.({ head, edit, visitorAddress: '192.0.2.1' })
    if (reply) return reply
  }
  return undefined
}

/** @returns the lines that the upstream gets. @throws if a stage answers the request */
export function requestThrough(stages: readonly Stage[], head: RequestHead): readonly string[] {
  const edit = new HeadEdit(head.bytes)
  for (const stage of stages)
    if (stage.onRequest?.({ head, edit, visitorAddress: '192.0.2.1' })) throw new Error('a stage answered')
  return edit.toBuffer().toString('latin1').split('\r\n').slice(0, -2)
}
