/** The DNS of tests that are not about asking it. */
import type { Evidence, Inquiry, ServerView } from '../control/domains/evidence.ts'
import type { InquiryDesk } from '../control/platform.ts'

/** Zones as the tests write them: the record at `_ptun.<host>`, or no answer at all. */
export class Zones implements InquiryDesk {
  readonly texts = new Map<string, Set<string>>()
  /** Where the CNAME of a host leads. */
  readonly aliases = new Map<string, string>()
  /** CAA records, as `tag value`. */
  caa: readonly string[] = []
  isSilent = false
  looks = 0

  readonly look = async (inquiry: Inquiry): Promise<Evidence> => {
    this.looks += 1
    const values = [...(this.texts.get(inquiry.host) ?? [])]
    const none = { kind: 'none', values: [] } as const
    const proof = values.length > 0 ? ({ kind: 'found', values } as const) : none
    const alias = this.aliases.get(inquiry.host)
    const cname = alias === undefined ? none : ({ kind: 'found', values: [alias] } as const)
    const view: ServerView = { server: 'ns1.example.com', proof, cname, a: none, aaaa: none }
    const rest = { texts: [], doubled: [], chain: [], caa: this.caa, target: [], chainEnd: 'none' } as const
    const zone = { zone: inquiry.domain, nameServers: ['ns1.example.com'] }
    return this.isSilent
      ? { outcome: 'silent', zone: '', nameServers: [], servers: [], resolvers: [], ...rest }
      : { outcome: 'seen', ...zone, servers: [view], resolvers: [view], ...rest }
  }
}

/** Nobody can be asked. */
export const noInquiries: InquiryDesk = {
  look: async () => {
    const zones = new Zones()
    zones.isSilent = true
    return zones.look({ host: '', domain: '', target: '' })
  },
}
