import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestApi, type TestApi } from '../../standalone/testing/api.ts'
import { isFailure } from '../base/errors.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { makeClient } from './client.ts'
import type { Fetch } from './client-call.ts'

/** A server that gives the answers of a list, and records its requests. */
function scripted(...answers: (() => Response | Promise<Response>)[]) {
  const asked: { url: string; init: Parameters<Fetch>[1] }[] = []
  const fetch: Fetch = async (url, init) => {
    asked.push({ url, init })
    const next = answers[asked.length - 1]
    if (!next) throw new TypeError('fetch failed')
    return next()
  }
  return { fetch, asked }
}

const problem = (code: string, status: number, more: object = {}) =>
  Response.json({ type: 'x', title: 'Title', status, code, detail: 'what happened', ...more }, { status })
const healthy = () => Response.json({ status: 'ok', version: '1.0.0', now: 1 })
const base = 'https://api.example.com/'

describe('client: against the API itself', () => {
  let t: TestApi
  beforeEach(async () => {
    t = await makeTestApi()
  })
  afterEach(() => t.close())

  const client = () =>
    makeClient({
      baseUrl: 'https://tunnel.example.com',
      token: () => t.ada,
      fetch: async (url, init) =>
        t.app.request(url, { ...init, headers: { ...init.headers, ...typeOf(init.body) } }),
    })
  const typeOf = (body: unknown): Record<string, string> =>
    body instanceof Blob ? { 'content-type': body.type } : {}

  test('sign-in, keys, tunnels, usage and pages are what the schemas say', async () => {
    const api = client()
    const { account, email } = await api.me()
    expect([account, email]).toEqual([t.owner.account, 'ada@example.com'])
    expect((await api.config()).identity).toBe('local')
    t.clock.advance(1)
    const made = await api.createKey({ name: 'ci', scopes: ['read'] })
    expect((await api.keys({ limit: 1 })).items[0]?.id).toBe(made.id)
    await api.revokeKey(made.id)
    const tunnel = await api.createTunnel({ name: 'web', kind: 'http' })
    const ifMatch = `"${tunnel.revision}"`
    await api.updateTunnel(tunnel.id, { name: 'other' }, { ifMatch })
    await expect(api.updateTunnel(tunnel.id, { name: 'third' }, { ifMatch })).rejects.toMatchObject({
      key: 'api.conflict',
    })
    expect((await api.watch({})).sources).toEqual([])
    expect((await api.usage({})).total.in).toBe(0)
    await api.deleteTunnel(tunnel.id)
    const login = await api.login({ email: 'ada@example.com', password: 'correct horse battery' })
    const again = await api.refresh({ refreshToken: login.refreshToken })
    await api.logout({ refreshToken: again.refreshToken })
    await api.renameAccount({ name: 'Lab' })
    expect((await api.account()).name).toBe('Lab')
    await api.closeAccount()
    await expect(api.me()).rejects.toMatchObject({ key: 'account.leaving' })
    await api.keepAccount()
    expect((await api.me()).accountName).toBe('Lab')
    expect(await api.exportAccount()).toMatchObject({ of: expect.any(String), complete: true })
  })
})

