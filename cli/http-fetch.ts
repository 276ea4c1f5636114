/**
 * The small part of `fetch` that the API client needs, over node:http. The built-in one brings a second HTTP stack and
 * a WebAssembly parser, 23 MB that every running agent would carry for two calls an hour.
 */
import { request as httpRequest, type RequestOptions } from 'node:http'
import { request as httpsRequest, type RequestOptions as SecureOptions } from 'node:https'
import { isIP } from 'node:net'
import { getCACertificates, rootCertificates, connect as tlsConnect } from 'node:tls'
import type { Fetch } from '@porttunneler/shared/api/client-call'
import { isOutOfTime } from '@porttunneler/shared/base/certificate-time'
import { type Clock, systemClock } from '@porttunneler/shared/base/clock'
import { readText } from '@porttunneler/shared/base/read-text'
import { cleanJson } from './clean-json.ts'
import type { ChooseProxy, OutboundProxy } from './proxy/settings.ts'

/** The longest answer is a page of 100 tunnels, some 100 KiB. */
const answerBytesMax = 8 * 1024 * 1024

type Ask = {
  readonly url: string
  readonly send: typeof httpRequest
  readonly options: RequestOptions & Pick<SecureOptions, 'ca'>
}
type Way = Ask & {
  /** A better error for a failure on this way. */
  explain(error: Error): Error
  /** The proxy itself answered. */
  refusalOf?(status: number): Error | undefined
}

/** Redirects are errors, as with `redirect: 'error'`: the key must not go to another place. */
export function httpFetch(choose: ChooseProxy, clock: Clock = systemClock): Fetch {
  return async (url, { method, headers, body, signal }) => {
    const text = body instanceof Blob ? await body.text() : body?.toString()
    const type = body instanceof Blob ? body.type : 'application/x-www-form-urlencoded;charset=UTF-8'
    const ask: Ask = {
      url,
      send: url.startsWith('https:') ? httpsRequest : httpRequest,
      options: {
        method,
        signal,
        headers: {
          ...headers,
          ...(text !== undefined && { 'content-type': type, 'content-length': Buffer.byteLength(text) }),
        },
      },
    }
    const { protocol, port, hostname } = new URL(url)
    const host = hostname.replace(/^\[|\]$/g, '')
    const isEncrypted = protocol === 'https:'
    const target = { host, port: Number(port) || (isEncrypted ? 443 : 80), isEncrypted }
    const proxy = choose(target)
    if (proxy) return exchange(await through(proxy, ask, { target, clock, signal }), text)
    try {
      return await exchange(straight(withOwn(ask)), text)
    } catch (error) {
      // The request was not sent: the server was not believed.
      if (systemRoots !== undefined || !isUntrusted(error)) throw error
      systemRoots = [...rootCertificates, ...getCACertificates('extra'), ...getCACertificates('system')]
      return exchange(straight(withOwn(ask)), text)
    }
  }
}

/**
 * The authorities that this machine trusts, as curl and browsers do; that of a server here may be one (`npm run
 * trust`). Node has a list of its own, and another one costs memory, so it is read only when that has none.
 */
let systemRoots: string[] | undefined

function withOwn(ask: Ask): Ask {
  return systemRoots === undefined ? ask : { ...ask, options: { ...ask.options, ca: systemRoots } }
}

/** Whether nobody we know signed the certificate. */
function isUntrusted(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return /^(UNABLE_TO_(VERIFY|GET_ISSUER)|(DEPTH_ZERO_)?SELF_SIGNED)/.test(code)
}

function exchange(
  { url, send, options, explain, refusalOf }: Way,
  text: string | undefined,
): ReturnType<Fetch> {
  return new Promise((resolve, reject) => {
    const request = send(url, options, (response) => {
      const status = response.statusCode ?? 0
      const isRedirect = status >= 300 && status < 400
      const refusal = isRedirect
        ? new Error(`redirected to ${response.headers.location ?? 'nowhere'}`)
        : refusalOf?.(status)
      if (refusal) {
        response.destroy()
        reject(refusal)
        return
      }
      resolve({
        status,
        headers: { get: (name) => response.headersDistinct[name.toLowerCase()]?.join(', ') ?? null },
        text: async () => cleanJson(await readText(response, answerBytesMax)),
      })
    })
    request.on('error', (error) => reject(explain(error)))
    request.end(text)
  })
}

function straight(ask: Ask): Way {
  return { ...ask, explain: (error) => error }
}

/** Plain HTTP goes to an HTTP proxy as a request for the whole address, everything else through a tunnel. */
async function through(
  proxy: OutboundProxy,
  ask: Ask,
  {
    target,
    ...life
  }: { target: { host: string; port: number; isEncrypted: boolean }; clock: Clock; signal: AbortSignal },
): Promise<Way> {
  const {
    connectThrough,
    interceptionFailure,
    isTls,
    proxyAuthorization,
    proxyPlace,
    reachFailure,
    signInFailure,
  } = await import('./proxy/connect.ts')
  const isHttpProxy = proxy.kind === 'http' || proxy.kind === 'https'
  if (isHttpProxy && !target.isEncrypted) {
    const { kind, host, port } = proxy
    const headers = { ...ask.options.headers, ...proxyAuthorization(proxy), host: new URL(ask.url).host }
    return {
      send: kind === 'https' ? httpsRequest : httpRequest,
      url: `${kind}://${host.includes(':') ? `[${host}]` : host}:${port}`,
      options: { ...ask.options, ...proxyPlace(proxy), path: ask.url, headers },
      explain: (cause) => reachFailure(proxy, cause, life.clock.now()),
      refusalOf: (status) => (status === 407 ? signInFailure(proxy) : undefined),
    }
  }
  const socket = await connectThrough(proxy, target, life)
  const { host } = target
  const servername = isIP(host) ? '' : host
  return {
    ...ask,
    options: {
      ...ask.options,
      createConnection: () => (target.isEncrypted ? tlsConnect({ socket, host, servername }) : socket),
    },
    explain: (error) => {
      // A wrong clock makes any certificate invalid, and that is not the proxy's fault.
      const isForeign = isTls((error as NodeJS.ErrnoException).code ?? '') && !isOutOfTime(error)
      return isForeign ? interceptionFailure(proxy, target, error) : error
    },
  }
}
