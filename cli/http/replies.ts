/** The agent's own answers, as bytes. Each is the last on its connection: half a body may still be on its way. */
import { STATUS_CODES } from 'node:http'
import type { RequestHead } from '@porttunneler/shared/http/head'
import { renderPage } from '@porttunneler/shared/http/pages'
import type { Reply } from './pipeline.ts'

export function renderReply(reply: Reply, { bytes, host }: RequestHead): Buffer {
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
