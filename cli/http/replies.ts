/** The agent's own answers, as bytes. Each is the last on its connection: half a body may still be on its way. */
import { STATUS_CODES } from 'node:http'
import { codes } from '@porttunneler/shared/base/errors'
import { type PageRequest, renderPage } from '@porttunneler/shared/http/pages'
import { type AskedRequest, editedHead } from './answers.ts'
import type { Reply, Stage } from './pipeline.ts'

/** Its head, changed by the stages, and its body if it has one. */
export function ownAnswer(reply: Reply, asked: AskedRequest, stages: readonly Stage[]): readonly Buffer[] {
  const bytes = renderReply(reply, asked)
  const bodyAt = bytes.indexOf('\r\n\r\n') + 4
  const answer = { status: statusOf(reply), isHttps: asked.isHttps, isOwn: true }
  const head = editedHead(bytes.subarray(0, bodyAt), stages, answer)
  return bodyAt < bytes.length ? [head, bytes.subarray(bodyAt)] : [head]
}

function statusOf(reply: Reply): number {
  return reply.kind === 'page' ? codes[reply.key].http : reply.status
}

function renderReply(reply: Reply, { bytes, host }: Pick<PageRequest, 'bytes' | 'host'>): Buffer {
  if (reply.kind === 'page') return renderPage(reply.key, { bytes, host, ...reply })
  const { status, location } = reply
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `Location: ${location}`,
    'Content-Length: 0',
    'Connection: close',
    '\r\n',
  ]
  return Buffer.from(lines.join('\r\n'), 'latin1')
}
