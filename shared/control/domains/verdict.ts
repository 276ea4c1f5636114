/**
 * Judges what the DNS says about a host, as pure rules: whether the proof is there, gone, or unknown, and what a person
 * should fix, the most important first. It says "gone" and "found" only if the zone's own servers do.
 */
import type { ErrorKey } from '../../base/errors.ts'
import { compileMatcher } from '../../base/networks.ts'
import { cloudflareNetworks } from '../../base/trusted-proxies.ts'
import { isWildcard } from '../../base/wildcards.ts'
import { type Evidence, proofName, type Seen, type ServerView } from './evidence.ts'

export type DomainKey = Extract<ErrorKey, `domain.${string}`>
export type Finding = { readonly key: DomainKey; readonly detail: string }

export type Expected = {
  readonly host: string
  /** The content of the TXT record. */
  readonly text: string
  /** Names that a CNAME may lead to: the same token under each cell. */
  readonly targets: readonly string[]
  /** Those of them that lead to the tunnel, the one that people are told first. */
  readonly leading: readonly string[]
  /** The issuers that we use, by their names in CAA records; undefined: nothing is ordered from outside. */
  readonly issuers: readonly string[] | undefined
}

export type Verdict = {
  readonly proof: 'found' | 'gone' | 'unknown'
  readonly findings: readonly Finding[]
}

/** Addresses in front of other people's servers. */
const isProxy = compileMatcher(cloudflareNetworks)

export function judge(evidence: Evidence, expected: Expected): Verdict {
  switch (evidence.outcome) {
    case 'no_zone':
      return {
        proof: 'gone',
        findings: [finding('domain.not_registered', `${expected.host} lies in no zone.`)],
      }
    case 'failed':
      return { proof: 'unknown', findings: [finding('domain.dnssec', 'Every resolver reports a failure.')] }
    case 'silent':
      return { proof: 'unknown', findings: [finding('domain.unreachable', 'No resolver answered in time.')] }
    default:
      return judgeSeen(evidence, expected)
  }
}

/** Whether the zone's servers agree that the proof of another claim to the same host is nowhere. */
export function isGone(evidence: Evidence, expected: Pick<Expected, 'text' | 'targets'>): boolean {
  if (evidence.outcome === 'no_zone') return true
  return evidence.outcome === 'seen' && askServers(evidence.servers, expected).verdict === 'no'
}

function judgeSeen(evidence: Evidence, expected: Expected): Verdict {
  const { proof, findings } = weigh(evidence, expected)
  return {
    proof,
    findings: findings.filter(({ key }, at) => findings.findIndex((one) => one.key === key) === at),
  }
}

function weigh(evidence: Evidence, expected: Expected): Verdict {
  const { verdict, silent } = askServers(evidence.servers, expected)
  const hints = hintsOf(evidence, expected)
  switch (verdict) {
    case 'unknown':
      return { proof: 'unknown', findings: [finding('domain.lame', sayLame(evidence)), ...hints] }
    case 'split':
      return {
        proof: 'unknown',
        findings: [finding('domain.servers_differ', saySplit(evidence, expected)), ...hints],
      }
    case 'no':
      return { proof: 'gone', findings: [...missing(evidence, expected), ...hints] }
    default:
  }
  const lame = silent ? [finding('domain.lame', sayLame(evidence))] : []
  const late = unseen(evidence, expected)
  return { proof: late ? 'unknown' : 'found', findings: [...(late ? [late] : []), ...hints, ...lame] }
}

type Word = 'yes' | 'no' | 'unknown'

/** All that answer must agree, and at least half of them must answer. */
function askServers(servers: readonly ServerView[], expected: Pick<Expected, 'text' | 'targets'>) {
  const words = servers.map((server) => wordOf(server, expected))
  const answering = words.filter((word) => word !== 'unknown')
  const silent = answering.length < words.length
  if (answering.length === 0 || answering.length * 2 < words.length)
    return { verdict: 'unknown', silent } as const
  if (answering.every((word) => word === 'yes')) return { verdict: 'yes', silent } as const
  return { verdict: answering.every((word) => word === 'no') ? 'no' : 'split', silent } as const
}

function wordOf({ proof, cname }: ServerView, { text, targets }: Pick<Expected, 'text' | 'targets'>): Word {
  if (proof.values.includes(text) || cname.values.some((value) => targets.includes(value))) return 'yes'
  return isTold(proof) && isTold(cname) ? 'no' : 'unknown'
}

function isTold({ kind }: Seen): boolean {
  return kind === 'found' || kind === 'none'
}

/** Whether too few resolvers see the proof that the zone's servers have. */
function unseen({ resolvers }: Evidence, expected: Expected): Finding | undefined {
  const words = resolvers.map((resolver) => wordOf(resolver, expected))
  const seen = words.filter((word) => word === 'yes').length
  if (seen >= Math.min(2, resolvers.length)) return undefined
  if (resolvers.every(({ proof, cname }) => proof.kind === 'failed' || cname.kind === 'failed'))
    return finding('domain.dnssec', 'Every resolver reports a failure for this name.')
  return finding('domain.not_everywhere', `${seen} of ${resolvers.length} resolvers see the record so far.`)
}

