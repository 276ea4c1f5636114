/** PT-25nn: own domains, and what their records lack (shared/control/domains/verdict.ts finds it). */
import type { ErrorEntry } from '../errors.ts'

/** Something that stands in the owner's own zone. */
const record = { http: 409, exit: 1, retry: 'later', owner: 'user' } as const

export const domainCodes = {
  'domain.record_missing': {
    code: 'PT-2501',
    ...record,
    title: 'No record there yet',
    cause: 'The name servers of the domain have no record of ours for this host.',
    cure: 'Make one of the records that the domain shows, and save it. Most providers publish it within a minute.',
  },
  'domain.record_wrong': {
    code: 'PT-2502',
    ...record,
    title: 'Record leads elsewhere',
    cause: 'There is a record for this host, but with another value than it should have.',
    cure: 'Replace the value by the one that the domain shows, exactly as it stands there.',
  },
  'domain.record_proxied': {
    code: 'PT-2503',
    ...record,
    title: 'Record is hidden behind a proxy',
    cause:
      'The host leads to the addresses of a proxy, such as that of Cloudflare, which hides the record behind it.',
    cure: 'Switch the proxy off for this record ("DNS only", the grey cloud). Or make the TXT record, which no proxy hides.',
  },
  'domain.record_doubled': {
    code: 'PT-2504',
    ...record,
    title: 'Domain stands twice in the record’s name',
    cause:
      'Many providers put the domain behind whatever is typed as a name, so the record is at app.example.com.example.com.',
    cure: 'Type only the part in front of the domain as the name, or put a dot behind the whole name.',
  },
  'domain.txt_misplaced': {
    code: 'PT-2505',
    ...record,
    title: 'TXT record at the wrong name',
    cause: 'The right text stands at the host itself. It has to stand at _ptun in front of the host.',
    cure: 'Move the TXT record to the name that the domain shows.',
  },
  'domain.txt_quoted': {
    code: 'PT-2506',
    ...record,
    title: 'Quotation marks or spaces in the TXT record',
    cause: 'The text has quotation marks or spaces around it, because they were typed with it.',
    cure: 'Type the text without them; the provider adds what the zone file needs.',
  },
  'domain.cname_beside': {
    code: 'PT-2507',
    ...record,
    title: 'CNAME beside other records',
    cause:
      'A name that has a CNAME may have nothing else (RFC 1034). Which of its records is found depends on who asks.',
    cure: 'Delete the other records of this name, or the CNAME and use TXT and A records.',
  },
  'domain.apex_cname': {
    code: 'PT-2508',
    ...record,
    title: 'CNAME at the top of a domain',
    cause:
      'The domain itself has records that a CNAME excludes, so a CNAME there breaks its mail and its name servers.',
    cure: 'Use what your provider calls ALIAS, ANAME or CNAME flattening, with the TXT record; or use www in front of it.',
  },
  'domain.aaaa_stale': {
    code: 'PT-2509',
    ...record,
    title: 'IPv6 address of another server',
    cause: 'The A record leads here, and an old AAAA record leads elsewhere. Visitors with IPv6 go there.',
    cure: 'Delete the AAAA record of this host, unless it is one of ours.',
  },
  'domain.mixed_addresses': {
    code: 'PT-2510',
    ...record,
    title: 'Some addresses lead elsewhere',
    cause:
      'The host has several addresses, and only some of them are ours. Some visitors get another server.',
    cure: 'Delete the addresses that are not ours, or use a CNAME.',
  },
  'domain.caa_forbids': {
    code: 'PT-2511',
    ...record,
    title: 'CAA record forbids our certificates',
    cause:
      'A CAA record of the domain says who may issue certificates for it, and it names none of our issuers.',
    cure: 'Add a CAA record for one of the issuers that the detail names, or delete the CAA records. If it names none, an operator can add `caa` to the issuer in the settings of the server.',
  },
  'domain.lame': {
    code: 'PT-2512',
    ...record,
    title: 'Name servers do not answer for the domain',
    cause:
      'Servers that the domain names are silent, or do not know it: it was moved, or it is not set up there.',
    cure: 'Compare the name servers at your registrar with those that your DNS provider gives you.',
  },
  'domain.servers_differ': {
    code: 'PT-2513',
    ...record,
    title: 'Name servers disagree',
    cause: 'Some name servers of the domain have the record and others do not.',
    cure: 'Wait some minutes if you have just changed it. Otherwise the domain has servers of two providers: remove those of the old one.',
  },
  'domain.dnssec': {
    code: 'PT-2514',
    ...record,
    title: 'Resolvers refuse the domain',
    cause:
      'Its own servers answer, but resolvers do not believe them: usually the DNSSEC of the domain is broken.',
    cure: 'Compare the DS record at your registrar with the key of your DNS provider, or switch DNSSEC off there.',
  },
  'domain.not_everywhere': {
    code: 'PT-2515',
    ...record,
    title: 'Not known everywhere yet',
    cause: 'The name servers of the domain have the record, but resolvers still keep an older answer.',
    cure: 'Nothing to do: resolvers ask again when the old answer’s time (TTL) is over.',
  },
  'domain.cname_loop': {
    code: 'PT-2516',
    ...record,
    title: 'CNAME records form a loop',
    cause: 'The aliases of this host lead back to the first, or there are more than eight of them.',
    cure: 'Point the CNAME of the host directly to the name that is shown for the domain.',
  },
  'domain.not_registered': {
    code: 'PT-2517',
    ...record,
    title: 'Domain is not registered',
    cause: 'The registry does not know the domain: it is misspelt, has expired or was never bought.',
    cure: 'Check the spelling, or renew the domain at your registrar.',
  },
  'domain.unreachable': {
    code: 'PT-2518',
    http: 503,
    exit: 1,
    retry: 'later',
    owner: 'operator',
    title: 'Resolvers of this service do not answer',
    cause:
      'None of the resolvers that this service asks could be reached, so the state of the domain is unknown.',
    cure: 'Your records are not at fault. The operator checks that the server can reach its resolvers (port 53, UDP and TCP).',
  },
  'domain.ours': {
    code: 'PT-2519',
    http: 400,
    exit: 2,
    retry: 'never',
    owner: 'user',
    title: 'Name of this service',
    cause:
      'The host lies under a domain of this service. Those names are reserved, not added as own domains.',
    cure: 'Reserve the name instead (ptun names reserve), or use a host of a domain that you have registered.',
  },
  'domain.claimed': {
    code: 'PT-2520',
    http: 409,
    exit: 1,
    retry: 'later',
    owner: 'user',
    title: 'Another account has this domain',
    cause: 'Another account has proved that the host is its own, and its record is still there.',
    cure: 'Remove the domain there. If you have no access: delete the old record of that account. The host is yours after an hour.',
  },
  'domain.lost': {
    code: 'PT-2521',
    http: 409,
    exit: 1,
    retry: 'never',
    owner: 'user',
    title: 'Domain now belongs to another account',
    cause: 'Your record was gone, and another account proved with its own that the host is theirs.',
    cure: 'If that was you, there is nothing to do. Otherwise somebody else can change your DNS zone: find out who, then add the domain again.',
  },
  'domain.no_tunnel': {
    code: 'PT-2522',
    http: 409,
    exit: 2,
    retry: 'never',
    owner: 'user',
    title: 'Tunnel cannot have a domain',
    cause: 'A tunnel of kind tcp has a port and no names.',
    cure: 'Use a tunnel of kind http or tls.',
  },
  'domain.too_soon': {
    code: 'PT-2523',
    http: 429,
    exit: 1,
    retry: 'later',
    owner: 'user',
    title: 'Looked at a moment ago',
    cause: 'The records of this domain were looked at within the last seconds.',
    cure: 'Wait a moment and ask again. It is looked at by itself too.',
  },
  'domain.other_cell': {
    code: 'PT-2524',
    http: 409,
    exit: 1,
    retry: 'later',
    owner: 'user',
    title: 'Record leads to another cell',
    cause: 'The tunnel has moved to another cell, and the record leads to relays of the cell where it was.',
    cure: 'Change the record to the value that is shown now (ptun domains list, or the page Domains).',
  },
} as const satisfies Record<string, ErrorEntry>
