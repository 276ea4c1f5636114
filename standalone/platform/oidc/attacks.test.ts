/** What an attacker would try at a sign-in with another service, one row each. */
import { type ErrorKey, isFailure } from '@porttunneler/shared/base/errors'
import { hashSecret } from '@porttunneler/shared/base/ids'
import { expectFailure } from '@porttunneler/shared/testing/store.contract'
import { describe, expect, test } from 'vitest'
import { openSocialWorld, password, type SocialWorld } from '../../testing/social-world.ts'
import { attempts } from '../identity.local.documents.ts'

const caller = { from: '192.0.2.1' }
const at = { caller, admit: async () => {} }
const mallory = { sub: 'mallory', email: 'mallory@example.com', email_verified: true }

/** Begins as the victim does, and as the attacker does. */
async function beginTwice(w: SocialWorld) {
  const victim = await w.identity.social.begin('work', caller)
  w.service.be(mallory)
  const attacker = await w.identity.social.begin('work', { from: '203.0.113.66' })
  return { victim, attacker, returned: await w.service.visit(attacker.url) }
}

type Returned = { readonly state: string; readonly code?: string; readonly iss?: string }
const returnedOf = ({ state = '', code, iss }: Readonly<Record<string, string>>): Returned => ({
  state,
  ...(code !== undefined && { code }),
  ...(iss !== undefined && { iss }),
})

type Row = readonly [attack: string, refusal: ErrorKey, attempt: (w: SocialWorld) => Promise<unknown>]

