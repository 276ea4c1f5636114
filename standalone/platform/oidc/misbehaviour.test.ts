/** What a sign-in service does wrong, by a fault, by age or on purpose, and what it costs. */
import type { ServerResponse } from 'node:http'
import { systemClock } from '@porttunneler/shared/base/clock'
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import { expectFailure } from '@porttunneler/shared/testing/store.contract'
import { SignJWT } from 'jose'
import { afterEach, describe, expect, test } from 'vitest'
import type { Misbehaviour } from '../../testing/sign-in-service.ts'
import { openSocialWorld, type SocialWorld } from '../../testing/social-world.ts'

let w: SocialWorld | undefined
const open = async (options: Parameters<typeof openSocialWorld>[0] = {}) => {
  w = await openSocialWorld({ idTokenHasAddress: true, ...options })
  return w
}
afterEach(async () => {
  await w?.close()
  w = undefined
})

const answerJson = (answer: ServerResponse, json: unknown, status = 200) => {
  answer.writeHead(status, { 'content-type': 'application/json' })
  answer.end(JSON.stringify(json))
}
const described = '/.well-known/openid-configuration'

/** Answers requests for one path in place of the service. */
function instead(path: string, work: (answer: ServerResponse) => void): Misbehaviour {
  return ({ url = '' }, answer) => {
    if (!url.startsWith(path)) return false
    work(answer)
    return true
  }
}

type Row = readonly [what: string, refusal: ErrorKey, misbehaviour: Misbehaviour]
const rows: readonly Row[] = [
  ['it is out of order', 'social.unreachable', instead('/token', (answer) => answerJson(answer, {}, 503))],
  ['it asks for patience', 'social.unreachable', instead('/token', (answer) => answerJson(answer, {}, 429))],
  ['it hangs up', 'social.unreachable', instead('/token', (answer) => answer.destroy())],
  [
    'its keys are not to be had',
    'social.unreachable',
    instead('/jwks', (answer) => answerJson(answer, {}, 500)),
  ],
  [
    'an answer without an end',
    'social.unreachable',
    instead('/token', (answer) => {
      answer.writeHead(200, { 'content-type': 'application/json' })
      const more = () => {
        while (answer.writable && answer.write('x'.repeat(16_384)));
      }
      answer.on('drain', more)
      more()
    }),
  ],
  [
    'it sends the server elsewhere',
    'social.answer',
    instead('/token', (answer) => answer.writeHead(307, { location: 'http://127.0.0.1:1/token' }).end()),
  ],
  [
    'an answer that is no JSON',
    'social.answer',
    instead('/token', (answer) => answer.writeHead(200).end('<html>')),
  ],
  [
    'an answer without an ID token',
    'social.answer',
    instead('/token', (answer) => answerJson(answer, { access_token: 'x', token_type: 'bearer' })),
  ],
  [
    'it refuses the client',
    'social.refused',
    instead('/token', (answer) => answerJson(answer, { error: 'invalid_client' }, 401)),
  ],
  ['it has no keys', 'social.answer', instead('/jwks', (answer) => answerJson(answer, { keys: [] }))],
]