/** Why there is no proof: usual mistakes, by what is there instead. */
function missing(evidence: Evidence, { host, text, targets }: Expected): readonly Finding[] {
  const { servers, texts, doubled, chainEnd, chain, zone } = evidence
  const proofs = servers.flatMap(({ proof }) => proof.values)
  const aliases = servers.flatMap(({ cname }) => cname.values)
  const quoted = [...proofs, ...texts].find((value) => value !== text && bare(value) === text)
  if (quoted !== undefined) return [finding('domain.txt_quoted', `The text reads ${shorten(quoted)}.`)]
  if (texts.includes(text))
    return [finding('domain.txt_misplaced', `It stands at ${host}, not at ${proofName(host)}.`)]
  if (doubled.includes(text) || doubled.some((value) => targets.includes(value)))
    return [finding('domain.record_doubled', `It stands at ${host}.${zone}.`)]
  if (chainEnd === 'loop') return [finding('domain.cname_loop', `${host} leads to ${chain.join(', then ')}.`)]
  if (chainEnd === 'too_long') return [finding('domain.cname_loop', `More than ${chain.length - 1} aliases.`)]
  const addresses = addressesOf(evidence)
  if (addresses.some(isProxy))
    return [finding('domain.record_proxied', `${host} has the address ${addresses.find(isProxy)}.`)]
  const [old] = proofs.filter((value) => value.startsWith('ptun1='))
  if (old !== undefined)
    return [finding('domain.record_wrong', `${proofName(host)} has the text ${shorten(old)}.`)]
  const [alias] = aliases
  if (alias !== undefined) return [finding('domain.record_wrong', `The CNAME leads to ${alias}.`)]
  return [finding('domain.record_missing', `Nothing of ours stands at ${host} or at ${proofName(host)}.`)]
}

/** Faults that keep visitors away, whoever has the host. */
function hintsOf(evidence: Evidence, expected: Expected): readonly Finding[] {
  const { host } = expected
  const { servers, zone, texts } = evidence
  const hasAlias = servers.some(({ cname }) => cname.values.length > 0)
  const beside =
    servers.some(({ a, aaaa }) => a.values.length > 0 || aaaa.values.length > 0) || texts.length > 0
  const found: Finding[] = []
  if (hasAlias && host === zone) found.push(finding('domain.apex_cname', `${host} is the top of its zone.`))
  else if (hasAlias && beside)
    found.push(finding('domain.cname_beside', `${host} has a CNAME and other records.`))
  return [...found, ...routeHints(evidence, expected), ...caaHints(evidence, expected)]
}

/** Where visitors of the host end up; no hint if it does not lead anywhere yet. */
function routeHints(evidence: Evidence, { host, text, targets, leading }: Expected): readonly Finding[] {
  const { target, servers } = evidence
  const aliases = servers.flatMap(({ cname }) => cname.values).filter((value) => targets.includes(value))
  const elsewhere = aliases.find((alias) => !leading.includes(alias))
  if (elsewhere !== undefined)
    return [
      finding('domain.other_cell', `The CNAME leads to ${elsewhere}, and the tunnel is at ${leading[0]}.`),
    ]
  const isAliased = aliases.length > 0
  const addresses = addressesOf(evidence)
  if (isAliased || target.length === 0 || addresses.length === 0) return []
  // With the TXT record a proxy in front is meant to be there.
  const mayProxy = servers.some(({ proof }) => proof.values.includes(text))
  const others = addresses.filter((address) => !target.includes(address) && !(mayProxy && isProxy(address)))
  if (others.length === 0) return []
  const [other = ''] = others
  if (isProxy(other)) return [finding('domain.record_proxied', `${host} has the address ${other}.`)]
  if (others.length === addresses.length)
    return [finding('domain.record_wrong', `${host} has the address ${other}, which is not ours.`)]
  const isOnlyIpv6 = others.every((address) => address.includes(':'))
  return [finding(isOnlyIpv6 ? 'domain.aaaa_stale' : 'domain.mixed_addresses', `${other} is not ours.`)]
}

function addressesOf({ resolvers }: Evidence): readonly string[] {
  const [view] = resolvers.filter(({ a }) => isTold(a))
  return view ? [...view.a.values, ...view.aaaa.values] : []
}

function caaHints({ caa }: Evidence, { host, issuers }: Expected): readonly Finding[] {
  const valuesOf = (tag: string) =>
    caa
      .filter((value) => value.toLowerCase().startsWith(`${tag} `))
      .map((value) => value.slice(tag.length + 1))
  const wild = isWildcard(host) ? valuesOf('issuewild') : []
  const issue = wild.length > 0 ? wild : valuesOf('issue')
  const named = issue.map((value) => value.split(';')[0]?.trim().toLowerCase() ?? '')
  if (issuers === undefined || issue.length === 0 || named.some((name) => issuers.includes(name))) return []
  const ours =
    issuers.length > 0
      ? `Our issuers are ${issuers.join(', ')}.`
      : 'Our issuer has no name in the settings of the server, so no record can allow it.'
  return [finding('domain.caa_forbids', ours)]
}

function sayLame({ servers }: Evidence): string {
  const bad = servers.filter(({ proof }) => !isTold(proof)).map(({ server }) => server)
  return bad.length === 0
    ? 'The domain names no server that can be reached.'
    : `No answer from ${bad.join(', ')}.`
}

function saySplit({ servers }: Evidence, expected: Expected): string {
  const without = servers.filter((server) => wordOf(server, expected) === 'no').map(({ server }) => server)
  return `The record is missing at ${without.join(', ')}.`
}

/** The value without quotation marks, spaces and backslashes around it. */
function bare(value: string): string {
  return value.replaceAll(/^["'\s\\]+|["'\s\\]+$/g, '')
}

/** It came from a stranger's zone. */
function shorten(value: string): string {
  const printable = value.replaceAll(/[^\x20-\x7e]/g, '?')
  return printable.length > 60 ? `${printable.slice(0, 50)}...` : printable
}

function finding(key: DomainKey, detail: string): Finding {
  return { key, detail }
}
