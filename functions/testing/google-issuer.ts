/**
 * Signs tokens as Google does (RS256, keys at a JWKS address over HTTP) with its own keys. It is strict: it answers
 * nothing that Google would not answer. It can be made to fail, or to stay silent.
 */
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'

export type GoogleIssuer = {
  readonly jwksUrl: string
  /** How often the keys were fetched. */
  fetches(): number
  sign(claims: JWTPayload, options?: { readonly kid?: string; readonly key?: CryptoKey }): Promise<string>
  /** What the JWKS address does from now on. */
  become(state: 'well' | 'failing' | 'silent'): void
  close(): Promise<void>
}

export const newKeyPair = () => generateKeyPair('RS256')
const pair = newKeyPair()

export async function startGoogleIssuer(): Promise<GoogleIssuer> {
  const { publicKey, privateKey } = await pair
  const kid = 'f2c1'
  const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' }] })
  let state: 'well' | 'failing' | 'silent' = 'well'
  let fetches = 0
  const { url, close } = await serve((request, answer) => {
    if (request.method !== 'GET' || request.url !== '/jwks') return void answer.writeHead(404).end()
    fetches++
    if (state === 'silent') return
    if (state === 'failing') return void answer.writeHead(503).end('{"error":"unavailable"}')
    answer.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'public, max-age=20000' })
    answer.end(jwks)
  })
  return {
    jwksUrl: `${url}/jwks`,
    fetches: () => fetches,
    sign: (claims, { kid: id = kid, key = privateKey } = {}) =>
      new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: id, typ: 'JWT' }).sign(key),
    become: (next) => {
      state = next
    },
    close,
  }
}

/** A server on a free port of this machine. */
export async function serve(
  listener: RequestListener,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
