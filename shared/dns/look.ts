/**
 * Everything that the DNS says about one host, in one bounded look: first the zone and its servers from the operator's
 * resolvers, then what those servers say themselves, and what the resolvers make of it.
 */

import type { Clock } from '../base/clock.ts'
import { withoutStar } from '../base/wildcards.ts'
import {
  type Evidence,
  type Inquiry,
  proofName,
  type Seen,
  type ServerView,
} from '../control/domains/evidence.ts'
import type { InquiryDesk } from '../control/platform.ts'
import { followAliases } from './aliases.ts'
import { Asker, type AskerOptions, askLimits, type Said } from './asker.ts'
import { AskingPace } from './asking-pace.ts'
import { networkExchange, type Peer } from './exchange.ts'
import type { RecordType } from './message.ts'
import { findZone, serversOf } from './zone.ts'

export type DeskOptions = {
  /** At least one; three run by different people see most. */
  readonly resolvers: readonly Peer[]
  /** Their word is enough, where nobody outside can be asked: the servers of zones are left alone. */
  readonly trustResolvers?: boolean | undefined
  readonly clock: Clock
  readonly exchange?: AskerOptions['exchange']
  readonly reach?: AskerOptions['reach']
}

/** Asks over the network. */
export function openInquiryDesk({
  resolvers,
  trustResolvers = false,
  clock,
  exchange = networkExchange,
  reach,
}: DeskOptions): InquiryDesk {
  const pace = new AskingPace()
  return {
    async look(inquiry, signal) {
      const end = new AbortController()
      const timer = clock.after(askLimits.lookMs, () => end.abort(new Error('the look took too long')))
      const asker = new Asker({ exchange, clock, pace, reach }, AbortSignal.any([signal, end.signal]))
      try {
        return await lookAt(asker, { resolvers, trustResolvers }, inquiry)
      } finally {
        timer.clear()
      }
    },
  }
}

const nothing: Omit<Evidence, 'outcome'> = {
  zone: '',
  nameServers: [],
  servers: [],
  resolvers: [],
  texts: [],
  doubled: [],
  chain: [],
  chainEnd: 'none',
  caa: [],
  target: [],
}

async function lookAt(
  asker: Asker,
  { resolvers, trustResolvers }: { readonly resolvers: readonly Peer[]; readonly trustResolvers: boolean },
  inquiry: Inquiry,
): Promise<Evidence> {
  const { host, domain, target } = inquiry
  // An asterisk is a label like any other to name servers, so its own records can be asked for.
  const found = await findZone(asker, resolvers, { host: withoutStar(host), domain })
  if ('outcome' in found) return { ...nothing, outcome: found.outcome }
  const { zone, resolver } = found
  const servers = trustResolvers ? [] : await serversOf(asker, resolver, zone)
  const [first] = servers
  const askFirst = (name: string, type: RecordType): Promise<Said> => {
    if (trustResolvers) return asker.askResolver(resolver, { name, type })
    return first ? asker.askServer(first.address, { name, type }, zone) : Promise.resolve({ kind: 'silent' })
  }
  const [views, toldByResolvers, texts, doubledProof, doubledAlias, aliases, caa, addresses] =
    await Promise.all([
      Promise.all(
        servers.map(async (server) => {
          const told = await askAll(host, (question) => asker.askServer(server.address, question, zone))
          return viewOf(host, { server: server.name, owner: host }, told)
        }),
      ),
      Promise.all(
        resolvers.map(async (resolver) => ({
          server: resolver.address,
          told: await askAll(host, (question) => asker.askResolver(resolver, question)),
        })),
      ),
      askFirst(host, 'TXT'),
      askFirst(`${proofName(host)}.${zone}`, 'TXT'),
      askFirst(`${host}.${zone}`, 'CNAME'),
      followAliases(host, (question) => asker.askResolver(resolver, question)),
      findCaa(asker, resolver, { host: withoutStar(host), domain }),
      addressesOf(asker, resolver, target),
    ])
  return {
    outcome: 'seen',
    zone,
    nameServers: servers.map(({ name }) => name),
    servers: trustResolvers
      ? toldByResolvers.map(({ server, told }) => viewOf(host, { server, owner: host }, told))
      : views,
    resolvers: toldByResolvers.map(({ server, told }) => viewOf(host, { server }, told)),
    texts: valuesOf(texts, 'TXT', host),
    doubled: [
      ...valuesOf(doubledProof, 'TXT', `${proofName(host)}.${zone}`),
      ...valuesOf(doubledAlias, 'CNAME', `${host}.${zone}`),
    ],
    ...aliases,
    caa,
    target: addresses,
  }
}

type Ask = (question: { readonly name: string; readonly type: RecordType }) => Promise<Said>

type Told = Readonly<Record<'proof' | 'cname' | 'a' | 'aaaa', Said>>

async function askAll(host: string, ask: Ask): Promise<Told> {
  const [proof, cname, a, aaaa] = await Promise.all([
    ask({ name: proofName(host), type: 'TXT' }),
    ask({ name: host, type: 'CNAME' }),
    ask({ name: host, type: 'A' }),
    ask({ name: host, type: 'AAAA' }),
  ])
  return { proof, cname, a, aaaa }
}

/** @param owner counts addresses of this name alone, not of where it leads */
function viewOf(
  host: string,
  { server, owner }: { readonly server: string; readonly owner?: string },
  { proof, cname, a, aaaa }: Told,
): ServerView {
  return {
    server,
    // Resolvers follow an alias below `_ptun`: the owner of the zone has put it there.
    proof: seen(proof, 'TXT'),
    cname: seen(cname, 'CNAME', host),
    a: seen(a, 'A', owner),
    aaaa: seen(aaaa, 'AAAA', owner),
  }
}

/** @param owner only records of this name count */
function seen(said: Said, type: RecordType, owner?: string): Seen {
  if (said.kind === 'lame' || said.kind === 'failed' || said.kind === 'silent')
    return { kind: said.kind, values: [] }
  const values = valuesOf(said, type, owner)
  return { kind: values.length > 0 ? 'found' : 'none', values }
}

function valuesOf(said: Said, type: RecordType, owner?: string): readonly string[] {
  if (said.kind !== 'records') return []
  return said.records
    .filter((record) => record.type === type && (owner === undefined || record.name === owner))
    .map(({ value }) => value)
}

/** The nearest set of CAA records, from the host up to what its owner has registered (RFC 8659). */
async function findCaa(
  asker: Asker,
  resolver: Peer,
  { host, domain }: { readonly host: string; readonly domain: string },
): Promise<readonly string[]> {
  let name = host
  // Each step is a question; deeper names lead to the same few zones.
  for (let steps = 0; steps < 6; steps++) {
    const values = valuesOf(await asker.askResolver(resolver, { name, type: 'CAA' }), 'CAA')
    if (values.length > 0 || name === domain) return values
    name = name.slice(name.indexOf('.') + 1)
  }
  return []
}

async function addressesOf(asker: Asker, resolver: Peer, name: string): Promise<readonly string[]> {
  const [a, aaaa] = await Promise.all([
    asker.askResolver(resolver, { name, type: 'A' }),
    asker.askResolver(resolver, { name, type: 'AAAA' }),
  ])
  return [...valuesOf(a, 'A'), ...valuesOf(aaaa, 'AAAA')]
}
