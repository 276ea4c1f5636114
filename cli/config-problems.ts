/** What is wrong with ptun.yaml, in words for its users, with line and column. Used by config.ts. */
import { nameMax, slipOfLabel } from '@porttunneler/shared/base/labels'
import { policySchema } from '@porttunneler/shared/protocol/endpoint'
import { headerEditsSchema, redirectSchema } from '@porttunneler/shared/protocol/http-edits'
import { proxyVersions } from '@porttunneler/shared/protocol/proxy-header'
import { type Document, isMap, isScalar, isSeq, type LineCounter } from 'yaml'
import type { z } from 'zod'
import { configSchema } from './config-schema.ts'
import { httpOptionNames, passthroughText, upstreamProtocols } from './http-options.ts'
import { type Path, sayIssue, sayPlace } from './issue-words.ts'
import { nearest } from './nearest.ts'

/** Lines and columns count from 1. `path`: the keys that lead to it, if it is about a value. */
export type ConfigProblem = {
  readonly line: number
  readonly column: number
  readonly path?: Path
  readonly message: string
}

type Issue = z.core.$ZodIssue

/** One problem for each place, and none about a key that is missing only because it was misspelt beside it. */
export function worthTelling(issues: readonly Issue[]): readonly Issue[] {
  const meant = new Set(
    issues.flatMap((issue) => {
      if (issue.code !== 'unrecognized_keys') return []
      return issue.keys.map((key) => placeKey([...issue.path, nearest(key, knownKeys(issue.path)) ?? key]))
    }),
  )
  const byPlace = new Map<string, Issue>()
  for (const issue of issues) {
    const place = placeKey(issue.path)
    // A later check of the same place knows more: "0 is not a port" rather than "at least 1".
    if (issue.code === 'unrecognized_keys') byPlace.set(`${place} keys`, issue)
    else if (!meant.has(place)) byPlace.set(place, issue)
  }
  return [...byPlace.values()]
}

/** Tells places apart, whatever their keys contain. */
function placeKey(path: Path): string {
  return JSON.stringify(path.map(String))
}

export function problemsOf(issue: Issue, document: Document, lines: LineCounter): readonly ConfigProblem[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({
      ...at(lines, offsetOf(document, [...issue.path, key], 'key')),
      path: [...issue.path, key],
      message: unknownKey(key, issue.path, document),
    }))
  const label = issue.path.length > 0 ? `${sayPlace(issue.path)}: ` : ''
  const place = issue.code === 'invalid_key' ? 'key' : 'value'
  return [
    {
      ...at(lines, offsetOf(document, issue.path, place)),
      path: issue.path,
      message: `${label}${say(issue)}`,
    },
  ]
}

function unknownKey(key: string, path: Path, document: Document): string {
  const kind = document.getIn([...path, 'kind'])
  const isForHttp = httpOptionNames.some((name) => name === key) && path.at(-1) !== 'health'
  if (isForHttp && (kind === 'tcp' || kind === 'tls'))
    return `${sayPlace([...path, key])}: ${passthroughText(kind)}`
  const known = knownKeys(path)
  const guess = nearest(key, known)
  const where = path.length > 0 ? ` in ${sayPlace(path)}` : ''
  return guess
    ? `unknown key "${key}"${where}; did you mean "${guess}"?`
    : `unknown key "${key}"${where}; there is: ${known.join(', ')}`
}

/** Keys that could have been meant: at the root, in a tunnel of any kind, or in one of its parts. */
function knownKeys(path: Path): readonly string[] {
  if (path.at(-1) === 'health') return ['kind', 'path', 'status', 'everySeconds']
  if (path.at(-2) === 'redirects') return Object.keys(redirectSchema.shape)
  if (path.at(-1) === 'policy') return Object.keys(policySchema.shape)
  if (path.at(-1) === 'hsts') return ['maxAgeSeconds', 'includeSubDomains']
  if (path.at(-1) === 'requestHeaders' || path.at(-1) === 'responseHeaders')
    return Object.keys(headerEditsSchema.shape)
  return path.length === 0
    ? Object.keys(configSchema.shape)
    : [
        'kind',
        'upstream',
        'proxyProtocol',
        'pool',
        'tags',
        'domain',
        'e2e',
        'policy',
        'health',
        'port',
        ...httpOptionNames,
      ]
}

/** The value came from a variable and may be a secret, so the message must not repeat it. */
export const variableText = 'what the variable holds is not right here'

export function withoutValue(issue: Issue): Issue {
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
  if (issue.code === 'invalid_union' && (issue.path.at(-2) === 'allow' || issue.path.at(-2) === 'deny'))
    return 'an address or a network such as 192.0.2.0/24 is expected'
  if (issue.code === 'invalid_union' && issue.path.at(-1) === 'upstream')
    return 'a port or host:port is expected'
  if (issue.code === 'invalid_union' && issue.path[0] === 'inspect') return 'off or a port is expected'
  if (issue.code === 'invalid_union' && issue.path.at(-1) === 'hsts')
    return 'true, false or a map is expected'
  if (issue.code === 'invalid_union') return 'text is expected'
  if (issue.code === 'invalid_value' && issue.path.at(-1) === 'version') return 'only version 1 exists'
  if (issue.code === 'invalid_type' && issue.path.length === 0)
    return 'the file holds no map of version and tunnels'
  return sayIssue(issue)
}

/** The place of a path in the text; for something missing, the place of its parent. */
export function offsetOf(document: Document, path: Path, place: 'key' | 'value'): number {
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

export function at(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset)
  return { line: Math.max(1, line), column: Math.max(1, col) }
}
