/**
 * Hosts `<name>.e2e.<domain of the cell>`: only tunnels of kind tls get them, and only if the account keeps them. No
 * wildcard covers them, because a browser that has a connection under a wildcard sends requests for every name under it
 * there, and so to the relay. docs/decisions/0068-end-to-end-tls.md
 */
import type { Control } from './control.ts'
import { endpoints, type TunnelDoc } from './documents.ts'
import { isReserved } from './lease-rules.ts'

const suffix = '.e2e'

/** The name to reserve for the tunnel `name`. */
function e2eName(name: string): string {
  return `${name}${suffix}`
}

/** The tunnel's name in a reserved one, if it is of this shape. */
export function nameInE2e(reserved: string): string | undefined {
  return reserved.endsWith(suffix) ? reserved.slice(0, -suffix.length) : undefined
}

export function isE2eHost(host: string, domain: string): boolean {
  return host.endsWith(`${suffix}.${domain}`)
}

export function e2eEndpoint({ name }: Pick<TunnelDoc, 'name'>, domain: string): string {
  return `host:${e2eName(name)}.${domain}`
}

/** The host of this shape that the account keeps for the tunnel. */
export async function findE2eEndpoint(
  { store }: Pick<Control, 'store'>,
  { account, kind, name }: Pick<TunnelDoc, 'account' | 'kind' | 'name'>,
  domain: string,
): Promise<string | undefined> {
  if (kind !== 'tls') return undefined
  const found = await store.get(endpoints.ref(e2eEndpoint({ name }, domain)))
  return found && isReserved(found.data) && found.data.account === account ? found.ref.id : undefined
}