describe('a sign-in service that misbehaves', () => {
  test.each(rows)('%s: %s, and the next sign-in works', async (_, refusal, misbehaviour) => {
    const { service, signIn } = await open()
    // It has described itself already.
    await signIn()
    service.misbehave(misbehaviour)
    await expectFailure(signIn(), refusal)
    service.misbehave(undefined)
    await signIn()
  })

  const descriptions: readonly (readonly [what: string, refusal: ErrorKey, change: object | undefined])[] = [
    ['another issuer than the settings', 'social.answer', { issuer: 'https://evil.example.com' }],
    [
      'a script as its address',
      'social.answer',
      { authorization_endpoint: 'javascript:alert(document.domain)' },
    ],
    ['an address in the clear', 'social.answer', { authorization_endpoint: 'http://login.example.com/auth' }],
    ['no address', 'social.answer', { authorization_endpoint: undefined }],
    ['nothing', 'social.unreachable', undefined],
  ]
  test.each(descriptions)('it describes itself with %s: %s', async (_, refusal, change) => {
    const { service, identity, signIn } = await open()
    const { issuer } = service
    const description = {
      issuer,
      authorization_endpoint: `${issuer}/auth`,
      token_endpoint: `${issuer}/token`,
      ...change,
    }
    service.misbehave(
      instead(described, (answer) =>
        change ? answerJson(answer, description) : answerJson(answer, {}, 502),
      ),
    )
    await expectFailure(identity.social.begin('work', { from: '' }), refusal)
    service.misbehave(undefined)
    if (change === undefined) await signIn()
  })

  /** Claims of a token that is right in everything. */
  const claimsFor = ({ service }: SocialWorld, nonce: string) => {
    const now = Math.floor(systemClock.now() / 1_000)
    const somebody = { sub: 'ada', email: 'ada@example.com', email_verified: true }
    return { iss: service.issuer, aud: service.clientId, iat: now, exp: now + 600, nonce, ...somebody }
  }
  const tokens: readonly (readonly [what: string, refusal: ErrorKey | undefined, change: object])[] = [
    ['everything right', undefined, {}],
    ['another issuer', 'social.answer', { iss: 'https://evil.example.com' }],
    ['another client', 'social.answer', { aud: 'somebody-else' }],
    ['the nonce of another sign-in', 'social.answer', { nonce: 'of-another' }],
    ['no nonce', 'social.answer', { nonce: undefined }],
    ['an end that has passed', 'social.answer', { exp: 1_700_000_000 }],
    ['no subject', 'social.answer', { sub: undefined }],
    ['a subject of 300 characters', 'social.answer', { sub: 'x'.repeat(300) }],
  ]
  test.each(tokens)('a token with %s: %s', async (_, refusal, change) => {
    const world = await open()
    const begun = await world.identity.social.begin('work', { from: '' })
    const nonce = new URL(begun.url).searchParams.get('nonce') ?? ''
    const idToken = await world.service.sign({ ...claimsFor(world, nonce), ...change })
    world.service.misbehave(
      instead('/token', (answer) =>
        answerJson(answer, { access_token: 'x', token_type: 'bearer', expires_in: 60, id_token: idToken }),
      ),
    )
    const returned = await world.goThere(begun, 'work', {})
    const finished = world.identity.social.finish('work', returned, {
      caller: { from: '' },
      admit: world.admit,
    })
    if (refusal) await expectFailure(finished, refusal)
    else expect((await finished).tokens.accessToken).toBeTruthy()
  })

  test('a token that somebody else has signed', async () => {
    const world = await open()
    const begun = await world.identity.social.begin('work', { from: '' })
    const nonce = new URL(begun.url).searchParams.get('nonce') ?? ''
    const forge = async (alg: 'HS256' | 'none') => {
      const header = Buffer.from(JSON.stringify({ alg, typ: 'JWT' })).toString('base64url')
      const body = Buffer.from(JSON.stringify(claimsFor(world, nonce))).toString('base64url')
      if (alg === 'none') return `${header}.${body}.`
      const secret = new TextEncoder().encode('a secret of the client, long enough for HMAC')
      return new SignJWT(claimsFor(world, nonce)).setProtectedHeader({ alg }).sign(secret)
    }
    const right = await world.service.sign(claimsFor(world, nonce))
    const tampered = `${right.slice(0, -6)}AAAAAA`
    for (const idToken of [await forge('none'), await forge('HS256'), tampered]) {
      const { url: _, ...halves } = await world.identity.social.begin('work', { from: '' })
      const token = { access_token: 'x', token_type: 'bearer', id_token: idToken }
      world.service.misbehave(instead('/token', (answer) => answerJson(answer, token)))
      const returned = { ...halves, code: 'x', iss: world.service.issuer }
      const finished = world.identity.social.finish('work', returned, {
        caller: { from: '' },
        admit: world.admit,
      })
      await expectFailure(finished, 'social.answer')
    }
  })

  test('a key that changed a moment ago is known, and the one before no longer counts', async () => {
    const { service, signIn } = await open()
    await signIn()
    await service.rotateKeys()
    await signIn()
  })

  test('clocks may differ by a minute, and by the life of a token if ours is behind', async () => {
    for (const aheadMs of [-3_600_000, -50_000, 50_000, 600_000]) {
      const { signIn } = await open({ aheadMs })
      await signIn()
      await w?.close()
    }
    // Its token of just now lives for ten minutes: by our clock it has ended.
    const { signIn } = await open({ aheadMs: 12 * 60_000 })
    await expectFailure(signIn(), 'social.answer')
  })

  test('a service that hangs ends with the step, and holds up no other', async () => {
    const {
      service,
      services: [, home],
      signIn,
      identity,
    } = await open({ services: ['work', 'home'], stepMs: 1_000 })
    await signIn()
    home?.be({ sub: 'bob', email: 'bob@example.com', email_verified: true })
    service.misbehave(({ url = '' }) => url.startsWith('/token'))
    const hanging = expectFailure(signIn(), 'social.unreachable')
    expect((await signIn({}, 'home')).tokens.accessToken).toBeTruthy()
    expect((await identity.social.begin('work', { from: '' })).url).toContain(service.issuer)
    await hanging
  })
})
