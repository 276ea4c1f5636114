/**
 * The built console, read once at start and served from memory: a crafted path reaches nothing on disk, a file replaced
 * while the server runs cannot mix two builds, and each text is compressed once, when somebody first asks for it. Paths
 * without an extension are pages of the single-page app and get index.html, except for folders that have their own: the
 * documentation's, below /docs/.
 */

import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { extname, join, relative, sep } from 'node:path'
import { gzipSync } from 'node:zlib'
import { fail } from '@porttunneler/shared/base/errors'
import { sayFileError } from '@porttunneler/shared/base/system-errors'

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.txt': 'text/plain; charset=utf-8',
  '.woff2': 'font/woff2',
}
const compressible = /^(text\/|image\/svg|application\/(json|manifest))/

type WebFile = {
  readonly body: Buffer<ArrayBuffer>
  /** Missing where compressing gains nothing. */
  readonly gzip?: () => Buffer<ArrayBuffer>
  readonly headers: Readonly<Record<string, string>>
}
export type WebFiles = ReadonlyMap<string, WebFile>

/** @throws standalone.console when there is no build */
export function readWebFiles(folder: string): WebFiles {
  let names: string[]
  try {
    names = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
    const files = new Map(names.map((name) => [pathOf(folder, name), readWebFile(folder, name)]))
    if (files.has('/index.html')) return files
  } catch (cause) {
    throw fail('standalone.console', `${folder} cannot be read${sayFileError(cause)}`, { cause })
  }
  throw fail('standalone.console')
}

function pathOf(folder: string, name: string): string {
  return `/${relative(folder, name).split(sep).join('/')}`
}

function readWebFile(folder: string, name: string): WebFile {
  const body = Buffer.from(readFileSync(name))
  const type = types[extname(name)] ?? 'application/octet-stream'
  // Vite puts a hash of the content into the names under assets/: such a file never changes.
  const isHashed = pathOf(folder, name).startsWith('/assets/')
  return {
    body,
    ...(compressible.test(type) && body.length > 1_000 ? { gzip: compressedOnce(body) } : {}),
    headers: {
      'content-type': type,
      'cache-control': isHashed ? 'public, max-age=31536000, immutable' : 'no-cache',
      etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
      vary: 'accept-encoding',
    },
  }
}

/** The documentation has hundreds of pages: to compress all of them would hold up a start for a quarter of a second. */
function compressedOnce(body: Buffer): () => Buffer<ArrayBuffer> {
  let made: Buffer<ArrayBuffer> | undefined
  return () => {
    made ??= Buffer.from(gzipSync(body))
    return made
  }
}

/** Serves GET and HEAD; undefined when there is no such file and the path does not look like a page. */
export function serveWebFile(files: WebFiles, request: Request): Response | undefined {
  const path = new URL(request.url).pathname
  // As Firebase Hosting does: a folder with pages of its own is shown with the slash that its links need.
  if (files.has(`${path}/index.html`))
    return new Response(null, { status: 301, headers: { location: `${path}/`, 'cache-control': 'no-cache' } })
  const file = files.get(path) ?? files.get(`${path}index.html`) ?? pageOfApp(files, path)
  if (!file) return undefined
  if (request.headers.get('if-none-match') === file.headers.etag)
    return new Response(null, { status: 304, headers: file.headers })
  const takesGzip = /\bgzip\b/.test(request.headers.get('accept-encoding') ?? '')
  const gzip = takesGzip ? file.gzip?.() : undefined
  const body = gzip ?? file.body
  const headers = new Headers(file.headers)
  headers.set('content-length', String(body.length))
  if (gzip) headers.set('content-encoding', 'gzip')
  return new Response(request.method === 'HEAD' ? null : body, { headers })
}

function pageOfApp(files: WebFiles, path: string): WebFile | undefined {
  return extname(path) === '' ? files.get('/index.html') : undefined
}
