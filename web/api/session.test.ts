import type { Tokens } from '@porttunneler/shared/api/schemas/accounts'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { describe, expect, test } from 'vitest'
import { ApiFailure, unreachable } from './failure.ts'
import { Session, type SessionOptions } from './session.ts'

/** What the tabs of one browser share: a storage and a lock. */
function makeBrowser() {
  const kept = new Map<string, string>()
  let last: Promise<unknown> = Promise.resolve()
  return {
    kept,
    storage: {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => void kept.set(key, value),
      removeItem: (key: string) => void kept.delete(key),
    },
    exclusively: <T>(task: () => Promise<T>): Promise<T> => {
      const turn = last.then(task)
      last = turn.catch(() => undefined)
      return turn
    },
  }
}

/** A server that spends each refresh token once and ends everything when one comes twice. */
function makeServer() {
  let live: string | undefined = 'ptr_0'
  const spent: string[] = []
  return {
    spent,
    end: () => {
      live = undefined
    },
    refresh: async ({ refreshToken }: { refreshToken: string }): Promise<Tokens> => {
      await Promise.resolve()
      if (refreshToken !== live) {
        live = undefined
        throw new ApiFailure({ title: 'Ended', status: 401, code: 'PT-1003' })
      }
      spent.push(refreshToken)
      live = `ptr_${spent.length}`
      return { accessToken: `access ${spent.length}`, expiresIn: 900, refreshToken: live }
    },
  }
}

function makeTab(
  browser: ReturnType<typeof makeBrowser>,
  refresh: SessionOptions['refresh'],
  clock = new FakeClock(),
) {
  return new Session({ storage: browser.storage, exclusively: browser.exclusively, clock, refresh })
}

function signedInBrowser() {
  const browser = makeBrowser()
  browser.kept.set('porttunneler.refresh', 'ptr_0')
  return browser
}

describe('session', () => {
  test('many calls at once refresh once', async () => {
    const server = makeServer()
    const session = makeTab(signedInBrowser(), server.refresh)
    const tokens = await Promise.all(Array.from({ length: 20 }, () => session.accessToken()))
    expect(new Set(tokens)).toEqual(new Set(['access 1']))
    expect(server.spent).toEqual(['ptr_0'])
  })

  test('says whose the access token is, and nobody for one that it cannot read or after the end', async () => {
    const payload = btoa(JSON.stringify({ sub: 'usr_ada' }))
      .replaceAll('+', '-')
      .replaceAll('/', '_')
    const tokenOf = (accessToken: string) => ({ accessToken, expiresIn: 900, refreshToken: 'ptr_1' })
    const session = makeTab(signedInBrowser(), async () => tokenOf(`h.${payload.replaceAll('=', '')}.s`))
    expect(session.person).toBeUndefined()
    await session.accessToken()
    expect(session.person).toBe('usr_ada')
    for (const token of ['', 'no token', 'h.%.s', `h.${btoa('null')}.s`, `h.${btoa('{"sub":1}')}.s`]) {
      session.accept(tokenOf(token))
      expect(session.person).toBeUndefined()
    }
    session.end()
    expect(session.person).toBeUndefined()
  })

  test('of many calls that learn of its end the first ends it and tells, and none ends one that began since', async () => {
    const session = makeTab(signedInBrowser(), makeServer().refresh)
    const token = await session.accessToken()
    let told = 0
    session.subscribe(() => {
      told += 1
    })
    for (let n = 0; n < 3; n++) session.endOf(token)
    expect([session.isSignedIn, told]).toEqual([false, 1])
    session.accept({ accessToken: 'another', expiresIn: 900, refreshToken: 'ptr_9' })
    session.endOf(token)
    expect(session.isSignedIn).toBe(true)
  })

  test('two tabs never spend the same refresh token', async () => {
    const server = makeServer()
    const browser = signedInBrowser()
    const tabs = [makeTab(browser, server.refresh), makeTab(browser, server.refresh)]
    await Promise.all(tabs.map((tab) => tab.accessToken()))
    expect(server.spent).toEqual(['ptr_0', 'ptr_1'])
    expect(tabs.every((tab) => tab.isSignedIn)).toBe(true)
  })

  test('an access token is renewed before it lapses, and at once after the API refused it', async () => {
    const server = makeServer()
    const clock = new FakeClock()
    const session = makeTab(signedInBrowser(), server.refresh, clock)
    expect(await session.accessToken()).toBe('access 1')
    clock.advance(870_000)
    expect(await session.accessToken()).toBe('access 1')
    clock.advance(15_000)
    expect(await session.accessToken()).toBe('access 2')
    session.refuse('access 1')
    expect(await session.accessToken()).toBe('access 2')
    session.refuse('access 2')
    expect(await session.accessToken()).toBe('access 3')
  })

  test('a refused refresh signs out, and tells', async () => {
    const server = makeServer()
    const browser = signedInBrowser()
    const session = makeTab(browser, server.refresh)
    let told = 0
    session.subscribe(() => {
      told += 1
    })
    server.end()
    await expect(session.accessToken()).rejects.toMatchObject({ status: 401 })
    expect(session.isSignedIn).toBe(false)
    expect(browser.kept.size).toBe(0)
    expect(told).toBe(1)
  })

  test('a server that is away signs nobody out', async () => {
    const browser = signedInBrowser()
    const session = makeTab(browser, () => Promise.reject(unreachable(new Error('no route'))))
    await expect(session.accessToken()).rejects.toMatchObject({ status: 0 })
    expect(session.isSignedIn).toBe(true)
  })

  test('a sign-out in one tab reaches the others, their access tokens too', async () => {
    const server = makeServer()
    const browser = signedInBrowser()
    const [one, other] = [makeTab(browser, server.refresh), makeTab(browser, server.refresh)]
    await Promise.all([one.accessToken(), other.accessToken()])
    one.end()
    other.onStorage('porttunneler.refresh')
    expect(other.isSignedIn).toBe(false)
    await expect(other.accessToken()).rejects.toMatchObject({ status: 401 })
  })
})
