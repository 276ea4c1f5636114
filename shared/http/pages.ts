/**
 * The answers that relay and agent give a visitor themselves: a code, what happened, what to do. A page for people (one
 * file, no address but the abuse link, light and dark, phone width), a problem document (RFC 9457) for programs. Always
 * the last answer on its connection.
 */
import { Buffer } from 'node:buffer'
import { STATUS_CODES } from 'node:http'
import { codes, type ErrorKey } from '../base/errors.ts'

export type PageRequest = {
  /** The head of the request, or whatever came in its place. */
  readonly bytes: Buffer
  /** As far as it was understood. */
  readonly host?: string | undefined
  readonly abuseUrl?: string | undefined
  /** Header lines besides the usual ones. */
  readonly fields?: readonly string[]
  readonly retryAfterSeconds?: number
}

/** Seconds after which trying again makes sense: an agent is back within 20 s of its network. */
const retryAfterUsual = 10

/** The whole answer, head and body, ready to be written. */
export function renderPage(key: ErrorKey, request: PageRequest): Buffer {
  const { bytes, host, fields = [], retryAfterSeconds = retryAfterUsual } = request
  const abuseUrl = request.abuseUrl && reportLink(request.abuseUrl, host)
  const { http: status, retry } = codes[key]
  const asked = bytes.toString('latin1')
  const isHtml = prefersHtml(asked)
  const body = Buffer.from(isHtml ? htmlPage(key, host, abuseUrl) : problem(key, abuseUrl, retryAfterSeconds))
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
    `Content-Type: ${isHtml ? 'text/html; charset=utf-8' : 'application/problem+json'}`,
    `Content-Length: ${body.length}`,
    'Cache-Control: no-store',
    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    'X-Content-Type-Options: nosniff',
    `X-PortTunneler-Error: ${codes[key].code}`,
    ...(retry === 'later' ? [`Retry-After: ${retryAfterSeconds}`] : []),
    ...fields,
    'Connection: close',
    '\r\n',
  ]
  const top = Buffer.from(lines.join('\r\n'))
  return asked.startsWith('HEAD ') ? top : Buffer.concat([top, body])
}

/** With the address that is reported, so that nobody has to type it. */
function reportLink(abuseUrl: string, host: string | undefined): string {
  if (host === undefined || !/^https?:/.test(abuseUrl)) return abuseUrl
  return `${abuseUrl}${abuseUrl.includes('?') ? '&' : '?'}host=${encodeURIComponent(host)}`
}

/** Browsers name text/html in Accept; programs ask for JSON, anything or nothing. */
function prefersHtml(asked: string): boolean {
  const accept = /\r\naccept:([^\r]*)/i.exec(asked)?.[1]?.toLowerCase() ?? ''
  const html = accept.indexOf('text/html')
  const json = accept.search(/application\/(?:[a-z.-]+\+)?json/)
  return html >= 0 && (json < 0 || html < json)
}

function problem(key: ErrorKey, abuseUrl: string | undefined, retryAfter: number): string {
  const { code, title, http: status, cause, cure, retry } = codes[key]
  return `${JSON.stringify({
    type: `urn:porttunneler:error:${code}`,
    title,
    status,
    code,
    detail: cause,
    cure,
    ...(retry === 'later' && { retryAfter }),
    ...(abuseUrl !== undefined && { reportAbuse: abuseUrl }),
  })}\n`
}

const style = `
:root{color-scheme:light dark;--ink:#1b2330;--soft:#5a6675;--page:#f4f5f7;--card:#fff;--line:#dfe3e8;--mark:#b3261e}
@media(prefers-color-scheme:dark){
:root{--ink:#e8ebef;--soft:#9aa5b3;--page:#12161c;--card:#1b2129;--line:#2e3742;--mark:#ff8a80}}
*{box-sizing:border-box}body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.25rem;
background:var(--page);color:var(--ink);font:1rem/1.55 system-ui,sans-serif}
main{width:100%;max-width:36rem;
background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1.75rem}
h1{font-size:1.4rem;line-height:1.25;margin:.25rem 0 1rem}h2{font-size:.95rem;margin:1.25rem 0 .25rem}p{margin:0}
.code{color:var(--mark);font:600 .9rem ui-monospace,monospace}.host{overflow-wrap:anywhere;color:var(--soft)}
footer{margin-top:1.5rem;padding-top:1rem;
border-top:1px solid var(--line);color:var(--soft);font-size:.85rem}a{color:inherit}
`

function htmlPage(key: ErrorKey, host: string | undefined, abuseUrl: string | undefined): string {
  const { code, title, http: status, cause, cure, owner } = codes[key]
  const abuse =
    abuseUrl === undefined
      ? 'To report abuse of this address, write to whoever runs this server.'
      : `<a href="${escapeHtml(abuseUrl)}" rel="nofollow">Report abuse of this address</a>`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escapeHtml(title)} (${code})</title>
<style>${style}</style>
</head>
<body>
<main>
<p class="code">${code} · HTTP ${status}</p>
<h1>${escapeHtml(title)}</h1>
${host === undefined ? '' : `<p class="host">${escapeHtml(host)}</p>`}
<h2>What happened</h2>
<p>${escapeHtml(cause)}</p>
<h2>What ${owner === 'peer' ? 'you' : 'the owner'} can do</h2>
<p>${escapeHtml(cure)}</p>
<footer>Answered by PortTunneler, not by the site itself. ${abuse}</footer>
</main>
</body>
</html>
`
}

/** Also for attribute values in double quotes. */
function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
  return text.replace(/[&<>"]/g, (character) => entities[character] ?? '')
}
