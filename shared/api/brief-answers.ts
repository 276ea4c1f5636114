/**
 * Saves bytes for a reader: an answer that it already has (ETag and If-None-Match, RFC 9110 section 13.1.2), and three
 * quarters of a long one (gzip). Both apply to JSON answers of reads. An answer that repeats the caller's body, or has
 * a secret, is never compressed.
 */
import { createHash } from 'node:crypto'
import type { MiddlewareHandler } from 'hono'
import type { ApiEnv } from './kit.ts'

/** Below this an answer fits one packet anyway. */
const gzipBytesMin = 1_400
/** Compressing more than this costs more CPU than it saves on the line. */
const gzipBytesMax = 4 * 1024 * 1024

export const briefAnswers: MiddlewareHandler<ApiEnv> = async (c, next) => {
  await next()
  const { status, headers } = c.res
  const isRead = c.req.method === 'GET' || c.req.method === 'HEAD'
  if (!isRead || status !== 200 || !headers.get('content-type')?.startsWith('application/json')) return
  const body = Buffer.from(await c.res.arrayBuffer())
  const known = headers.get('etag')
  const etag = known ?? `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
  const told = { etag, vary: 'accept-encoding' }
  if (matches(c.req.header('if-none-match'), etag)) {
    c.res = new Response(null, { status: 304, headers: told })
    c.res.headers.delete('content-type')
    return
  }
  const isLong = body.length >= gzipBytesMin && body.length <= gzipBytesMax
  const asGzip = isLong && takesGzip(c.req.header('accept-encoding'))
  c.res = new Response(asGzip ? await compress(body) : body, {
    headers: { ...told, 'content-type': 'application/json', ...(asGzip && { 'content-encoding': 'gzip' }) },
  })
}

function compress(body: Buffer<ArrayBuffer>): Promise<ArrayBuffer> {
  return new Response(new Blob([body]).stream().pipeThrough(new CompressionStream('gzip'))).arrayBuffer()
}

/** Compares weakly: a proxy that compresses turns our ETags into weak ones. */
function matches(asked: string | undefined, etag: string): boolean {
  return asked === '*' || (asked?.split(',').some((one) => one.trim().replace(/^W\//, '') === etag) ?? false)
}

function takesGzip(accepts = ''): boolean {
  return accepts.split(',').some((one) => /^\s*(x-)?gzip\s*(;\s*q=(?!0(\.0*)?\s*$)[\d.]+\s*)?$/i.test(one))
}
