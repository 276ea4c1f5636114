/**
 * Port ranges of tcp tunnels (passive FTP, games): one entry of ptun.yaml, or one command, makes a tunnel for each
 * port. The upstream is a range of the same length, or one for all.
 */
import { fail } from '@porttunneler/shared/base/errors'
import { parseUpstream, type Upstream } from './agent/upstream.ts'

/** As many as one agent serves. */
const portsMax = 500

export type PortTunnel = { readonly upstream: Upstream; readonly port?: number }

type Range = { readonly from: number; readonly to: number }

/**
 * One tunnel, or one for each port in order.
 * @throws cli.upstream, cli.usage, both with `fields.option`
 */
export function portTunnels(upstream: string, port: string | undefined): readonly PortTunnel[] {
  const [, host = '', range] = /^(.*:)?(\d{1,5}-\d{1,5})$/.exec(upstream.trim()) ?? []
  const inner = range === undefined ? undefined : parseRange(range, 'upstream')
  const outer = port === undefined ? undefined : parsePorts(port)
  if (inner && !outer) throw refuse('upstream', 'A range of upstreams needs a range of public ports: port.')
  if (inner && outer && sizeOf(inner) !== sizeOf(outer))
    throw refuse('upstream', `${sizeOf(inner)} upstreams do not fit ${sizeOf(outer)} public ports.`)
  if (!outer) return [{ upstream: parseUpstream(upstream) }]
  return Array.from({ length: sizeOf(outer) }, (_, index) => ({
    upstream: parseUpstream(inner ? `${host}${inner.from + index}` : upstream),
    port: outer.from + index,
  }))
}

/** Whether it means more than one tunnel; each of those then has its own name. */
export function isRange(port: string | undefined): boolean {
  return port?.includes('-') === true
}

function parsePorts(text: string): Range {
  if (isRange(text)) return parseRange(text, 'port')
  const port = portIn(text, 'port')
  return { from: port, to: port }
}

function parseRange(text: string, option: Option): Range {
  const [first = '', last = '', ...more] = text.split('-')
  const range = { from: portIn(first, option), to: portIn(last, option) }
  if (more.length > 0) throw refuse(option, `"${text}" is not a range, as in 20100-20110.`)
  if (range.from > range.to) throw refuse(option, `"${text}" ends before it begins.`)
  if (sizeOf(range) > portsMax) throw refuse(option, `One agent serves at most ${portsMax} tunnels.`)
  return range
}

function portIn(text: string, option: Option): number {
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port
  throw refuse(option, `"${text}" is not a port (1 to 65535).`)
}

function sizeOf({ from, to }: Range): number {
  return to - from + 1
}

type Option = 'upstream' | 'port'

function refuse(option: Option, detail: string) {
  return fail(option === 'port' ? 'cli.usage' : 'cli.upstream', detail, { fields: { option } })
}