const rows: readonly Row[] = [
  [
    "CSRF at the callback: the victim's tab opens a link with the attacker's code and state",
    'social.attempt',
    async (w) => {
      const { victim, returned } = await beginTwice(w)
      return w.identity.social.finish('work', { ...returnedOf(returned), secret: victim.secret }, at)
    },
  ],
  [
    "session fixation: the attacker's code with the victim's own state",
    'social.refused',
    async (w) => {
      const { victim, returned } = await beginTwice(w)
      const { state, secret } = victim
      return w.identity.social.finish('work', { ...returnedOf(returned), state, secret }, at)
    },
  ],
  [
    'a stolen code and state, without the half of the tab',
    'social.attempt',
    async (w) => {
      const { url } = await w.identity.social.begin('work', caller)
      const stolen = await w.service.visit(url)
      return w.identity.social.finish('work', { ...returnedOf(stolen), secret: 'ptq_guessed' }, at)
    },
  ],
  [
    'a code that is shown twice',
    'social.attempt',
    async (w) => {
      const begun = await w.identity.social.begin('work', caller)
      const returned = { ...returnedOf(await w.service.visit(begun.url)), secret: begun.secret }
      await w.identity.social.finish('work', returned, at)
      return w.identity.social.finish('work', returned, at)
    },
  ],
  [
    'a code that is shown twice, with a sign-in of its own',
    'social.refused',
    async (w) => {
      const begun = await w.identity.social.begin('work', caller)
      const { code = '', iss = '' } = await w.service.visit(begun.url)
      const { state, secret } = begun
      await w.identity.social.finish('work', { state, secret, code, iss }, at)
      const { url: _, ...next } = await w.identity.social.begin('work', caller)
      return w.identity.social.finish('work', { ...next, code, iss }, at)
    },
  ],
  [
    'one answer that two tabs finish at once',
    'social.attempt',
    async (w) => {
      const begun = await w.identity.social.begin('work', caller)
      const returned = { ...returnedOf(await w.service.visit(begun.url)), secret: begun.secret }
      const both = [0, 1].map(() => w.identity.social.finish('work', returned, at))
      const ends = await Promise.allSettled(both)
      expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      const refused = ends.find((end) => end.status === 'rejected')
      throw refused?.reason
    },
  ],
  [
    'mixed-up issuers: what one service returned, finished at another',
    'social.attempt',
    async (w) => {
      const begun = await w.identity.social.begin('evil', caller)
      const { code = '' } = (await w.services[1]?.visit(begun.url)) ?? {}
      const { state, secret } = begun
      return w.identity.social.finish('work', { state, secret, code }, at)
    },
  ],
  [
    'mixed-up issuers: the answer names another one',
    'social.answer',
    (w) => w.signIn({ changes: (returned) => ({ ...returned, iss: w.services[1]?.issuer }) }),
  ],
  [
    'an answer without the issuer that the service says it sends',
    'social.answer',
    (w) => w.signIn({ changes: ({ iss: _, ...returned }) => returned }),
  ],
  [
    'a sign-in is finished as a link, which would bind the attacker’s account to the victim',
    'social.attempt',
    async (w) => {
      await w.register('victim@example.com')
      const { tokens } = await w.identity.login({ email: 'victim@example.com', password }, caller)
      w.service.be(mallory)
      const begun = await w.identity.social.begin('work', caller)
      const returned = { ...returnedOf(await w.service.visit(begun.url)), secret: begun.secret }
      return w.identity.social.finishLink('work', returned, { token: tokens.accessToken, caller })
    },
  ],
  [
    'a link that one person began is finished by another',
    'social.attempt',
    async (w) => {
      for (const email of ['a@example.com', 'b@example.com']) await w.register(email)
      const a = await w.identity.login({ email: 'a@example.com', password }, caller)
      const b = await w.identity.login({ email: 'b@example.com', password }, caller)
      const begun = await w.identity.social.beginLink('work', a.tokens.accessToken)
      const returned = { ...returnedOf(await w.service.visit(begun.url)), secret: begun.secret }
      return w.identity.social.finishLink('work', returned, { token: b.tokens.accessToken, caller })
    },
  ],
  [
    'a link is finished as a sign-in',
    'social.attempt',
    async (w) => {
      await w.register('a@example.com')
      const a = await w.identity.login({ email: 'a@example.com', password }, caller)
      const begun = await w.identity.social.beginLink('work', a.tokens.accessToken)
      const returned = { ...returnedOf(await w.service.visit(begun.url)), secret: begun.secret }
      return w.identity.social.finish('work', returned, at)
    },
  ],
  [
    'a link is finished after the person signed out everywhere',
    'auth.invalid',
    async (w) => {
      await w.register('a@example.com')
      const { tokens } = await w.identity.login({ email: 'a@example.com', password }, caller)
      const token = tokens.accessToken
      const begun = await w.identity.social.beginLink('work', token)
      const returned = { ...returnedOf(await w.service.visit(begun.url)), secret: begun.secret }
      await w.identity.logout({ bearer: token, everywhere: true })
      return w.identity.social.finishLink('work', returned, { token, caller })
    },
  ],
  [
    "somebody else's linked sign-in is removed",
    'api.not_found',
    async (w) => {
      const { tokens } = await w.signIn()
      const [theirs] = (await w.identity.social.links(tokens.accessToken)).items
      await w.register('b@example.com')
      const b = await w.identity.login({ email: 'b@example.com', password }, caller)
      return w.identity.social.unlink(theirs?.id ?? '', { token: b.tokens.accessToken, caller })
    },
  ],
  [
    'an attempt is finished after ten minutes',
    'social.attempt',
    async (w) => {
      const begun = await w.identity.social.begin('work', caller)
      const returned = { ...returnedOf(await w.service.visit(begun.url)), secret: begun.secret }
      w.clock.advance(10 * 60_000)
      return w.identity.social.finish('work', returned, at)
    },
  ],
  [
    "the victim's address, which the service has not proven",
    'social.unverified',
    async (w) => {
      await w.register('victim@example.com')
      w.service.be({ ...mallory, email: 'victim@example.com', email_verified: false })
      return w.signIn()
    },
  ],
  [
    "the victim's address, with a proof that is no yes",
    'social.unverified',
    async (w) => {
      await w.register('victim@example.com')
      w.service.be({ ...mallory, email: 'victim@example.com', email_verified: 'yes, believe me' })
      return w.signIn()
    },
  ],
  [
    'no address at all',
    'auth.no_address',
    async (w) => {
      w.service.be({ sub: 'mallory' })
      return w.signIn()
    },
  ],
  [
    'an address that is markup',
    'auth.no_address',
    async (w) => {
      w.service.be({ ...mallory, email: '"<script>"@example.com\r\nBcc: all@example.com' })
      return w.signIn()
    },
  ],
  ['a service that nobody has set up', 'social.unknown', (w) => w.identity.social.begin('google', caller)],
  [
    'a service named like a property of every object',
    'social.unknown',
    (w) => w.identity.social.begin('__proto__', caller),
  ],
  [
    'sixty attempts from one network that are begun and never finished',
    'auth.locked',
    async (w) => {
      for (let n = 0; n <= 60; n++) await w.identity.social.begin('work', { from: '203.0.113.66' })
      // Another network is not held up.
      await w.identity.social.begin('work', caller)
      return w.identity.social.begin('work', { from: '203.0.113.66' })
    },
  ],
]

