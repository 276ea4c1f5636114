/** The issuers that operators name, and the one that they need not name. */
import type { Secret } from '../../base/secret.ts'
import { AcmeIssuer } from './acme.ts'
import type { Issuer, IssuerLimits } from './role.ts'

const hourMs = 3_600_000
/** As Let's Encrypt publishes them; the others that matter give as much or more. */
const usualLimits: IssuerLimits = {
  orders: { max: 300, perMs: 3 * hourMs },
  domain: { max: 50, perMs: 7 * 24 * hourMs },
  set: { max: 5, perMs: 7 * 24 * hourMs },
}

export type IssuerSettings = {
  /** Stands beside each certificate; another name is another issuer. */
  readonly name: string
  readonly directory: string
  /** What CAA records call it; none: they are not looked at for it. */
  readonly caa?: readonly string[] | undefined
  /** External account binding. */
  readonly keyId?: string | undefined
  readonly key?: Secret | undefined
}

export const letsEncrypt: IssuerSettings = {
  name: 'letsencrypt',
  directory: 'https://acme-v02.api.letsencrypt.org/directory',
  caa: ['letsencrypt.org'],
}

export function acmeIssuers(
  settings: readonly IssuerSettings[],
  { email, version }: { readonly email: string; readonly version: string },
): readonly Issuer[] {
  const userAgent = `PortTunneler/${version}`
  return settings.map(
    ({ name, directory, caa = [], keyId, key }) =>
      new AcmeIssuer({
        ...{ name, directory, email, caa, limits: usualLimits, userAgent },
        ...(keyId !== undefined && key !== undefined && { eab: { keyId, key } }),
      }),
  )
}
