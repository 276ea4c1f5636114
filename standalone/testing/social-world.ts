/** A local identity with real sign-in services, and browsers that use them. */
import { systemClock } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import { users } from '@porttunneler/shared/control/documents'
import { queries } from '@porttunneler/shared/control/query-table'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { makeLocalIdentity } from './local-identity.ts'
import { type SignInService, startSignInService } from './sign-in-service.ts'

export type SocialWorld = Awaited<ReturnType<typeof openSocialWorld>>

/** What is changed on the way back to the page. */
export type Browser = {
  readonly from?: string
  readonly changes?: (
    returned: Readonly<Record<string, string>>,
  ) => Readonly<Record<string, string | undefined>>
  /** The half of another tab. */
  readonly secret?: string
}

const redirectUriOf = (id: string) => `https://tunnel.example.com/sign-in/with/${id}`
export const password = 'correct horse battery'

export async function openSocialWorld({
  services: ids = ['work'],
  idTokenHasAddress = false,
  admits,
  aheadMs = 0,
  stepMs,
  hasTerms = false,
}: {
  readonly services?: readonly string[]
  readonly idTokenHasAddress?: boolean
  /** The only addresses that may make an account. Default: all. */
  readonly admits?: readonly string[]
  /** What our clock is ahead of the services' one. */
  readonly aheadMs?: number
  readonly stepMs?: number
  readonly hasTerms?: boolean
} = {}) {
  const opened = ids.map((id) =>
    startSignInService({ id, redirectUri: redirectUriOf(id), idTokenHasAddress }),
  )
  const services: readonly SignInService[] = await Promise.all(opened)
  const [service] = services
  if (!service) throw new Error('a world without a service')
  const setUp = makeLocalIdentity({
    clock: new FakeClock(systemClock.now() + aheadMs),
    providers: services.map(({ settings }) => settings),
    returnUrl: redirectUriOf,
    sendsNotices: true,
    hasTerms,
    ...(stepMs !== undefined && { stepMs }),
  })
  const { identity, store, mails, work } = setUp
  const serviceOf = (id: string) => services[ids.indexOf(id)] ?? service
  const admit = async (email: string) => {
    if (admits && !admits.includes(email)) throw fail('auth.closed')
  }
  /** From the button to the page that the service sends the browser back to. */
  const goThere = async (
    begun: { url: string; state: string; secret: string },
    id: string,
    { changes, secret }: Browser,
  ) => {
    const returned = await serviceOf(id).visit(begun.url)
    const { state = '', ...rest } = changes?.(returned) ?? returned
    return { ...rest, state, secret: secret ?? begun.secret }
  }
  const signIn = async (browser: Browser = {}, id = 'work') => {
    const caller = { from: browser.from ?? '192.0.2.1' }
    const returned = await goThere(await identity.social.begin(id, caller), id, browser)
    return identity.social.finish(id, returned, { caller, admit })
  }
  const tokenIn = (text = '') => /#(\S+)/.exec(text)?.[1] ?? ''
  return {
    ...setUp,
    service,
    services,
    admit,
    goThere,
    signIn,
    async link(token: string, id = 'work', browser: Browser = {}) {
      const returned = await goThere(await identity.social.beginLink(id, token), id, browser)
      await identity.social.finishLink(id, returned, { token, caller: { from: '192.0.2.1' } })
    },
    /** A person whose address a mail of ours has proven. */
    async register(email: string): Promise<string> {
      await identity.requestAccount(email, { from: '192.0.2.1' })
      await work()
      const token = tokenIn(mails.at(-1)?.text)
      const { tokens } = await identity.confirmAccount({ token, password }, { from: '192.0.2.1' })
      return (await identity.verify(tokens.accessToken)).subject.slice('local:'.length)
    },
    async resetPassword(email: string, more: { readonly endKeys?: boolean } = {}): Promise<void> {
      await identity.requestReset(email, { from: '192.0.2.1' })
      await work()
      // The letter about the change before may come after the one with the link.
      const letter = mails.findLast(({ text }) => text.includes('#'))
      await identity.confirmReset({ token: tokenIn(letter?.text), password, ...more })
    },
    disable: (user: string) => store.update(users.ref(user), { status: 'disabled' }),
    /** What the audit log has of it. */
    async audit(action: string): Promise<readonly unknown[]> {
      const { items } = await store.query(queries.auditByAction, {
        where: { account: '', action },
        limit: 10,
      })
      return items.map(({ data }) => JSON.parse(data.body ?? '{}') as unknown)
    },
    async close() {
      await Promise.all(services.map((one) => one.close()))
      await store.close()
    },
  }
}
