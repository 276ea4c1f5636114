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

/** A service whose certificates pebble gives. */
export type TrustWorld = {
  readonly pebble: Pebble
  /** PEM of the root under which pebble issues, and a file with it. */
  readonly root: string
  readonly rootFile: string
  /** Where visitors come by TLS. */
  readonly tlsPort: number
  readonly httpPort: number
  readonly consolePort: number
  /** Settings of a service in this world: variables, and the file standalone.yaml. */
  readonly env: Readonly<Record<string, string>>
  readonly yaml: string
  close(): Promise<void>
}
export type NamesWorld = TrustWorld & { readonly dns: DnsWorld }

export async function openTrustWorld(): Promise<TrustWorld> {
  const ports = await freeSettings()
  const [httpPort = 0, tlsPort = 0, consolePort = 0] = ['HTTP', 'TLS', 'CONSOLE'].map((name) =>
    Number(ports[`PORTTUNNELER_${name}_PORT`]),
  )
  const folder = temporaryFolder('trust-world')
  const pebble = await startPebble({ httpPort })
  const root = await pebble.root()
  const rootFile = join(folder, 'root.crt')
  writeFileSync(rootFile, root)
  const issuer = `{ name: pebble, directory: "${pebble.directory}" }`
  return {
    ...{ pebble, root, rootFile, tlsPort, httpPort, consolePort },
    env: {
      ...ports,
      PORTTUNNELER_BIND: '127.0.0.1',
      // No test can resolve the names of the service.
      PORTTUNNELER_CONSOLE_URL: `http://127.0.0.1:${consolePort}`,
      NODE_EXTRA_CA_CERTS: pebble.apiRoot,
    },
    yaml: `domain: ${serviceDomain}\nacme:\n  email: ops@example.org\n  issuers: [${issuer}]\n`,
    close: async () => {
      await pebble.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export async function openNamesWorld(): Promise<NamesWorld> {
  const dns = await DnsWorld.open()
  const world = await openTrustWorld()
  return {
    ...world,
    dns,
    env: {
      ...world.env,
      PORTTUNNELER_HOST: 'localhost',
      PORTTUNNELER_REGISTRATION: 'true',
      PORTTUNNELER_PLAN: 'pro',
      ...dns.variables,
    },
    close: async () => {
      await world.close()
      dns.close()
    },
  }
}
