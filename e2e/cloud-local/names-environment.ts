/** What the functions are told about DNS and certificates: the standalone server's settings, as their variables. */
import type { Config } from '../../standalone/config.ts'

export function namesEnvironment({ dns, acme }: Pick<Config, 'dns' | 'acme'>) {
  const resolvers = dns.resolvers.map(({ address, port }) =>
    address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`,
  )
  return {
    PORTTUNNELER_RESOLVERS: resolvers.join(','),
    PORTTUNNELER_TRUST_RESOLVERS: `${dns.trustResolvers}`,
    ...(acme && {
      PORTTUNNELER_ACME_EMAIL: acme.email,
      PORTTUNNELER_ACME_ISSUERS: JSON.stringify(
        acme.issuers.map(({ key, ...issuer }) => ({ ...issuer, ...(key && { key: key.reveal() }) })),
      ),
    }),
  }
}
