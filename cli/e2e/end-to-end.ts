/** What an agent has if TLS of visitors ends at it: certificates for the hosts of its tunnels, and the ends of TLS. */
import type { Lease } from '@porttunneler/shared/api/schemas/tunnels'
import { readAscii } from '@porttunneler/shared/base/host-names'
import type { SavedLease, WantedTunnel } from '../agent/tunnels.ts'
import type { EndTls } from '../agent/visitor-stream.ts'
import type { Connection } from '../context.ts'
import { CertificateKeeper, type CertificateKeeperOptions } from './certificate-keeper.ts'
import { KeptCertificates } from './kept-certificates.ts'
import { TlsEnd } from './tls-end.ts'

export type EndToEndOptions = Omit<CertificateKeeperOptions, 'api' | 'kept'> & {
  readonly connection: Pick<Connection, 'client' | 'server'>
  readonly folder: string | undefined
  readonly account: string
}

/** The name of a host that no wildcard covers has this as its second label. */
const e2eLabel = 'e2e'

export class EndToEnd {
  readonly #options: EndToEndOptions
  readonly #keeper: CertificateKeeper

  constructor(options: EndToEndOptions) {
    const { connection, folder, account } = options
    const { client, server } = connection
    this.#options = options
    this.#keeper = new CertificateKeeper({
      ...options,
      kept: new KeptCertificates({ folder, server, account }),
      api: {
        request: (wish, signal) => client.requestCertificate(wish, { signal }),
        read: (id, signal) => client.certificate(id, { signal }),
      },
    })
  }

  readonly endTls: EndTls = (stream, { inside, tunnel, isShared }) => {
    if (isShared && (tunnel === undefined || !this.#keeper.hasAny(tunnel))) return 'tls.no_certificate'
    return new TlsEnd(stream, {
      clock: this.#options.clock,
      protocols: inside === 'http' ? ['http/1.1'] : [],
      isShared,
      contextOf: (name) => this.#keeper.contextOf(name),
    })
  }

  /** The tunnel has a lease. */
  follow({ endToEnd, domain }: WantedTunnel, { name, endpoint: { host } }: Lease): void {
    if (!endToEnd) return
    const own = domain === undefined ? undefined : readAscii(domain)
    const isReserved = host.split('.')[1] === e2eLabel
    // Without a reserved name the server says what is missing, unless the domain is what is meant.
    this.#keeper.follow(name, [
      ...(own && 'host' in own ? [own.host] : []),
      ...(isReserved || own === undefined ? [host] : []),
    ])
  }

  /** Before the server answers, and also if it does not. */
  followSaved(wanted: readonly WantedTunnel[], saved: readonly (SavedLease | undefined)[]): void {
    for (const [index, tunnel] of wanted.entries()) {
      const one = saved[index]
      if (one) this.follow(tunnel, one.lease)
    }
  }

  /** The tunnel is gone. */
  drop({ name }: Pick<Lease, 'name'>): void {
    this.#keeper.follow(name, [])
  }

  close(): void {
    this.#keeper.close()
  }
}
