/** The issuers that operators name, and the one that they need not name. */
import { z } from 'zod'
import { Secret } from '../../base/secret.ts'
import { AcmeIssuer } from './acme.ts'
import type { Issuer, IssuerLimits } from './role.ts'

const hourMs = 3_600_000
/** As Let's Encrypt publishes them; the other big issuers allow as much or more. */
const usualLimits: IssuerLimits = {
  orders: { max: 300, perMs: 3 * hourMs },
  domain: { max: 50, perMs: 7 * 24 * hourMs },
  set: { max: 5, perMs: 7 * 24 * hourMs },
  failures: { max: 5, perMs: hourMs },
}

const issuerSchema = z.strictObject({
  /** Stands beside each certificate; another name is another issuer. */
  name: z.string().regex(/^[a-z0-9-]{1,32}$/, 'lower-case letters, digits and hyphens'),
  directory: z.url({ protocol: /^https$/ }),
  /** What CAA records call it; none: where there are any, it is not asked. */
  caa: z.array(z.hostname().toLowerCase()).max(10).optional(),
  /** External account binding. */
  keyId: z.string().min(1).max(500).optional(),
  key: z
    .string()
    .min(1)
    .max(1_000)
    .transform((value) => new Secret(value))
    .optional(),
})
export type IssuerSettings = z.infer<typeof issuerSchema>

const letsEncrypt: IssuerSettings = {
  name: 'letsencrypt',
  directory: 'https://acme-v02.api.letsencrypt.org/directory',
  caa: ['letsencrypt.org'],
}

/** In order of preference. */
export const issuersSchema = z.array(issuerSchema).min(1).max(5)
export const usualIssuers: readonly IssuerSettings[] = [letsEncrypt]

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
