/** GitHub says who somebody is by its API, and proves only the primary address that it marks as verified. */
import { Secret } from '@porttunneler/shared/base/secret'
import { expectFailure } from '@porttunneler/shared/testing/store.contract'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startGitHub } from '../../testing/github.ts'
import { makeLocalIdentity } from '../../testing/local-identity.ts'
import type { ProviderSettings } from './settings.ts'

const returnUrl = () => 'https://tunnel.example.com/sign-in/with/github'
const at = { caller: { from: '192.0.2.1' }, admit: async () => {} }
const octocat = { id: 583_231, login: 'octocat' }

let github: Awaited<ReturnType<typeof startGitHub>>
beforeEach(async () => {
  github = await startGitHub(returnUrl())
})
afterEach(() => github.close())

function open(settings: ProviderSettings = github.settings) {
  const { identity, store } = makeLocalIdentity({ providers: [settings], returnUrl })
  const signIn = async (changes: Partial<{ code: string }> = {}) => {
    const { url, secret } = await identity.social.begin('github', at.caller)
    const { tokens } = await identity.social.finish(
      'github',
      { ...(await github.visit(url)), secret, ...changes },
      at,
    )
    return identity.verify(tokens.accessToken)
  }
  return { identity, store, signIn }
}

describe('sign-in with GitHub', () => {
  test('the number of the account is the person, whatever their name and address', async () => {
    const { signIn } = open()
    const first = await signIn()
    expect(first).toMatchObject({ email: 'ada@example.com', emailVerified: true })
    github.be({ ...octocat, login: 'renamed', emails: [] })
    expect((await signIn()).subject).toBe(first.subject)
    github.be({
      id: 1,
      login: 'octocat',
      emails: [{ email: 'x@example.com', primary: true, verified: true }],
    })
    expect((await signIn()).subject).not.toBe(first.subject)
  })

  test.each([
    ['not verified', [{ email: 'ada@example.com', primary: true, verified: false }], 'social.unverified'],
    [
      'verified, but not primary',
      [{ email: 'ada@example.com', primary: false, verified: true }],
      'auth.no_address',
    ],
    ['none', [], 'auth.no_address'],
  ] as const)('an address that is %s opens no account', async (_, emails, refusal) => {
    github.be({ ...octocat, emails })
    await expectFailure(open().signIn(), refusal)
  })

  test("somebody else's code is refused, although GitHub says so with status 200", async () => {
    const { identity, signIn } = open()
    const { url } = await identity.social.begin('github', at.caller)
    const { code } = await github.visit(url)
    await expectFailure(signIn({ code }), 'social.answer')
  })

  test('a wrong secret of the application is the operator’s to mend', async () => {
    await expectFailure(open({ ...github.settings, secret: new Secret('another') }).signIn(), 'social.answer')
  })

  test('a server that is away is not a refusal', async () => {
    const { identity } = open()
    const { url, secret } = await identity.social.begin('github', at.caller)
    const returned = { ...(await github.visit(url)), secret }
    await github.close()
    await expectFailure(identity.social.finish('github', returned, at), 'social.unreachable')
  })
})
