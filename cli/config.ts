/** Reads ptun.yaml and reports everything that is wrong with it at once, with line and column. */

import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { tunnelNameSchema } from '@porttunneler/shared/api/schemas/common'
import { formatBytes } from '@porttunneler/shared/base/amounts'
import { fail, isFailure, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import { readSpelling } from '@porttunneler/shared/base/host-names'
import { sayFileError } from '@porttunneler/shared/base/system-errors'
import { isWildcard } from '@porttunneler/shared/base/wildcards'
import { type Document, LineCounter, parseDocument } from 'yaml'
import type { HealthCheck, WantedTunnel } from './agent/tunnels.ts'
import { parseUpstream } from './agent/upstream.ts'
import { excerptOf } from './config-excerpt.ts'
import {
  at,
  type ConfigProblem,
  offsetOf,
  problemsOf,
  variableText,
  withoutValue,
  worthTelling,
} from './config-problems.ts'
import { type ConfigFile, configSchema, type HealthConfig, tunnelsMax } from './config-schema.ts'
import { syntaxProblems, tooManyAliases } from './config-syntax.ts'
import { fillVariables, isFilled } from './config-variables.ts'
import {
  endToEndParts,
  endToEndWildcardText,
  type HttpParts,
  httpParts,
  passthroughText,
} from './http-options.ts'
import { innermost, type Path, sayPlace } from './issue-words.ts'
import { nearest } from './nearest.ts'
import { type Environment, errnoOf } from './paths.ts'
import { faultOfPolicy, type PolicyParts } from './policy.ts'
import { isRange, type PortTunnel, portTunnels } from './port-range.ts'

export const configName = 'ptun.yaml'

export type Config = {
  readonly tunnels: readonly WantedTunnel[]
  readonly proxy?: string
  readonly cell?: string
  /** The port of the inspector, or false: none. */
  readonly inspect?: string | false
}

/** Tunnels need a fraction of this; a longer file is something else. */
export const bytesMax = 256 * 1024

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
  if (text.length > bytesMax) throw fail('config.invalid', `${path} is longer than ${formatBytes(bytesMax)}.`)
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const slips = syntaxProblems(text, document, lines)
  if (slips.length > 0) throw refuse('config.syntax', path, slips, text)
  const { slips: unset, filled } = fillVariables(document, text, env)
  const missing = unset.map(({ offset, message }) => ({ ...at(lines, offset), message }))
  if (missing.length > 0) throw refuse('config.invalid', path, missing)
  const parsed = configSchema.safeParse(toValue(document, path))
  const problems: ConfigProblem[] = []
  if (parsed.success) {
    const config = toConfig(parsed.data, dirname(path), (place, message) =>
      problems.push({
        ...at(lines, offsetOf(document, place, 'value')),
        path: place,
        message: `${sayPlace(place)}: ${isFilled(document, place, filled) ? variableText : message}`,
      }),
    )
    if (problems.length === 0) return config
  } else
    problems.push(
      ...worthTelling(parsed.error.issues.map(innermost))
        .map((issue) => (isFilled(document, issue.path, filled) ? withoutValue(issue) : issue))
        .flatMap((issue) => problemsOf(issue, document, lines)),
    )
  throw refuse('config.invalid', path, problems)
}

function toValue(document: Document, path: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 50 })
  } catch (cause) {
    throw fail('config.syntax', `${path}: ${tooManyAliases}.`, { cause })
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

function toConfig({ tunnels, proxy, cell, inspect }: ConfigFile, folder: string, tell: Tell): Config {
  const wanted = Object.entries(tunnels).flatMap(([name, tunnel]): readonly WantedTunnel[] => {
    const sayAt = (option: string | Path, message: string) =>
      tell(['tunnels', name, ...[option].flat()], message)
    const common = {
      kind: tunnel.kind,
      ...(tunnel.proxyProtocol && { proxyProtocol: tunnel.proxyProtocol }),
      ...(tunnel.pool && { isPool: true }),
      ...(tunnel.tags && { tags: tunnel.tags }),
      ...(tunnel.policy && { policy: toPolicy(tunnel, sayAt) }),
      ...(tunnel.health && { health: toHealth(tunnel.health) }),
    }
    if (tunnel.kind === 'tcp') return tcpTunnels(name, tunnel, sayAt).map((one) => ({ ...one, ...common }))
    const upstream = parseUpstream(String(tunnel.upstream))
    const domain = tunnel.domain === undefined ? undefined : readDomain(tunnel.domain, sayAt)
    const parts = toHttpParts(tunnel, folder, sayAt)
    if (tunnel.e2e && isWildcard(domain ?? '')) sayAt('e2e', endToEndWildcardText)
    return [
      {
        name,
        upstream,
        ...(domain !== undefined && { domain }),
        ...common,
        ...parts,
        ...(tunnel.e2e && endToEndParts(tunnel.kind, parts)),
      },
    ]
  })
  checkNames(wanted, tell)
  checkDomains(wanted, tell)
  return {
    ...(proxy !== undefined && { proxy }),
    ...(cell !== undefined && { cell }),
    ...(inspect !== undefined && { inspect: typeof inspect === 'number' ? String(inspect) : false }),
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

/** @returns the one form of the host, so that another spelling in the changed file is no change */
function readDomain(text: string, tell: (option: string, message: string) => void): string | undefined {
  const read = readSpelling(text)
  if ('host' in read) return read.host
  tell('domain', `${read.error.code}: ${read.error.detail}`)
  return undefined
}

/** A domain leads to one tunnel; of two, the one that came online last would have it. */
function checkDomains(tunnels: readonly WantedTunnel[], tell: Tell): void {
  const seen = new Map<string, string>()
  for (const { name = '', domain } of tunnels) {
    if (domain === undefined) continue
    const other = seen.get(domain)
    if (other !== undefined)
      tell(['tunnels', name, 'domain'], `${domain} leads to one tunnel, and "${other}" has it already`)
    seen.set(domain, name)
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

function toPolicy(
  tunnel: ConfigFile['tunnels'][string],
  tell: (option: Path, message: string) => void,
): PolicyParts {
  const { kind, policy = {} } = tunnel
  const isEndToEnd = kind !== 'tcp' && tunnel.e2e === true
  const rule = faultOfPolicy(isEndToEnd ? 'tls' : kind, policy)
  const why = isEndToEnd
    ? 'with e2e the relay reads no request, so it cannot keep this.'
    : passthroughText(kind)
  if (rule !== undefined) tell(['policy', rule], why)
  return policy
}

function toHealth(health: NonNullable<HealthConfig>): HealthCheck {
  const everyMs = health.everySeconds * 1_000
  if (health.kind === 'tcp') return { kind: 'tcp', everyMs }
  const { path, status } = health
  return { kind: 'http', everyMs, path, ...(status !== undefined && { status }) }
}

/** @param text of the file, if the lines at fault are to be shown */
function refuse(
  key: 'config.syntax' | 'config.invalid',
  path: string,
  problems: readonly ConfigProblem[],
  text?: string,
): PortTunnelerError {
  const sorted = problems.toSorted((a, b) => a.line - b.line || a.column - b.column)
  const detail = sorted
    .flatMap((problem) => [
      `${path}:${problem.line}:${problem.column} ${problem.message}`,
      ...(text === undefined ? [] : excerptOf(text, problem)),
    ])
    .join('\n')
  return fail(key, detail, { fields: { problems: sorted } })
}
