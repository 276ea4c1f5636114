/**
 * The networks of a proxy service that operators name in `trustedProxies`. A job asks the service for them while some
 * relay trusts it; relays get them with `sync`, and the console reads them here. What is implausible is never believed:
 * whoever is in these networks can tell us any visitor's address. docs/decisions/0070-in-front-of-us.md
 */
import type { Clock } from '../base/clock.ts'
import { codes } from '../base/errors.ts'
import { compileMatcher } from '../base/networks.ts'
import { isPublicAddress } from '../base/public-addresses.ts'
import { cloudflareNetworks } from '../base/trusted-proxies.ts'
import type { Control } from './control.ts'
import type { JobKind, RunningJob } from './jobs/jobs.ts'
import { globalCollection } from './names.ts'
import type { Store } from './platform.ts'

/** Id: the service. */
type ProxyNetworksDoc = {
  readonly networks: readonly string[]
  readonly changedAt: number
}

const everyMs = 6 * 3_600_000
/** Relays and the console ask much more often than anything changes. */
const knownMs = 60_000
const entries = { min: 6, max: 200 } as const
/** The shortest prefixes. Cloudflare's largest networks are a /13 and a /29. */
const prefixes = { ipv4: 10, ipv6: 24 } as const
/** IPv4 addresses in all: between a /16 and a /8, of which Cloudflare has a tenth. */
const addresses = { min: 2 ** 16, max: 2 ** 24 } as const
/** One of each block that nobody outside has, so that no network may hold it. */
const privateOnes = [
  '0.0.0.1',
  '10.0.0.1',
  '100.64.0.1',
  '127.0.0.1',
  '169.254.169.254',
  '172.16.0.1',
  '192.168.0.1',
  '198.18.0.1',
  '::1',
  'fd00::1',
  'fe80::1',
]

const proxyNetworks = globalCollection<ProxyNetworksDoc>('proxyNetworks')
const ref = proxyNetworks.ref('cloudflare')

export class ProxyNetworks {
  readonly #store: Store
  readonly #clock: Clock
  #known: { readonly networks: readonly string[] | undefined; readonly until: number } | undefined

  constructor({ store, clock }: { readonly store: Store; readonly clock: Clock }) {
    this.#store = store
    this.#clock = clock
  }

  /** undefined: none were had yet, so those that the release knows are the newest. */
  async read(): Promise<readonly string[] | undefined> {
    const nowMs = this.#clock.monotonic()
    if (!this.#known || this.#known.until <= nowMs) {
      const found = await this.#store.get(ref)
      this.#known = { networks: found?.data.networks, until: nowMs + knownMs }
    }
    return this.#known.networks
  }
}

export function keepProxyNetworks(control: Control): JobKind {
  return {
    name: 'proxies.networks',
    attemptsMax: Number.MAX_SAFE_INTEGER,
    everyMs,
    run: (job) => renew(control, job),
  }
}

/** What was good stays, whatever the service says or does not say. */
async function renew(control: Control, job: RunningJob): Promise<void> {
  if (!(await isWanted(control))) return
  const networks = (await control.askNetworks(job.signal)).toSorted()
  const before = (await control.store.get(ref))?.data.networks ?? cloudflareNetworks
  const fault = faultOf(networks, before)
  if (fault !== undefined) {
    const { code, title, cure } = codes['proxies.refused']
    control.log.error({ code, cure, fault, networks: networks.slice(0, entries.max) }, title)
    return
  }
  if (networks.join() === before.toSorted().join()) return
  control.log.info({ networks }, 'The networks of Cloudflare have changed')
  await control.store.set(ref, { networks, changedAt: control.clock.now() })
}

/** Nobody is asked while no relay trusts Cloudflare. */
async function isWanted({ cells }: Control): Promise<boolean> {
  for (const id of await cells.openIds()) {
    const { relays } = await cells.lately(id)
    if (relays.some(({ data }) => data.proxies?.includes('cloudflare'))) return true
  }
  return false
}

/**
 * Why a list is not believed.
 * @param networks CIDRs that a schema has checked
 * @param before the last that was believed
 */
export function faultOf(networks: readonly string[], before: readonly string[]): string | undefined {
  if (networks.length < entries.min || networks.length > entries.max) return `${networks.length} networks`
  for (const network of networks) {
    const [address = '', prefix] = network.split('/', 2)
    const shortest = address.includes(':') ? prefixes.ipv6 : prefixes.ipv4
    if (prefix === undefined || Number(prefix) < shortest) return `${network} is too large`
    if (!isPublicAddress(address)) return `${network} is not public`
  }
  const holds = compileMatcher(networks)
  const inside = privateOnes.find(holds)
  if (inside !== undefined) return `${inside} is in one of them`
  const size = sizeOf(networks)
  if (size < addresses.min || size > addresses.max) return `${size} IPv4 addresses`
  if (size < sizeOf(before) / 2) return `${size} IPv4 addresses, of ${sizeOf(before)} before`
  return undefined
}

function sizeOf(networks: readonly string[]): number {
  const ipv4 = networks.filter((network) => !network.includes(':'))
  return ipv4.reduce((sum, network) => sum + 2 ** (32 - Number(network.split('/')[1])), 0)
}
