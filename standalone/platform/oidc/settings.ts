/** The sign-in services of a server, as `signIn.providers` of its settings names them. */
import { Secret } from '@porttunneler/shared/base/secret'
import { z } from 'zod'

/** Services that need no issuer in the settings. */
const known: Readonly<
  Record<string, { readonly kind: ProviderKind; readonly issuer: string; readonly name: string }>
> = {
  google: { kind: 'oidc', issuer: 'https://accounts.google.com', name: 'Google' },
  github: { kind: 'github', issuer: 'https://github.com', name: 'GitHub' },
}

/** `github` speaks OAuth 2 alone, and says who somebody is by an API of its own. */
type ProviderKind = 'oidc' | 'github'

/** More buttons than a page should have. */
const providersMax = 8

export type ProviderSettings = {
  /** Part of the redirect URI and of what is stored about people: it never changes. */
  readonly id: string
  readonly kind: ProviderKind
  /** For people. */
  readonly name: string
  /** The issuer of OpenID Connect, or the address of a GitHub server. */
  readonly issuer: string
  readonly clientId: string
  /** undefined: a public client, which PKCE alone protects. */
  readonly secret?: Secret
}

/** With the secret, or the file that has it. */
export type GivenProvider = ProviderSettings & { readonly secretFile?: string }

const providerSchema = z
  .strictObject({
    id: z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, 'small letters, digits and hyphens, at most 31'),
    kind: z.enum(['oidc', 'github']).optional(),
    name: z.string().trim().min(1).max(40).optional(),
    issuer: z.url().refine(isSafe, 'an https address; http only for this machine').optional(),
    clientId: z.string().min(1).max(500),
    clientSecret: z.string().min(1).max(2_000).optional(),
    clientSecretFile: z.string().min(1).optional(),
  })
  .refine(({ id, issuer }) => issuer !== undefined || Object.hasOwn(known, id), {
    message: 'is needed for every service but google and github',
    path: ['issuer'],
  })
  .refine(
    ({ clientSecret, clientSecretFile }) => clientSecret === undefined || clientSecretFile === undefined,
    {
      message: 'not beside "clientSecret"',
      path: ['clientSecretFile'],
    },
  )
  .transform(({ id, name, issuer, clientId, clientSecret, clientSecretFile, ...given }): GivenProvider => {
    const usual = known[id]
    const kind = given.kind ?? usual?.kind ?? 'oidc'
    const address = issuer ?? usual?.issuer ?? ''
    return {
      id,
      kind,
      name: name ?? usual?.name ?? id,
      // Paths are put behind that of GitHub; an issuer is compared with what it says of itself.
      issuer: kind === 'github' ? address.replace(/\/$/, '') : address,
      clientId,
      ...(clientSecret !== undefined && { secret: new Secret(clientSecret) }),
      ...(clientSecretFile !== undefined && { secretFile: clientSecretFile }),
    }
  })

export const signInSchema = z.strictObject({
  providers: z
    .array(providerSchema)
    .max(providersMax)
    .refine((all) => new Set(all.map(({ id }) => id)).size === all.length, 'two services have the same id')
    .default([]),
})

/** Whether what travels there stays secret: by TLS, or without leaving the machine. */
export function isSafe(address: string): boolean {
  if (!URL.canParse(address)) return false
  const { protocol, hostname } = new URL(address)
  return protocol === 'https:' || (protocol === 'http:' && loopback.test(hostname))
}

const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/
