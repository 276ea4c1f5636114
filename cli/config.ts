/** Reads ptun.yaml and reports everything that is wrong with it at once, with line and column. */

import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { tunnelNameSchema } from '@porttunneler/shared/api/schemas/common'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { nameMax, slipOfLabel } from '@porttunneler/shared/base/labels'
import { sayFileError } from '@porttunneler/shared/base/system-errors'
import { headerEditsSchema, redirectSchema } from '@porttunneler/shared/protocol/http-edits'
import { proxyVersions } from '@porttunneler/shared/protocol/proxy-header'
import { type Document, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'
import type { z } from 'zod'
import type { HealthCheck, WantedTunnel } from './agent/tunnels.ts'
import { parseUpstream } from './agent/upstream.ts'
import { type ConfigFile, configSchema, type HealthConfig, tunnelsMax } from './config-schema.ts'
import { fillVariables, isFilled } from './config-variables.ts'
import {
  type HttpParts,
  httpOptionNames,
  httpParts,
  passthroughText,
  upstreamProtocols,
} from './http-options.ts'
import { nearest } from './nearest.ts'
import { type Environment, errnoOf } from './paths.ts'
import { isRange, type PortTunnel, portTunnels } from './port-range.ts'

export const configName = 'ptun.yaml'

export type Config = {
  readonly tunnels: readonly WantedTunnel[]
  readonly proxy?: string
  readonly cell?: string
}

/** Lines and columns count from 1. */
export type ConfigProblem = { readonly line: number; readonly column: number; readonly message: string }

/** Tunnels need a fraction of this; a longer file is something else. */
const bytesMax = 256 * 1024

/** @throws config.missing, config.syntax, config.invalid (both with `fields.problems`), cli.folder */
export async function readConfig(path: string, env: Environment): Promise<Config> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') throw fail('config.missing', `There is no ${path}.`, { cause })
    throw fail('cli.folder', `${path} cannot be read${sayFileError(cause)}`, { cause })
  }
  return parseConfig(text, path, env)
}

/** @throws config.syntax, config.invalid */
export function parseConfig(text: string, path: string, env: Environment = {}): Config {
  if (text.length > bytesMax) throw fail('config.invalid', `${path} is longer than 256 KiB.`)
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const slips = document.errors.map(({ pos, message }) => ({ ...at(lines, pos[0]), message }))
  if (slips.length > 0) throw refuse('config.syntax', path, slips)
  const { slips: unset, filled } = fillVariables(document, text, env)
  const missing = unset.map(({ offset, message }) => ({ ...at(lines, offset), message }))
  if (missing.length > 0) throw refuse('config.invalid', path, missing)
  const parsed = configSchema.safeParse(toValue(document, path))
  const problems: ConfigProblem[] = []
  if (parsed.success) {
    const config = toConfig(parsed.data, dirname(path), (place, message) =>
      problems.push({
        ...at(lines, offsetOf(document, place, 'value')),
        message: `${pathText(place)}: ${isFilled(document, place, filled) ? variableText : message}`,
      }),
    )
    if (problems.length === 0) return config
  } else
    problems.push(
      ...worthTelling(parsed.error.issues)
        .map((issue) => (isFilled(document, issue.path, filled) ? withoutValue(issue) : issue))
        .flatMap((issue) => problemsOf(issue, document, lines)),
    )
  throw refuse('config.invalid', path, problems)
}

