/** What orders of certificates ask the DNS, at the operator's resolvers, as the looks at own domains do. */
import type { Clock } from '../base/clock.ts'
import type { CaaRecord, Certificates } from '../control/certificates/role.ts'
import { Asker, type AskerOptions, type Said } from './asker.ts'
import { AskingPace } from './asking-pace.ts'
import { networkExchange, type Peer } from './exchange.ts'
import { plain, type Question } from './message.ts'

export type LookUpOptions = {
  readonly resolvers: readonly Peer[]
  readonly clock: Clock
  readonly exchange?: AskerOptions['exchange']
}

/** Orders wait for it this long and then go on without it, because the issuer checks CAA itself. */
const timeoutMs = 3_000

/** The two questions of an order: CAA records, and where the CNAME of a challenge leads. */
export function openLookUps(options: LookUpOptions): Required<Pick<Certificates, 'caa' | 'alias'>> {
  return {
    caa: async (name) => {
      const said = await askFirst(options, { name, type: 'CAA' })
      // An alias leads to the records that count, under another name (RFC 8659, section 3).
      const records = said?.kind === 'records' ? said.records : []
      return records.flatMap(({ type, value }) => (type === 'CAA' ? [readCaa(value)] : []))
    },
    alias: async (name) => {
      const said = await askFirst(options, { name, type: 'CNAME' })
      const records = said?.kind === 'records' ? said.records : []
      const found = records.find((record) => record.type === 'CNAME' && record.name === plain(name))
      return found?.value
    },
  }
}

/** The answer of the first resolver that knows one; undefined if none does in time. */
async function askFirst(
  { resolvers, clock, exchange = networkExchange }: LookUpOptions,
  question: Question,
): Promise<Said | undefined> {
  const end = new AbortController()
  const timer = clock.after(timeoutMs, () => end.abort(new Error('the look took too long')))
  const asker = new Asker({ exchange, clock, pace: new AskingPace() }, end.signal)
  try {
    return await Promise.any(
      resolvers.map(async (resolver) => {
        const said = await asker.askResolver(resolver, question)
        if ('authority' in said) return said
        throw new Error(`resolver ${resolver.address}: ${said.kind}`)
      }),
    )
  } catch {
    // No resolver knows; orders go on without it.
    return undefined
  } finally {
    // The others need not answer any more.
    end.abort()
    timer.clear()
  }
}

/** @param text `tag value`; the case of tags does not count (RFC 8659, section 4.1) */
function readCaa(text: string): CaaRecord {
  const space = text.indexOf(' ')
  const value = text.slice(space + 1)
  switch (text.slice(0, space).toLowerCase()) {
    case 'issue':
      return { issue: value }
    case 'issuewild':
      return { issuewild: value }
    default:
      return {}
  }
}