describe('client: when things go wrong', () => {
  test('a problem becomes the error of its code, with the fields that support and callers need', async () => {
    const { fetch } = scripted(() => problem('PT-2201', 403, { instance: 'r1', retryAfter: 7 }))
    const failure = await makeClient({ baseUrl: base, fetch })
      .me()
      .catch((error: unknown) => error)
    if (!isFailure(failure, 'quota.tunnels')) throw failure
    expect(failure.detail).toBe('what happened')
    expect(failure.fields).toMatchObject({ status: 403, requestId: 'r1', retryAfterMs: 7_000 })
  })

  test('a newer server’s code, a proxy’s page and an invalid answer are told apart from our own failures', async () => {
    for (const [answer, words] of [
      [() => problem('PT-9999', 400), 'PT-9999'],
      [() => new Response('<h1>Bad gateway</h1>', { status: 502 }), '502'],
      [() => Response.json({ status: 'fine' }), 'unknown shape'],
      [() => new Response('not json'), 'unknown shape'],
    ] as const) {
      const { fetch } = scripted(answer)
      const asked = makeClient({ baseUrl: base, fetch }).health()
      await expect(asked).rejects.toMatchObject({
        key: 'server.unexpected',
        detail: expect.stringContaining(words),
      })
    }
  })

  test('no answer means server.unreachable, and the client gives up on a silent server at the deadline', async () => {
    const { fetch } = scripted()
    await expect(makeClient({ baseUrl: base, fetch }).health()).rejects.toMatchObject({
      key: 'server.unreachable',
    })
    const silent: Fetch = (_url, { signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    const asked = makeClient({ baseUrl: base, fetch: silent, timeoutMs: 20 }).health()
    await expect(asked).rejects.toMatchObject({ detail: expect.stringContaining('in time') })
  })

  test('an aborted call rejects with the reason of its signal', async () => {
    const stop = new AbortController()
    const { fetch } = scripted(() => {
      stop.abort(new Error('enough'))
      throw new TypeError('aborted')
    })
    const asked = makeClient({ baseUrl: base, fetch }).health({ signal: stop.signal })
    await expect(asked).rejects.toThrow('enough')
  })

  test('a lost race is tried again, at most three times; other failures go to the caller', async () => {
    const clock = new FakeClock()
    const options = { baseUrl: base, clock, random: () => 0 }
    const race = () => problem('PT-0012', 412)
    const { fetch, asked } = scripted(race, race, healthy)
    const health = makeClient({ ...options, fetch }).health()
    await clock.advanceAsync(1_000)
    expect((await health).status).toBe('ok')
    expect(asked).toHaveLength(3)
    const busy = scripted(() => problem('PT-0013', 503), healthy)
    await expect(makeClient({ ...options, fetch: busy.fetch }).health()).rejects.toMatchObject({
      key: 'store.contention',
    })
    expect(busy.asked).toHaveLength(1)
  })

  test('a POST is repeated only with an Idempotency-Key', async () => {
    const clock = new FakeClock()
    const options = { baseUrl: base, clock, random: () => 0 }
    const race = () => problem('PT-0012', 412)
    const once = scripted(race, race)
    const json = { name: 'db', kind: 'tcp' } as const
    await expect(makeClient({ ...options, fetch: once.fetch }).createTunnel(json)).rejects.toThrow()
    expect(once.asked).toHaveLength(1)
    const keyed = scripted(race, race, race)
    const asked = makeClient({ ...options, fetch: keyed.fetch }).createTunnel(json, { idempotencyKey: 'k1' })
    const failed = expect(asked).rejects.toMatchObject({ key: 'store.changed' })
    await clock.advanceAsync(2_000)
    await failed
    expect(keyed.asked).toHaveLength(3)
    expect(keyed.asked.every(({ init }) => init.headers['idempotency-key'] === 'k1')).toBe(true)
  })

  test('the bearer is asked for before every call, ids cannot leave their place in the path', async () => {
    const tokens = ['one', 'two']
    const { fetch, asked } = scripted(healthy, () => problem('PT-0002', 404))
    const client = makeClient({ baseUrl: base, fetch, token: () => tokens.shift() })
    await client.health()
    await client.tunnel('../keys?x=1').catch(() => undefined)
    expect(asked.map(({ init }) => init.headers.authorization)).toEqual(['Bearer one', 'Bearer two'])
    expect(asked[1]?.url).toBe('https://api.example.com/v1/tunnels/..%2Fkeys%3Fx%3D1')
  })
})

test('client: it imports nothing that only Node has, so browsers can load it', () => {
  const seen = new Set<string>()
  const visit = (file: URL) => {
    if (seen.has(file.href)) return
    seen.add(file.href)
    const text = readFileSync(file, 'utf8')
    for (const [, specifier = ''] of text.matchAll(
      /^(?:import|export)(?! type)[^'\n;]*?(?:\n[^'\n]*)*? from '([^']+)'/gm,
    ))
      if (specifier.startsWith('.')) visit(new URL(specifier, file))
      else expect([file.pathname.split('/').at(-1), specifier]).toEqual([expect.anything(), 'zod'])
  }
  visit(new URL('./client.ts', import.meta.url))
  expect(seen.size).toBeGreaterThan(8)
})
