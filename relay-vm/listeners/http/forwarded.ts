/**
 * Reads what a trusted proxy says in a request about its visitor: address, scheme and host. Nobody reads these fields
 * from anybody else. `X-Forwarded-*` win over `Forwarded` (RFC 7239), which most proxies pass on as strangers sent it.
 * Cloudflare passes on whatever its customers and their visitors send, so of its fields only CF-Connecting-IP and
 * X-Forwarded-Proto are read, which it sets itself.
 */

import { isIP } from 'node:net'
import { plainAddress } from '@porttunneler/shared/base/addresses'
import { connectingAddress, type TrustedProxies } from '@porttunneler/shared/base/trusted-proxies'
import { hostName, isHostField, type RequestHead } from '@porttunneler/shared/http/head'
import type { Origin } from '../origins.ts'

/** The visitor that a request is for. */
export type VisitorSource = Origin & {
  readonly proto: 'http' | 'https'
  /** What the visitor asked for, and the name in it, if the proxy asks for something else. */
  readonly hostField?: string
  readonly host?: string
}

/** Strangers may have begun the list: only its end is read. */
const hopsMax = 16

/** What each hop says, the nearest last. */
type Hops = {
  readonly addresses: readonly string[]
  readonly protos: readonly string[]
  readonly hosts: readonly string[]
}

/**
 * Walks the hops from the nearest over the operator's own; the first other one is the visitor, or Cloudflare, which
 * names the visitor. Scheme and host are what the same hop said, or the only values there are.
 * @param near the proxy itself and its request: used where the fields say nothing
 */
export function readVisitorSource(
  head: RequestHead,
  near: VisitorSource,
  proxies: TrustedProxies,
): VisitorSource {
  const fields = fieldsOf(head)
  if (proxies.isCloudflare(near.address)) return fromCloudflare(fields, near)
  // A network that Cloudflare has given up, while a connection from it is open.
  if (!proxies.isOwn(near.address)) return near
  const hops = (isSilent(fields) ? rfc7239(fields) : undefined) ?? xForwarded(fields)
  let { address, port } = near
  let depth = 0
  while (depth < hopsMax) {
    const hop = readNode(hops.addresses.at(-1 - depth))
    if (hop === undefined) break
    depth++
    ;({ address, port } = hop)
    if (!proxies.isOwn(address)) break
  }
  if (proxies.isCloudflare(address)) {
    address = connectingAddress(fields.get('cf-connecting-ip')) ?? address
    port = 0
  }
  const proto = protoOf(said(hops.protos, depth)) ?? near.proto
  const hostField = said(hops.hosts, depth)
  const isNamed = hostField !== undefined && isHostField(hostField)
  return {
    address,
    port,
    localPort: near.localPort,
    proto,
    ...(isNamed && { hostField, host: hostName(hostField) }),
  }
}

/** Without a visitor's name it speaks for itself. The host is the requested one, whatever else the request says. */
function fromCloudflare(fields: ReadonlyMap<string, string>, near: VisitorSource): VisitorSource {
  const address = connectingAddress(fields.get('cf-connecting-ip'))
  const proto = protoOf(xForwarded(fields).protos.at(-1)) ?? near.proto
  return { ...near, proto, ...(address !== undefined && { address, port: 0 }) }
}

/** No X-Forwarded-* that is read here was sent. */
function isSilent(fields: ReadonlyMap<string, string>): boolean {
  return !['for', 'proto', 'host'].some((name) => fields.has(`x-forwarded-${name}`))
}

function said(values: readonly string[], depth: number): string | undefined {
  return values.at(-Math.max(depth, 1)) ?? values[0]
}

/** The forwarding fields of the head by name, with lists joined. A name with `_` for `-` is not the proxy's. */
function fieldsOf({ bytes, drop }: RequestHead): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  for (let i = 0; i < drop.length; i += 2) {
    const line = bytes.toString('latin1', drop[i], drop[i + 1])
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    const before = fields.get(name)
    fields.set(name, before === undefined ? value : `${before}, ${value}`)
  }
  return fields
}

function xForwarded(fields: ReadonlyMap<string, string>): Hops {
  const list = (name: string) => listOf(fields.get(name) ?? '')
  return {
    addresses: list('x-forwarded-for'),
    protos: list('x-forwarded-proto'),
    hosts: list('x-forwarded-host'),
  }
}

function listOf(text: string): readonly string[] {
  return text
    .split(',')
    .map((element) => element.trim())
    .filter((element) => element !== '')
}

/** `for=192.0.2.60;proto=http;host=a.test, for="[2001:db8::1]:4711"` */
function rfc7239(fields: ReadonlyMap<string, string>): Hops | undefined {
  const text = fields.get('forwarded')
  if (text === undefined) return undefined
  const elements = (text.match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g) ?? []).map(pairsOf)
  const say = (name: string) => elements.flatMap((element) => element.get(name) ?? [])
  return {
    addresses: elements.map((element) => element.get('for') ?? 'unknown'),
    protos: say('proto'),
    hosts: say('host'),
  }
}

function pairsOf(element: string): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>()
  for (const [, name = '', quoted, token = ''] of element.matchAll(
    /([\w-]+)=(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))/g,
  ))
    pairs.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? token)
  return pairs
}

/** An address, with or without a port; undefined for `unknown`, a made-up name, or nothing. */
function readNode(text: string | undefined): { readonly address: string; readonly port: number } | undefined {
  if (text === undefined) return undefined
  const [, inner, portText] =
    /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(text) ?? /^(\d+\.\d+\.\d+\.\d+):(\d{1,5})$/.exec(text) ?? []
  const address = plainAddress(inner ?? text).toLowerCase()
  const port = Number(portText ?? 0)
  return isIP(address) === 0 || port > 65_535 ? undefined : { address, port }
}

/** Traefik sends ws and wss. */
function protoOf(text: string | undefined): VisitorSource['proto'] | undefined {
  switch (text?.toLowerCase()) {
    case 'https':
    case 'wss':
      return 'https'
    case 'http':
    case 'ws':
      return 'http'
    default:
      return undefined
  }
}
