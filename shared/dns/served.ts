/** Whether a zone's own servers already serve a text: certificate authorities ask these, not a cache. */
import type { Clock } from '../base/clock.ts'
import { Asker, type AskerOptions, askLimits } from './asker.ts'
import { AskingPace } from './asking-pace.ts'
import { networkExchange, type Peer } from './exchange.ts'
import { findZone, serversOf } from './zone.ts'

type ServedOptions = {
  readonly resolvers: readonly Peer[]
  readonly clock: Clock
  readonly reach?: AskerOptions['reach']
}

/** @returns a function that tells whether every answering server of the zone has the text */
export function textsServed({ resolvers, clock, reach }: ServedOptions) {
  const pace = new AskingPace()
  return async (name: string, text: string, signal: AbortSignal): Promise<boolean> => {
    const end = AbortSignal.any([signal, AbortSignal.timeout(askLimits.lookMs)])
    const asker = new Asker({ exchange: networkExchange, clock, pace, reach }, end)
    const domain = name.split('.').slice(-1).join('.')
    const found = await findZone(asker, resolvers, { host: name, domain })
    if ('outcome' in found) return false
    const servers = await serversOf(asker, found.resolver, found.zone)
    const said = await Promise.all(
      servers.map(({ address }) => asker.askServer(address, { name, type: 'TXT' }, found.zone)),
    )
    const told = said.flatMap((one) =>
      one.kind === 'records' ? [one.records] : one.kind === 'silent' ? [] : [[]],
    )
    return told.length > 0 && told.every((records) => records.some(({ value }) => value === text))
  }
}
