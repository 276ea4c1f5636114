/**
 * The outside of a service that has names: a DNS in which tests make records, and pebble, which gives certificates for
 * them. Each service has its own, with the settings that lead there.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DnsWorld } from '@porttunneler/shared/testing/dns-world'
import { type Pebble, startPebble } from './pebble.ts'
import { freeSettings, temporaryFolder } from './standalone.ts'

/** The parent of the service's own names. */
export const serviceDomain = 'tunnels.example.org'

export type NamesWorld = {
  readonly dns: DnsWorld
  readonly pebble: Pebble
  /** PEM of the root under which pebble issues, and a file with it. */
  readonly root: string
  readonly rootFile: string
  /** Where visitors come by TLS. */
  readonly tlsPort: number
  readonly httpPort: number
  /** Settings of a service in this world: variables, and the file standalone.yaml. */
  readonly env: Readonly<Record<string, string>>
  readonly yaml: string
  close(): Promise<void>
}

export async function openNamesWorld(): Promise<NamesWorld> {
  const ports = await freeSettings()
  const [httpPort, tlsPort] = [ports.PORTTUNNELER_HTTP_PORT, ports.PORTTUNNELER_TLS_PORT].map(Number)
  const dns = await DnsWorld.open()
  const folder = temporaryFolder('names-world')
  const pebble = await startPebble({ httpPort: httpPort ?? 0 })
  const root = await pebble.root()
  const rootFile = join(folder, 'root.crt')
  writeFileSync(rootFile, root)
  const issuer = `{ name: pebble, directory: "${pebble.directory}" }`
  return {
    ...{ dns, pebble, root, rootFile, tlsPort: tlsPort ?? 0, httpPort: httpPort ?? 0 },
    env: {
      ...ports,
      PORTTUNNELER_BIND: '127.0.0.1',
      // No test can resolve the names of the service.
      PORTTUNNELER_HOST: 'localhost',
      PORTTUNNELER_CONSOLE_URL: `http://127.0.0.1:${ports.PORTTUNNELER_CONSOLE_PORT}`,
      PORTTUNNELER_DEMO: 'false',
      PORTTUNNELER_REGISTRATION: 'true',
      PORTTUNNELER_PLAN: 'pro',
      PORTTUNNELER_RESOLVERS: dns.resolvers.map(({ address, port }) => `${address}:${port}`).join(','),
      // Servers of zones must have public addresses, which a test does not have.
      PORTTUNNELER_TRUST_RESOLVERS: 'true',
      NODE_EXTRA_CA_CERTS: pebble.apiRoot,
    },
    yaml: `domain: ${serviceDomain}\nacme:\n  email: ops@example.org\n  issuers: [${issuer}]\n`,
    close: async () => {
      await pebble.close()
      dns.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
