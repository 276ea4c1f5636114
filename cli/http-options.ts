/**
 * The options of an http tunnel besides its upstream, with the same words on the command line and in ptun.yaml. Both
 * are turned into what the agent uses; a failure names the option at fault.
 */

import { X509Certificate } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { formatBytes } from '@porttunneler/shared/base/amounts'
import { type ErrorKey, fail, isFailure, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import { sayFileError } from '@porttunneler/shared/base/system-errors'
import { isHostField } from '@porttunneler/shared/http/head'
import type { TunnelKind } from '@porttunneler/shared/protocol/endpoint'
import type { HeaderEdits, Hsts, Redirect } from '@porttunneler/shared/protocol/http-edits'
import type { WantedTunnel } from './agent/tunnels.ts'
import { authorityOf, type Upstream } from './agent/upstream.ts'
import type { UpstreamTls } from './agent/upstream-tls.ts'
import type { RequestRules } from './http/pipeline.ts'
import { faultOfLogin, type Login, loginOf } from './http/stages/logins.ts'
import { type WebhookOptions, webhookCheckOf } from './webhook-options.ts'

/** As written; missing or empty means not set. */
export type HttpOptions = {
  readonly hostHeader?: string | undefined
  readonly rewriteOrigin?: boolean | undefined
  readonly insecureUpstream?: boolean | undefined
  readonly upstreamCa?: string | undefined
  readonly upstreamProtocol?: string | undefined
  readonly auth?: readonly string[] | undefined
  readonly authFile?: string | undefined
  readonly redirects?: readonly Redirect[] | undefined
  readonly requestHeaders?: HeaderEdits | undefined
  readonly responseHeaders?: HeaderEdits | undefined
  readonly hsts?: Hsts | false | undefined
  readonly webhooks?: WebhookOptions | undefined
}

export const httpOptionNames: readonly (keyof HttpOptions)[] = [
  'hostHeader',
  'rewriteOrigin',
  'insecureUpstream',
  'upstreamCa',
  'upstreamProtocol',
  'auth',
  'authFile',
  'redirects',
  'requestHeaders',
  'responseHeaders',
  'hsts',
  'webhooks',
]

export type HttpParts = Pick<WantedTunnel, 'tls' | 'requests' | 'upstreamProtocol'>

/** More users than a file sensibly has: each request is compared with all. */
const loginsMax = 200
/** A bundle of all public authorities has 220 KiB. */
const fileBytesMax = 1024 * 1024

type HttpContext = {
  readonly kind: TunnelKind
  readonly upstream: Upstream
  /** The base of relative paths. */
  readonly folder: string
  /** The upstream wants a PROXY header. */
  readonly proxyProtocol?: string | undefined
}

/** What an upstream can speak, as users write it. */
export const upstreamProtocols = ['http1', 'h2c', 'h2'] as const

/**
 * @throws cli.usage, cli.file, cli.passthrough, with `fields.option`: the option at fault, or `upstream`
 */
export function httpParts(
  options: HttpOptions,
  { kind, upstream, folder, proxyProtocol }: HttpContext,
): HttpParts {
  const isTls = 'host' in upstream && upstream.isTls === true
  if (kind !== 'http') {
    const asked = httpOptionNames.find((name) => isAsked(options[name]))
    if (asked !== undefined) throw refuse('cli.passthrough', asked, passthroughText(kind))
    if (isTls)
      throw refuse(
        'cli.passthrough',
        'upstream',
        `The bytes of a ${kind} tunnel pass untouched, TLS too: write ${authorityOf(upstream)} without https://.`,
      )
    return {}
  }
  const upstreamProtocol = protocolOf(options.upstreamProtocol, isTls, proxyProtocol)
  const tls = tlsOf(options, isTls, folder)
  const requests = rulesOf(options, { upstream, isTls, folder })
  return { ...(tls && { tls }), ...(upstreamProtocol && { upstreamProtocol }), ...(requests && { requests }) }
}

/** A tunnel whose visitors' TLS ends at the agent: for server and relay its kind is tls, whatever is inside. */
export function endToEndParts(
  kind: 'http' | 'tls',
  { requests = { logins: [] } }: HttpParts,
): Pick<WantedTunnel, 'kind' | 'endToEnd' | 'requests'> {
  if (kind === 'tls') return { kind: 'tls', endToEnd: 'anything' }
  return { kind: 'tls', endToEnd: 'http', requests }
}

export const endToEndWildcardText =
  'With end-to-end TLS each host has its own certificate: give one host instead of a wildcard.'

export function passthroughText(kind: TunnelKind): string {
  return `The bytes of a ${kind} tunnel pass untouched: this is for http tunnels only.`
}

function isAsked(value: HttpOptions[keyof HttpOptions]): boolean {
  return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false
}

function protocolOf(
  text: string | undefined,
  isTls: boolean,
  proxyProtocol: string | undefined,
): WantedTunnel['upstreamProtocol'] {
  const refused = (why: string) => refuse('cli.usage', 'upstreamProtocol', why)
  const protocol = upstreamProtocols.find((one) => one === text)
  if (text !== undefined && protocol === undefined)
    throw refused(`An upstream speaks ${upstreamProtocols.join(', ')}, not "${text}".`)
  if (protocol === undefined || protocol === 'http1') return undefined
  if (protocol === 'h2' && !isTls)
    throw refused('h2 is HTTP/2 over TLS: write the upstream with https:// in front, or use h2c.')
  if (protocol === 'h2c' && isTls)
    throw refused('h2c is HTTP/2 without TLS: write the upstream without https://, or use h2.')
  // The header speaks of one visitor, and one connection serves all.
  if (proxyProtocol !== undefined)
    throw refused(
      'All visitors share one HTTP/2 connection, so a PROXY header cannot say who each of them is.',
    )
  return protocol
}

function tlsOf(options: HttpOptions, isTls: boolean, folder: string): UpstreamTls | undefined {
  const { insecureUpstream = false, upstreamCa, hostHeader } = options
  const asked = insecureUpstream ? 'insecureUpstream' : upstreamCa === undefined ? undefined : 'upstreamCa'
  if (!isTls) {
    if (asked === undefined) return undefined
    throw refuse(
      'cli.usage',
      asked,
      'This is about the certificate of an https:// upstream, which this is not.',
    )
  }
  if (insecureUpstream && upstreamCa !== undefined)
    throw refuse(
      'cli.usage',
      'insecureUpstream',
      'Either the certificate is checked or it is not: give one of the two.',
    )
  // The certificate must be for the name that the upstream knows itself by.
  const name = hostHeader === undefined || hostHeader === 'rewrite' ? undefined : nameIn(hostHeader)
  if (asked === undefined && name === undefined) return undefined
  return {
    ...(insecureUpstream && { isUnchecked: true as const }),
    ...(upstreamCa !== undefined && { ca: readCa(resolve(folder, upstreamCa)) }),
    ...(name !== undefined && { name }),
  }
}

function nameIn(host: string): string {
  return host
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase()
}

function rulesOf(
  options: HttpOptions,
  { upstream, isTls, folder }: { upstream: Upstream; isTls: boolean; folder: string },
): RequestRules | undefined {
  const { hostHeader, rewriteOrigin = false } = options
  if (rewriteOrigin && hostHeader === undefined)
    throw refuse(
      'cli.usage',
      'rewriteOrigin',
      'The origin follows the Host header: say that one too, for example "rewrite".',
    )
  if (hostHeader !== undefined && !isHostField(hostHeader))
    throw refuse(
      'cli.usage',
      'hostHeader',
      `"${hostHeader}" is not a host: write "rewrite", or a name like app.test or localhost:3000.`,
    )
  const host = hostHeader === 'rewrite' ? authorityOf(upstream) : hostHeader
  const logins = loginsOf(options, folder)
  const webhooks = options.webhooks && webhookCheckOf(options.webhooks, secretOf(options.webhooks, folder))
  const edits = { ...editsOf(options), ...(webhooks && { webhooks }) }
  if (host === undefined && logins.length === 0 && Object.keys(edits).length === 0) return undefined
  return {
    logins,
    ...edits,
    ...(host !== undefined && { host }),
    ...(rewriteOrigin && { origin: `${isTls ? 'https' : 'http'}://${host}` }),
  }
}

function editsOf({ redirects, requestHeaders, responseHeaders, hsts }: HttpOptions): Partial<RequestRules> {
  return {
    ...(redirects && { redirects }),
    ...(requestHeaders && { requestHeaders }),
    ...(responseHeaders && { responseHeaders }),
    ...(hsts && { hsts }),
  }
}

function secretOf({ secret, secretFile }: WebhookOptions, folder: string): string {
  const text = secret ?? (secretFile === undefined ? '' : read(resolve(folder, secretFile), 'webhooks'))
  // Everybody can sign with an empty one.
  if (text.trim() === '') throw refuse('cli.file', 'webhooks', 'The secret of the signatures is empty.')
  return text
}

function loginsOf({ auth = [], authFile }: HttpOptions, folder: string): readonly Login[] {
  for (const text of auth) {
    const fault = faultOfLogin(text)
    // The text itself is a secret.
    if (fault !== undefined) throw refuse('cli.usage', 'auth', `This is not a login: ${fault}.`)
  }
  const logins = [...auth, ...(authFile === undefined ? [] : readLogins(resolve(folder, authFile)))].map(
    loginOf,
  )
  if (logins.length > loginsMax)
    throw refuse(
      'cli.usage',
      authFile === undefined ? 'auth' : 'authFile',
      `At most ${loginsMax} logins are possible.`,
    )
  return logins
}

/** One login on each line; empty lines and lines that begin with # are ignored. */
function readLogins(path: string): readonly string[] {
  const lines = read(path, 'authFile').split(/\r?\n/)
  const logins = lines.flatMap((line, index) => {
    if (line.trim() === '' || line.startsWith('#')) return []
    const fault = faultOfLogin(line)
    if (fault !== undefined) throw refuse('cli.file', 'authFile', `${path}:${index + 1} ${fault}.`)
    return [line]
  })
  // An empty file would let everybody in.
  if (logins.length === 0)
    throw refuse('cli.file', 'authFile', `${path} has no logins in it, as in user:password.`)
  return logins
}

function readCa(path: string): string {
  const text = read(path, 'upstreamCa')
  try {
    new X509Certificate(text)
  } catch (cause) {
    throw refuse('cli.file', 'upstreamCa', `${path} has no certificate in PEM form in it.`, cause)
  }
  return text
}

function read(path: string, option: keyof HttpOptions): string {
  try {
    if (option !== 'upstreamCa') requirePrivate(path, option)
    const text = readFileSync(path, 'utf8')
    if (text.length <= fileBytesMax) return text
  } catch (cause) {
    if (isFailure(cause)) throw cause
    throw refuse('cli.file', option, `${path} cannot be read${sayFileError(cause)}.`, cause)
  }
  throw refuse('cli.file', option, `${path} is longer than ${formatBytes(fileBytesMax)}.`)
}

/** As with ptun's own key file. Windows has no such modes. */
function requirePrivate(path: string, option: keyof HttpOptions): void {
  const mode = statSync(path).mode & 0o777
  if (process.platform === 'win32' || (mode & 0o077) === 0) return
  throw refuse(
    'cli.file',
    option,
    `${path} has mode ${mode.toString(8)}, so others may read the secrets; it must be 600.`,
  )
}

function refuse(key: ErrorKey, option: string, detail: string, cause?: unknown): PortTunnelerError {
  return fail(key, detail, { fields: { option }, cause })
}
