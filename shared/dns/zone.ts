/** The zone of a host, and the servers that have it, as the operator's resolvers say. */
import { liesUnder } from '../base/host-names.ts'
import type { Evidence } from '../control/domains/evidence.ts'
import type { Asker, Said } from './asker.ts'
import type { Peer } from './exchange.ts'

const serversMax = 4
/** Deeper names are looked up by their last parts: the zone is seldom further down. */
const stepsMax = 6

export type NameServer = { readonly name: string; readonly address: string }
type Found =
  | { readonly zone: string /** The first that answered. */; readonly resolver: Peer }
  | { readonly outcome: Exclude<Evidence['outcome'], 'seen'> }

export async function findZone(
  asker: Asker,
  resolvers: readonly Peer[],
  { host, domain }: { readonly host: string; readonly domain: string },
): Promise<Found> {
  let isAnswered = false
  for (const resolver of resolvers) {
    const zone = await climb(asker, resolver, { host, domain })
    if (typeof zone === 'string') return zone === '' ? { outcome: 'no_zone' } : { zone, resolver }
    isAnswered ||= zone.kind === 'failed'
  }
  return { outcome: isAnswered ? 'failed' : 'silent' }
}

/** @returns '' when there is none */
async function climb(
  asker: Asker,
  resolver: Peer,
  { host, domain }: { readonly host: string; readonly domain: string },
): Promise<string | { readonly kind: 'failed' | 'silent' }> {
  const parts = host.split('.')
  const depth = domain.split('.').length
  const from = Math.max(0, parts.length - depth - stepsMax)
  let isFailed = false
  for (let at = from; at <= parts.length - depth; at++) {
    const name = parts.slice(at).join('.')
    const said = await asker.askResolver(resolver, { name, type: 'SOA' })
    if (said.kind === 'silent') return { kind: 'silent' }
    // Aliases in a loop, or a broken zone further down: the zone above can still be found.
    if (!('authority' in said)) {
      isFailed = true
      continue
    }
    const zone = zoneIn(said, name)
    if (zone !== undefined) return liesUnder(zone, domain) ? zone : ''
  }
  return isFailed ? { kind: 'failed' } : ''
}

/** In the answer for the top of a zone, and beside an empty answer for any other name of it. */
function zoneIn(said: Extract<Said, { readonly authority: unknown }>, name: string): string | undefined {
  const records = [...(said.kind === 'records' ? said.records : []), ...said.authority]
  return records.find((record) => record.type === 'SOA' && liesUnder(name, record.name))?.name
}

/** One address for each. */
export async function serversOf(asker: Asker, resolver: Peer, zone: string): Promise<readonly NameServer[]> {
  const said = await asker.askResolver(resolver, { name: zone, type: 'NS' })
  const records = said.kind === 'records' ? said.records : []
  const names = records.filter(({ type, name }) => type === 'NS' && name === zone).map(({ value }) => value)
  const found = await Promise.all(
    [...new Set(names)]
      .toSorted()
      .slice(0, serversMax)
      .map(async (name) => {
        const address =
          (await addressOf(asker, resolver, name, 'A')) ?? (await addressOf(asker, resolver, name, 'AAAA'))
        return address === undefined ? [] : [{ name, address }]
      }),
  )
  return found.flat()
}

async function addressOf(
  asker: Asker,
  resolver: Peer,
  name: string,
  type: 'A' | 'AAAA',
): Promise<string | undefined> {
  const said = await asker.askResolver(resolver, { name, type })
  return said.kind === 'records' ? said.records.find((record) => record.type === type)?.value : undefined
}
