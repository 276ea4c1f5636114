/**
 * The pages that the `type` of every problem document points to: what a code means and what to do. They are the same
 * wherever the service runs, load nothing, and allow nothing but their own style.
 */
import { createHash } from 'node:crypto'
import { codes, type ErrorEntry, keyOfCode, type PortTunnelerError } from '../base/errors.ts'
import { escapeHtml } from '../base/html.ts'

const style = `
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
  body { max-width: 42rem; margin: 3rem auto; padding: 0 1rem }
  h1 { font-size: 1.4rem } code, .code { font-family: ui-monospace, monospace } .code { opacity: .7 }
  dt { font-weight: 600; margin-top: 1rem } dd { margin: 0 } li { margin: .25rem 0 }
  label { display: block; margin-top: 1rem; font-weight: 600 } button { font: inherit; padding: .5rem 1rem }
  input, select, textarea { box-sizing: border-box; width: 100%; padding: .4rem; font: inherit }`

const headers = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'public, max-age=3600',
  'content-security-policy': [
    "default-src 'none'",
    `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
}

/** Returns the answer for `/errors` and below (404 for an unknown code), and undefined for everything else. */
export function errorAnswer({ method, url }: Request): Response | undefined {
  if (method !== 'GET' && method !== 'HEAD') return undefined
  const { pathname } = new URL(url)
  if (!/^\/errors(\/|$)/.test(pathname)) return undefined
  const page = pathname === '/errors' ? errorIndex() : errorPage(pathname.slice('/errors/'.length))
  const [body, status] = page === undefined ? [unknownPage(), 404] : [page, 200]
  return new Response(method === 'HEAD' ? null : body, { status, headers })
}

/** Returns where `/report` leads, the address that people remember, and undefined for everything else. */
export function reportAnswer({ method, url }: Request): Response | undefined {
  const { pathname, search } = new URL(url)
  if ((method !== 'GET' && method !== 'HEAD') || pathname !== '/report') return undefined
  return new Response(null, {
    status: 302,
    headers: { location: `/v1/report${search}`, 'cache-control': 'no-store' },
  })
}

function unknownPage(): string {
  const says = 'This release has no code with this number. It may come from a newer one.'
  return page('No such code', `<h1>No such code</h1><p>${says}</p><p><a href="/errors">All codes</a></p>`)
}

/** A refusal for people who came with a browser: the page of its code, with what happened this time. */
export function refusalPage({ code, detail, entry }: PortTunnelerError): Response {
  return new Response(errorPage(code, detail), {
    status: entry.http,
    headers: { ...headers, 'cache-control': 'no-store' },
  })
}

/** A page about this very request: never kept by a cache. @param body HTML */
export function plainPage(title: string, body: string): Response {
  return new Response(page(title, body), { headers: { ...headers, 'cache-control': 'no-store' } })
}

/** The page of one code, or undefined when there is no such code. */
function errorPage(code: string, detail?: string): string | undefined {
  const key = keyOfCode(code)
  if (key === undefined) return undefined
  const entry: ErrorEntry = codes[key]
  return page(
    `${entry.code} ${entry.title}`,
    `<p class="code">${entry.code}</p><h1>${escapeHtml(entry.title)}</h1>${detail === undefined ? '' : `<p>${escapeHtml(detail)}</p>`}
<dl><dt>What happened</dt><dd>${escapeHtml(entry.cause)}</dd>
<dt>What to do</dt><dd>${escapeHtml(entry.cure)}</dd></dl>
<p><a href="/errors">All codes</a> · <a href="/docs/troubleshooting.html">Troubleshooting by symptom</a></p>`,
  )
}

/** The list of all codes. */
function errorIndex(): string {
  const rows = Object.values<ErrorEntry>(codes)
    .toSorted((a, b) => a.code.localeCompare(b.code))
    .map(
      ({ code, title }) => `<li><a href="/errors/${code}"><code>${code}</code></a> ${escapeHtml(title)}</li>`,
    )
  return page('Codes', `<h1>Codes</h1><ul>${rows.join('\n')}</ul>`)
}

function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>${escapeHtml(title)} - PortTunneler</title>
<style>${style}</style></head><body>${body}</body></html>`
}