function toValue(document: Document, path: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 50 })
  } catch (cause) {
    throw fail('config.syntax', `${path}: ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
}

/**
 * The tunnels to start: those named, or all.
 * @throws config.tunnel
 */
export function chooseTunnels(config: Config, names: readonly string[]): readonly WantedTunnel[] {
  if (names.length === 0) return config.tunnels
  const known = [...new Set(config.tunnels.flatMap(({ name, group = name }) => group ?? []))]
  const isKnown = (wanted: string) =>
    config.tunnels.some(({ name, group }) => wanted === name || wanted === group)
  const unknown = names.find((name) => !isKnown(name))
  if (unknown !== undefined) {
    const guess = nearest(unknown, known)
    throw fail(
      'config.tunnel',
      `There is no tunnel "${unknown}"${guess ? `; did you mean "${guess}"?` : `. There is: ${known.join(', ')}.`}`,
    )
  }
  return config.tunnels.filter(({ name = '', group = name }) => names.includes(name) || names.includes(group))
}

type Tell = (place: Path, message: string) => void

function toConfig({ tunnels, proxy, cell }: ConfigFile, folder: string, tell: Tell): Config {
  const wanted = Object.entries(tunnels).flatMap(([name, tunnel]): readonly WantedTunnel[] => {
    const sayAt = (option: string, message: string) => tell(['tunnels', name, option], message)
    const common = {
      kind: tunnel.kind,
      ...(tunnel.proxyProtocol && { proxyProtocol: tunnel.proxyProtocol }),
      ...(tunnel.pool && { isPool: true }),
      ...(tunnel.health && { health: toHealth(tunnel.health) }),
    }
    if (tunnel.kind === 'tcp') return tcpTunnels(name, tunnel, sayAt).map((one) => ({ ...one, ...common }))
    const upstream = parseUpstream(String(tunnel.upstream))
    const { domain } = tunnel
    return [
      {
        name,
        upstream,
        ...(domain !== undefined && { domain }),
        ...common,
        ...(tunnel.kind === 'tls' && tunnel.e2e && { endToEnd: 'anything' as const }),
        ...toHttpParts(tunnel, folder, sayAt),
      },
    ]
  })
  checkNames(wanted, tell)
  return {
    ...(proxy !== undefined && { proxy }),
    ...(cell !== undefined && { cell }),
    tunnels: wanted,
  }
}

type TcpConfig = Extract<ConfigFile['tunnels'][string], { kind: 'tcp' }>

function tcpTunnels(
  name: string,
  { upstream, port }: TcpConfig,
  tell: (option: string, message: string) => void,
): readonly (PortTunnel & Pick<WantedTunnel, 'name' | 'group'>)[] {
  try {
    const asked = port === undefined ? undefined : String(port)
    const found = portTunnels(String(upstream), asked)
    for (const one of found) httpParts({}, { kind: 'tcp', upstream: one.upstream, folder: '' })
    if (!isRange(asked)) return found.map((one) => ({ name, ...one }))
    return found.map((one) => ({ name: `${name}-${one.port}`, group: name, ...one }))
  } catch (error) {
    if (!isFailure(error)) throw error
    tell(String(error.fields.option ?? 'upstream'), error.detail)
    return []
  }
}

/** Checks names and number of tunnels after ranges are expanded; reports the first fault. */
function checkNames(tunnels: readonly WantedTunnel[], tell: Tell): void {
  const seen = new Set<string>()
  for (const { name = '', group = name } of tunnels) {
    const slip = seen.has(name)
      ? `the name "${name}" is there twice, once for a port of a range`
      : !tunnelNameSchema.safeParse(name).success
        ? `"${name}" is too long for a name: at most 40 letters, the port among them`
        : seen.size >= tunnelsMax
          ? `one agent serves at most ${tunnelsMax} tunnels`
          : undefined
    if (slip !== undefined) {
      tell(['tunnels', group], slip)
      return
    }
    seen.add(name)
  }
}

/** Checks what the schema cannot: options that need each other, and files. */
function toHttpParts(
  tunnel: ConfigFile['tunnels'][string],
  folder: string,
  tell: (option: string, message: string) => void,
): HttpParts {
  const { kind } = tunnel
  try {
    const upstream = parseUpstream(String(tunnel.upstream))
    return httpParts(kind === 'http' ? tunnel : {}, {
      kind,
      upstream,
      folder,
      proxyProtocol: tunnel.proxyProtocol,
    })
  } catch (error) {
    if (!isFailure(error)) throw error
    tell(String(error.fields.option), error.detail)
    return {}
  }
}

function toHealth(health: NonNullable<HealthConfig>): HealthCheck {
  const everyMs = health.everySeconds * 1_000
  if (health.kind === 'tcp') return { kind: 'tcp', everyMs }
  const { path, status } = health
  return { kind: 'http', everyMs, path, ...(status !== undefined && { status }) }
}

function refuse(key: 'config.syntax' | 'config.invalid', path: string, problems: readonly ConfigProblem[]) {
  const sorted = problems.toSorted((a, b) => a.line - b.line || a.column - b.column)
  const detail = sorted.map(({ line, column, message }) => `${path}:${line}:${column} ${message}`).join('\n')
  return fail(key, detail, { fields: { problems: sorted } })
}

type Issue = z.core.$ZodIssue
type Path = readonly PropertyKey[]

/** One problem for each place, and none about a key that is missing only because it was misspelt beside it. */
function worthTelling(issues: readonly Issue[]): readonly Issue[] {
  const meant = new Set(
    issues.flatMap((issue) => {
      if (issue.code !== 'unrecognized_keys') return []
      return issue.keys.map((key) => pathText([...issue.path, nearest(key, knownKeys(issue.path)) ?? key]))
    }),
  )
  const byPlace = new Map<string, Issue>()
  for (const issue of issues) {
    const place = pathText(issue.path)
    // A later check of the same place knows more: "0 is not a port" rather than "at least 1".
    if (issue.code === 'unrecognized_keys') byPlace.set(`${place} keys`, issue)
    else if (!meant.has(place)) byPlace.set(place, issue)
  }
  return [...byPlace.values()]
}

function pathText(path: Path): string {
  return path.map(String).join('.')
}

function problemsOf(issue: Issue, document: Document, lines: LineCounter): readonly ConfigProblem[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({
      ...at(lines, offsetOf(document, [...issue.path, key], 'key')),
      message: unknownKey(key, issue.path, document),
    }))
  const label = issue.path.length > 0 ? `${pathText(issue.path)}: ` : ''
  const place = issue.code === 'invalid_key' ? 'key' : 'value'
  return [{ ...at(lines, offsetOf(document, issue.path, place)), message: `${label}${say(issue)}` }]
}

function unknownKey(key: string, path: Path, document: Document): string {
  const kind = document.getIn([...path, 'kind'])
  const isForHttp = httpOptionNames.some((name) => name === key) && path.at(-1) !== 'health'
  if (isForHttp && (kind === 'tcp' || kind === 'tls'))
    return `${pathText([...path, key])}: ${passthroughText(kind)}`
  const known = knownKeys(path)
  const guess = nearest(key, known)
  const where = path.length > 0 ? ` in ${pathText(path)}` : ''
  return guess
    ? `unknown key "${key}"${where}; did you mean "${guess}"?`
    : `unknown key "${key}"${where}; there is: ${known.join(', ')}`
}

/** Keys that could have been meant: at the root, in a tunnel of any kind, or in one of its parts. */
function knownKeys(path: Path): readonly string[] {
  if (path.at(-1) === 'health') return ['kind', 'path', 'status', 'everySeconds']
  if (path.at(-2) === 'redirects') return Object.keys(redirectSchema.shape)
  if (path.at(-1) === 'hsts') return ['maxAgeSeconds', 'includeSubDomains']
  if (path.at(-1) === 'requestHeaders' || path.at(-1) === 'responseHeaders')
    return Object.keys(headerEditsSchema.shape)
  return path.length === 0
    ? Object.keys(configSchema.shape)
    : ['kind', 'upstream', 'proxyProtocol', 'pool', 'domain', 'e2e', 'health', 'port', ...httpOptionNames]
}

/** The value came from a variable and may be a secret, so the message must not repeat it. */
const variableText = 'what the variable holds is not right here'

function withoutValue(issue: Issue): Issue {
  return issue.code === 'custom' ? { ...issue, message: variableText } : issue
}

/** The same words and code as for --name. */
function sayName(name: string): string {
  const slip = slipOfLabel(name, nameMax)
  const rule = 'a name has lower-case letters, digits and inner hyphens, 1 to 40 of them'
  return slip ? `${rule} (${slip.code}: ${slip.detail.replace(/\.$/, '')})` : rule
}

/** Zod's messages are for programmers; these are for users of the file. */
function say(issue: Issue): string {
  if (issue.code === 'invalid_key' && issue.path.length > 2) return issue.issues[0]?.message ?? issue.message
  if (issue.code === 'invalid_key') return sayName(String(issue.path.at(-1)))
  if (issue.path.at(-1) === 'kind' && issue.path.at(-2) === 'health')
    return 'kind is tcp or http (tls tunnels: tcp)'
  if (issue.code === 'invalid_union' && issue.path.at(-1) === 'kind') return 'kind is tcp, http or tls'
  if (issue.code === 'invalid_value' && issue.path.at(-1) === 'proxyProtocol')
    return `proxyProtocol is ${proxyVersions.join(' or ')}`
  if (issue.code === 'invalid_value' && issue.path.at(-1) === 'upstreamProtocol')
    return `upstreamProtocol is ${upstreamProtocols.join(', ')}`
  if (issue.code === 'invalid_union' && issue.path.at(-1) === 'port')
    return 'a port or a range of ports is expected'
  if (issue.code === 'invalid_union') return 'a port or host:port is expected'
  if (issue.code === 'invalid_value' && issue.path.at(-1) === 'version') return 'only version 1 exists'
  if (issue.code === 'invalid_type' && issue.path.length === 0)
    return 'the file holds no map of version and tunnels'
  if (issue.code === 'invalid_type')
    return `${issue.expected === 'record' ? 'a map' : article(issue.expected)} is expected`
  if (issue.code === 'too_big') return `at most ${issue.maximum} is allowed`
  if (issue.code === 'too_small') return `at least ${issue.minimum} is needed`
  return issue.message
}

function article(noun: string): string {
  return noun === 'int' ? 'a whole number' : /^[aeiou]/.test(noun) ? `an ${noun}` : `a ${noun}`
}

/** The place of a path in the text; for something missing, the place of its parent. */
function offsetOf(document: Document, path: Path, place: 'key' | 'value'): number {
  for (let length = path.length; length > 0; length -= 1) {
    const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true)
    const item = isSeq(parent) ? parent.items[Number(path[length - 1])] : undefined
    const itemRange = (item as { range?: readonly number[] | null } | undefined)?.range
    if (itemRange?.[0] !== undefined) return itemRange[0]
    if (!isMap(parent)) continue
    const pair = parent.items.find(
      ({ key }) => isScalar(key) && String(key.value) === String(path[length - 1]),
    )
    const node = place === 'key' || length < path.length ? pair?.key : (pair?.value ?? pair?.key)
    const range = (node as { range?: readonly number[] | null } | undefined)?.range
    if (range?.[0] !== undefined) return range[0]
  }
  return 0
}

function at(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset)
  return { line: Math.max(1, line), column: Math.max(1, col) }
}
