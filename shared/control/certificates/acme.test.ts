/** An issuer's server that answers with anything but ACME: each answer is an error with a code, and nothing more. */
import { createHmac, generateKeyPairSync, randomBytes } from 'node:crypto'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { Secret } from '../../base/secret.ts'
import { usualLimits } from '../../testing/small-issuer.ts'
import { AcmeIssuer } from './acme.ts'

const base = 'https://acme.test'
const directory = { newNonce: `${base}/nonce`, newAccount: `${base}/account`, newOrder: `${base}/order` }
const key = new Secret(
  JSON.stringify(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })),
)
const account = { key, url: `${base}/account/1` }
const { signal } = new AbortController()

type Answers = Readonly<Record<string, () => Response>>
const json = (body: unknown, status = 200, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify(body), { status, headers: { 'replay-nonce': 'nonce', ...headers } })
const usual: Answers = {
  '/dir': () => json(directory),
  '/nonce': () => new Response(null, { headers: { 'replay-nonce': 'nonce' } }),
}

/** @returns the issuer, and the requests that it sent */
function serve(answers: Answers, more: Partial<ConstructorParameters<typeof AcmeIssuer>[0]> = {}) {
  const sent: { readonly path: string; readonly redirect: unknown; readonly body: unknown }[] = []
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    const path = url.slice(base.length)
    sent.push({ path, redirect: init.redirect, body: init.body })
    const answer = { ...usual, ...answers }[path]
    if (!answer) throw new TypeError(`nobody answers at ${url}`)
    return answer()
  })
  const options = { name: 'test', directory: `${base}/dir`, caa: [], limits: usualLimits, userAgent: 'test' }
  return { issuer: new AcmeIssuer({ ...options, ...more }), sent }
}

afterEach(() => vi.unstubAllGlobals())

const html = () =>
  new Response('<!doctype html><title>Maintenance</title>', { headers: { 'replay-nonce': 'n' } })
const order = { status: 'pending', authorizations: [`${base}/authz/1`], finalize: `${base}/finalize/1` }
const at = { location: `${base}/order/1` }

describe('ACME from a hostile server', () => {
  test.each<[string, Answers]>([
    ['a directory of HTML', { '/dir': html }],
    [
      'a directory with plain HTTP',
      { '/dir': () => json({ ...directory, newOrder: 'http://acme.test/order' }) },
    ],
    ['a directory with a file', { '/dir': () => json({ ...directory, newOrder: 'file:///etc/passwd' }) }],
    ['no nonce', { '/nonce': () => new Response(null) }],
    [
      'a nonce that would end the header',
      { '/nonce': () => new Response(null, { headers: { 'replay-nonce': 'a"b' } }) },
    ],
    ['an order of HTML', { '/order': html }],
    ['an order without a place', { '/order': () => json(order, 201) }],
    ['an order at another scheme', { '/order': () => json(order, 201, { location: 'http://acme.test/1' }) }],
    ['an unknown state', { '/order': () => json({ ...order, status: 'odd' }, 201, at) }],
    [
      'a thousand proofs',
      { '/order': () => json({ ...order, authorizations: Array(1_000).fill(at.location) }, 201, at) },
    ],
    ['an answer of a megabyte', { '/order': () => json({ ...order, more: 'x'.repeat(1_000_000) }, 201, at) }],
    ['a redirect', { '/order': () => Response.redirect(`${base}/order`, 307) }],
    [
      'nonces refused for ever',
      { '/order': () => json({ type: 'urn:ietf:params:acme:error:badNonce' }, 400) },
    ],
    ['an error of the server', { '/order': () => new Response('oops', { status: 503 }) }],
    [
      'nothing',
      {
        '/order': () => {
          throw new TypeError('reset')
        },
      },
    ],
  ])('%s: the issuer counts as down, after a few requests', async (_name, answers) => {
    const { issuer, sent } = serve(answers)
    await expect(issuer.order(account, { hosts: ['a.example.com'] }, signal)).rejects.toMatchObject({
      key: expect.stringMatching(/^certificate\.(issuer_down|refused)$/),
    })
    expect(sent.length).toBeLessThan(30)
    // A redirect is an error of fetch: nothing that we sign goes to another place.
    expect(new Set(sent.map(({ redirect }) => redirect))).toEqual(new Set(['error']))
  })

  test('its words are shown as one short line', async () => {
    const detail = `no\r\nX: 1\u001b[31m ${'long '.repeat(1_000)}`
    const { issuer } = serve({
      '/order': () => json({ type: 'urn:ietf:params:acme:error:rejectedIdentifier', detail }, 400),
    })
    const failure = await issuer.order(account, { hosts: ['a.example.com'] }, signal).then(
      () => undefined,
      (error: { readonly detail: string }) => error.detail,
    )
    expect(failure).toMatch(/^test: no X: 1 \[31m long /)
    expect(failure?.length).toBeLessThan(350)
  })

  test('after a failure its directory is read again', async () => {
    let place = `${base}/moved`
    const { issuer, sent } = serve({
      '/dir': () => json({ ...directory, newOrder: place }),
      '/order': () => json(order, 201, at),
      '/moved': () => json({}, 404),
    })
    await expect(issuer.order(account, { hosts: ['a.example.com'] }, signal)).rejects.toThrow()
    place = `${base}/order`
    expect(await issuer.order(account, { hosts: ['a.example.com'] }, signal)).toMatchObject({
      url: at.location,
    })
    expect(sent.filter(({ path }) => path === '/dir')).toHaveLength(2)
  })

  test('a window of renewal that ends before it begins is none', async () => {
    const [start, end] = ['2027-01-02T00:00:00Z', '2027-01-01T00:00:00Z']
    const { issuer } = serve({
      '/dir': () => json({ ...directory, renewalInfo: `${base}/ari` }),
      '/ari/id': () => json({ suggestedWindow: { start, end } }),
    })
    await expect(issuer.renewalWindow('id', signal)).rejects.toMatchObject({ key: 'certificate.issuer_down' })
  })
})

test('an account is bound to the one that the issuer gave a key for (RFC 8555, section 7.3.4)', async () => {
  const mac = randomBytes(32)
  const eab = { keyId: 'kid-1', key: new Secret(mac.toString('base64url')) }
  const accounts = { '/account': () => json({}, 201, { location: account.url }) }
  const { issuer, sent } = serve(accounts, { eab, email: 'ada@example.com' })
  expect(await issuer.account(key, signal)).toBe(account.url)
  const body = String(sent.find(({ path }) => path === '/account')?.body)
  const decode = (part: unknown) => JSON.parse(Buffer.from(String(part), 'base64url').toString())
  const { payload, protected: head } = JSON.parse(body)
  const { contact, externalAccountBinding: binding } = decode(payload)
  expect(contact).toEqual(['mailto:ada@example.com'])
  expect(decode(binding.protected)).toEqual({ alg: 'HS256', kid: 'kid-1', url: directory.newAccount })
  // The same key as that of the request, and nothing of its private part.
  expect(decode(binding.payload)).toEqual(decode(head).jwk)
  expect(decode(binding.payload)).not.toHaveProperty('d')
  const signed = createHmac('sha256', mac).update(`${binding.protected}.${binding.payload}`)
  expect(binding.signature).toBe(signed.digest('base64url'))
  expect(body).not.toContain(eab.key.reveal())
})
