/**
 * Which proxy a connection of ptun uses: curl's variables in curl's order, or `proxy:` of ptun.yaml. Proxy addresses
 * may hold passwords, so no message here repeats them.
 */
import { BlockList, isIP, isIPv6 } from 'node:net'
import { fail } from '@porttunneler/shared/base/errors'
import { plainName } from '@porttunneler/shared/base/labels'
import { Secret } from '@porttunneler/shared/base/secret'
import type { Environment } from '../paths.ts'

export const proxyKinds = ['http', 'https', 'socks5', 'socks5h'] as const

export type OutboundProxy = {
  readonly kind: (typeof proxyKinds)[number]
  readonly host: string
  readonly port: number
  readonly user?: { readonly name: string; readonly password: Secret }
  /** Where it was named, in the user's terms. */
  readonly from: string
}

export type Target = { readonly host: string; readonly port: number; readonly isEncrypted: boolean }

/** The proxy for a connection; undefined: none. @throws proxy.setting */
export type ChooseProxy = (target: Target) => OutboundProxy | undefined

/**
 * `configured` is called for each connection, because ptun.yaml may change. It is only for encrypted connections: a
 * file from a stranger's repository must not send an API key unencrypted to a stranger's proxy.
 */
export function proxyChooser(env: Environment, configured: () => string | undefined): ChooseProxy {
  return (target) => {
    const own = target.isEncrypted ? configured() : undefined
    if (isExempt(target, env.no_proxy || env.NO_PROXY || '')) return undefined
    if (own !== undefined) return parseProxy(own, 'proxy in ptun.yaml')
    if (isLoopback(target.host)) return undefined
    const scheme = target.isEncrypted ? 'https' : 'http'
    const names = [`${scheme}_proxy`, `${scheme.toUpperCase()}_PROXY`, 'all_proxy', 'ALL_PROXY']
    const name = names.find((one) => env[one])
    return name === undefined ? undefined : parseProxy(env[name] ?? '', name)
  }
}

/** `http://user:password@proxy.corp:3128`; without a scheme it is http. @throws proxy.setting */
export function parseProxy(text: string, from: string): OutboundProxy {
  const refuse = (why: string) => fail('proxy.setting', `${from} is not the address of a proxy: ${why}.`)
  const value = text.trim()
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`
  const [, scheme = '', rest = ''] = /^([^:]*):\/\/(.*)$/s.exec(whole) ?? []
  const kind = kindOf(scheme.toLowerCase())
  if (!kind) throw refuse(`it begins with ${proxyKinds.join('://, ')}://`)
  // URL checks host and port only for schemes that the web knows.
  const url = URL.canParse(`http://${rest}`) ? new URL(`http://${rest}`) : undefined
  if (!url?.hostname) throw refuse('a host and a port are missing, as in http://proxy.example.com:3128')
  if (url.pathname !== '/' || url.search || url.hash) throw refuse('it has a path')
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const user = url.username || url.password ? userOf(url) : undefined
  if (user === null) throw refuse('a sign in its user or password is not written as %XX')
  const port = portIn(rest) ?? defaultPorts[kind]
  return { kind, host, port, from, ...(user && { user }) }
}

/** For people: never with the user or the password. */
export function formatProxy({ kind, host, port }: OutboundProxy): string {
  return `${kind}://${isIPv6(host) ? `[${host}]` : host}:${port}`
}

/** curl's defaults when no port is written. */
const defaultPorts = { http: 1080, https: 443, socks5: 1080, socks5h: 1080 } as const

function kindOf(scheme: string): OutboundProxy['kind'] | undefined {
  // Desktops write this; they mean a proxy that resolves names.
  if (scheme === 'socks') return 'socks5h'
  return proxyKinds.find((kind) => kind === scheme)
}

/** The port as written: the web's own parser drops port 80. */
function portIn(rest: string): number | undefined {
  const port = /:(\d+)\/?$/.exec(rest)?.[1]
  return port === undefined ? undefined : Number(port)
}

function userOf({ username, password }: URL): OutboundProxy['user'] | null {
  try {
    return { name: decodeURIComponent(username), password: new Secret(decodeURIComponent(password)) }
  } catch {
    return null
  }
}

/** No proxy can reach something that listens only on this machine. */
function isLoopback(host: string): boolean {
  return /^(localhost|.*\.localhost|127\.[0-9.]+|::1)$/i.test(host)
}

/**
 * NO_PROXY: `*`, or names that exempt themselves and everything below them, addresses, networks in CIDR notation; any
 * of them with a port. Separated by commas or spaces.
 */
function isExempt({ host, port }: Target, list: string): boolean {
  const name = plainName(host)
  return list.split(/[\s,]+/).some((entry) => {
    if (entry === '*') return true
    const [, pattern = '', wantedPort] = /^(\[[^\]]*\]|[^:]*):(\d+)$/.exec(entry) ?? [entry, entry]
    if (wantedPort !== undefined && Number(wantedPort) !== port) return false
    return matches(name, pattern.toLowerCase())
  })
}

function matches(host: string, pattern: string): boolean {
  if (isIP(host)) return holdsAddress(pattern.replace(/^\[|\]$/g, ''), host)
  const suffix = pattern.replace(/^\*?\./, '').replace(/\.$/, '')
  return suffix !== '' && (host === suffix || host.endsWith(`.${suffix}`))
}

function holdsAddress(pattern: string, address: string): boolean {
  const [network = '', bits] = pattern.split('/')
  const family = isIP(network) === 6 ? 'ipv6' : 'ipv4'
  const prefix = bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits)
  if (!isIP(network) || !Number.isInteger(prefix) || prefix > (family === 'ipv6' ? 128 : 32)) return false
  const list = new BlockList()
  list.addSubnet(network, prefix, family)
  return list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}