describe('attacks on sign-in with a service', () => {
  test.each(rows)('%s: %s', async (_, refusal, attempt) => {
    const w = await openSocialWorld({ services: ['work', 'evil'] })
    try {
      await expectFailure(attempt(w), refusal)
    } finally {
      await w.close()
    }
  })

  test('an attempt that somebody else tries to finish is still there for its own tab', async () => {
    const w = await openSocialWorld()
    try {
      const begun = await w.identity.social.begin('work', caller)
      const returned = returnedOf(await w.service.visit(begun.url))
      await expectFailure(
        w.identity.social.finish('work', { ...returned, secret: 'ptq_x' }, at),
        'social.attempt',
      )
      await w.identity.social.finish('work', { ...returned, secret: begun.secret }, at)
    } finally {
      await w.close()
    }
  })

  test('who finishes what they begin is never held up', async () => {
    const w = await openSocialWorld()
    try {
      for (let n = 0; n < 65; n++) await w.signIn()
    } finally {
      await w.close()
    }
  })

  test('neither the store nor the address that a browser is sent to could finish a sign-in', async () => {
    const w = await openSocialWorld()
    try {
      const { url, state, secret } = await w.identity.social.begin('work', caller)
      const kept = (await w.store.get(attempts.ref(hashSecret(state))))?.data
      expect(Object.keys(kept ?? {}).toSorted()).toEqual(['half', 'provider', 'ttl', 'user'])
      for (const text of [JSON.stringify(kept), url]) expect(text).not.toContain(secret)
      expect(JSON.stringify(kept)).not.toContain(state)
      const asked = new URL(url).searchParams
      expect(asked.get('code_challenge_method')).toBe('S256')
      for (const name of ['code_challenge', 'nonce', 'state'])
        expect(asked.get(name)?.length).toBeGreaterThan(40)
      expect(asked.get('nonce')).not.toBe(asked.get('code_challenge'))
    } finally {
      await w.close()
    }
  })

  test('an error in a link is quoted only if it is one of the standard', async () => {
    const w = await openSocialWorld()
    try {
      for (const [error, said] of [
        ['access_denied', 'access_denied'],
        ['Call +1 555 0100 <now>', 'unknown'],
      ]) {
        const { url: _, ...halves } = await w.identity.social.begin('work', caller)
        const returned = { ...halves, error, iss: w.service.issuer }
        const refused = await w.identity.social
          .finish('work', returned, at)
          .catch((reason: unknown) => reason)
        expect(isFailure(refused, 'social.refused') && refused.detail).toBe(`Work gave the reason "${said}".`)
      }
    } finally {
      await w.close()
    }
  })
})
