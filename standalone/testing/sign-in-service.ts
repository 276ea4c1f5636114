/**
 * A real sign-in service (oidc-provider) on this machine, whose people sign in without a form, and which can be told to
 * misbehave; with a browser that knows nothing but redirects and cookies.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Secret } from '@porttunneler/shared/base/secret'
import { exportJWK, generateKeyPair, importJWK, type JWK, type JWTPayload, SignJWT } from 'jose'
import { type AdapterFactory, type AdapterPayload, Provider as Service } from 'oidc-provider'
import type { ProviderSettings } from '../platform/oidc/settings.ts'

export type Somebody = { readonly sub: string; readonly email?: string; readonly email_verified?: unknown }

/** Takes a request away from the service: true if it was answered, or will never be. */
export type Misbehaviour = (request: IncomingMessage, answer: ServerResponse) => boolean

export type SignInService = Awaited<ReturnType<typeof startSignInService>>

const clientId = 'porttunneler'
const clientSecret = 'a secret of the client, long enough for HMAC'

export async function startSignInService({
  redirectUri,
  id = 'work',
  idTokenHasAddress = false,
}: {
  readonly redirectUri: string
  readonly id?: string
  /** As Google does; by the standard the address is at the user info endpoint. */
  readonly idTokenHasAddress?: boolean
}) {
  const state: { somebody: Somebody; misbehaviour: Misbehaviour | undefined } = {
    somebody: { sub: 'ada', email: 'ada@example.com', email_verified: true },
    misbehaviour: undefined,
  }
  let handle: (request: IncomingMessage, answer: ServerResponse) => Promise<unknown> | unknown = () => {}
  const server = createServer((request, answer) => {
    if (state.misbehaviour?.(request, answer)) return
    void handle(request, answer)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  let keys = await newKeys('first')
  const open = () => {
    const service = makeService({ issuer, redirectUri, idTokenHasAddress, keys, state })
    const callback = service.callback()
    handle = async (request, answer) => {
      if (!request.url?.startsWith('/interaction/')) return callback(request, answer)
      const { sub: accountId } = state.somebody
      await service.interactionFinished(request, answer, { login: { accountId } })
    }
  }
  open()
  const settings: ProviderSettings = {
    ...{ id, kind: 'oidc', name: 'Work', issuer, clientId },
    secret: new Secret(clientSecret),
  }
  return {
    issuer,
    settings,
    clientId,
    /** Who signs in there from now on. */
    be(somebody: Somebody) {
      state.somebody = somebody
    },
    misbehave(misbehaviour: Misbehaviour | undefined) {
      state.misbehaviour = misbehaviour
    },
    /** Another key signs from now on, and the one before is gone. */
    async rotateKeys() {
      keys = await newKeys('second')
      open()
    },
    /** Signed with its present key. */
    async sign(claims: JWTPayload, header: { readonly alg?: string } = {}): Promise<string> {
      const jwt = new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: keys.kid ?? '', ...header })
      return jwt.sign(await importJWK(keys, 'ES256'))
    },
    /** Goes where the person is sent, and comes back with the parameters. */
    visit: (url: string) => visit(url, redirectUri),
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

async function newKeys(kid: string): Promise<JWK> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  return { ...(await exportJWK(privateKey)), kid, alg: 'ES256', use: 'sig' }
}

function makeService({
  issuer,
  redirectUri,
  idTokenHasAddress,
  keys,
  state,
}: {
  readonly issuer: string
  readonly redirectUri: string
  readonly idTokenHasAddress: boolean
  readonly keys: JWK
  readonly state: { readonly somebody: Somebody }
}): Service {
  return new Service(issuer, {
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        redirect_uris: [redirectUri],
        id_token_signed_response_alg: 'ES256',
        response_types: ['code'],
        grant_types: ['authorization_code'],
      },
    ],
    jwks: { keys: [keys as never] },
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'] },
    adapter: storage(),
    ttl: { Interaction: 600, Grant: 600, Session: 600, AccessToken: 600, IdToken: 600 },
    conformIdTokenClaims: !idTokenHasAddress,
    cookies: { keys: ['a key of the test'] },
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    findAccount: (_, accountId) => ({ accountId, claims: () => ({ ...state.somebody }) }),
    async loadExistingGrant(context) {
      const { client, session, provider } = context.oidc
      if (!client || !session?.accountId) return undefined
      const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId })
      grant.addOIDCScope('openid email')
      await grant.save()
      return grant
    },
  })
}

/** In memory, for each service its own: that of the package is one for all of a process. */
function storage(): AdapterFactory {
  const kept = new Map<string, AdapterPayload>()
  return (kind) => {
    const at = (id: string) => `${kind} ${id}`
    return {
      upsert: async (id, payload) => void kept.set(at(id), payload),
      find: async (id) => kept.get(at(id)),
      findByUid: async (uid) => [...kept].find(([key, one]) => key.startsWith(kind) && one.uid === uid)?.[1],
      findByUserCode: async () => undefined,
      consume: async (id) => void kept.set(at(id), { ...kept.get(at(id)), consumed: 1 }),
      destroy: async (id) => void kept.delete(at(id)),
      async revokeByGrantId(grantId) {
        for (const [key, one] of kept) if (one.grantId === grantId) kept.delete(key)
      },
    }
  }
}

/** A browser. @returns what stands in the address when it is back */
async function visit(url: string, redirectUri: string): Promise<Record<string, string>> {
  const cookies = new Map<string, string>()
  let next = url
  for (let hops = 0; hops < 10; hops++) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await fetch(next, { redirect: 'manual', headers: { cookie } })
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      cookies.set(name, value)
    }
    const location = answer.headers.get('location')
    if (location === null) throw new Error(`${answer.status} at ${next}: ${await answer.text()}`)
    next = new URL(location, next).href
    if (next.startsWith(redirectUri)) return Object.fromEntries(new URL(next).searchParams)
  }
  throw new Error('the service redirects for ever')
}
