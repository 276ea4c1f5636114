import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Context } from '../context.ts'
import { currentServer, readCredential } from '../credentials.ts'
import { createKey } from './keys.ts'
import { login } from './login.ts'
import { logout } from './logout.ts'

const key = (letter: string) => `pts_${letter.repeat(43)}`
const id = (prefix: string) => `${prefix}_${'0'.repeat(26)}`

/** Answers of the token endpoint, in turn; the last one repeats. */
type Poll = 'authorization_pending' | 'slow_down' | 'access_denied' | 'expired_token' | 'granted' | 'hang up'

let server: Server
let polls: Poll[]
let polledAt: number[]
let revoked: string[]
let granted: number
let context: Context
let clock: FakeClock
/** The life of the key that the server returns; an older server returns none. */
let keySeconds: number | undefined
/** From when on the person needs terms that they have not accepted. */
let termsDue: number | undefined
let written: string[]

beforeEach(async () => {
  polls = ['granted']
  polledAt = []
  revoked = []
  granted = 0
  keySeconds = undefined
  termsDue = undefined
  written = []
  clock = new FakeClock()
  server = createServer((request, response) => {
    request.resume()
    const answer = answerOf(`${request.method} ${request.url}`, request.headers.authorization)
    if (!answer) return response.destroy()
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const output = { write: (text: string) => written.push(text) }
  context = {
    env: { XDG_CONFIG_HOME: await mkdtemp(join(tmpdir(), 'ptun-')) },
    stdout: output,
    stderr: output,
    clock,
    random: () => 0,
    server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    isJson: false,
    isVerbose: false,
  }
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await rm(context.env.XDG_CONFIG_HOME ?? '', { recursive: true, force: true })
})

function answerOf(call: string, bearer = ''): { status: number; body?: unknown } | undefined {
  if (call === 'POST /v1/device/authorize') return { status: 200, body: authorization }
  if (call === 'POST /v1/device/token') return pollAnswer()
  if (call === 'GET /v1/me')
    return { status: 200, body: { ...me, ...(termsDue !== undefined && { termsDue }) } }
  if (call.startsWith('DELETE /v1/keys/')) {
    revoked.push(`${call.slice(16)} by ${bearer.slice(7)}`)
    return { status: 204 }
  }
  return { status: 404, body: {} }
}

const authorization = {
  device_code: 'device',
  user_code: 'ABCD-EFGH',
  verification_uri: 'http://console.test/device',
  verification_uri_complete: 'http://console.test/device?code=ABCD-EFGH',
  expires_in: 900,
  interval: 5,
}

const me = {
  account: id('acc'),
  accountName: 'Test account',
  role: 'owner',
  scopes: ['read', 'tunnels'],
  plan: 'free',
  limits: {
    tunnelsOnline: 3,
    reservedHosts: 1,
    reservedPorts: 0,
    transferBytesMonth: 1,
    connectionsPerMinute: 1,
  },
}

function pollAnswer(): { status: number; body?: unknown } | undefined {
  polledAt.push(clock.monotonic())
  const next = polls.length > 1 ? polls.shift() : polls[0]
  if (next === 'hang up') return undefined
  if (next !== 'granted') return { status: 400, body: { error: next } }
  granted += 1
  const body = { token_type: 'Bearer', scope: 'read tunnels', access_token: key('ab'[granted - 1] ?? 'c') }
  const end = keySeconds === undefined ? {} : { expires_in: keySeconds }
  return { status: 200, body: { ...body, ...end, key_id: id('key').replace(/.$/, String(granted)) } }
}

/** Signs in, and moves the clock whenever something waits for it. */
function signIn(): Promise<number> {
  return passing(login(context, { browser: true }))
}

async function passing<T>(running: Promise<T>): Promise<T> {
  let isOver = false
  const done = running.finally(() => {
    isOver = true
  })
  done.catch(() => {})
  while (!isOver) {
    await new Promise((resolve) => setImmediate(resolve))
    if (clock.pending > 0) clock.advance(1_000)
  }
  return done
}

test.each([
  [0, 'Nothing can be changed before you have accepted the terms of this service: http'],
  [Date.parse('2126-12-16'), 'Accept the terms of this service by 2126-12-'],
  [undefined, ''],
])('login: says that terms wait, and until when: %s', async (due, said) => {
  termsDue = due
  expect(await signIn()).toBe(0)
  const text = written.join('')
  if (said) expect(text).toContain(said)
  else expect(text).not.toContain('terms')
})

describe('keys create', () => {
  test('says until when the key works, and where keys without an end are made', async () => {
    keySeconds = 180 * 86_400
    const errors: string[] = []
    const stderr = { write: (text: string) => void errors.push(text) }
    await passing(createKey({ ...context, stderr }, 'ci', { scope: ['tunnels'], browser: false }))
    expect(errors.join('')).toMatch(/\(read, tunnels until \d{4}-\d\d-\d\d/)
    expect(errors.join('')).toContain('Keys without an end are made in the console')
    expect(written.join('')).toBe(`${key('a')}\n`)
  })

  test('waits for the approval like a login, and prints only the secret on standard output', async () => {
    const errors: string[] = []
    const stderr = { write: (text: string) => void errors.push(text) }
    await passing(createKey({ ...context, stderr }, 'ci', { scope: ['tunnels'], browser: false }))
    expect(written.join('')).toBe(`${key('a')}\n`)
    expect(errors.join('')).toContain('ABCD-EFGH')
    const { server = '', env } = context
    await expect(readCredential(env, server)).rejects.toMatchObject({ key: 'login.missing' })
  })
})

describe('login', () => {
  test('shows address and code, stores the key and makes the server the current one', async () => {
    expect(await signIn()).toBe(0)
    expect(written.join('')).toContain('http://console.test/device')
    expect(written.join('')).toContain('ABCD-EFGH')
    expect(written.join('')).not.toContain(key('a'))
    const { server: address = '', env } = context
    expect((await readCredential(env, address)).key.reveal()).toBe(key('a'))
    expect(await currentServer(env)).toBe(address)
  })

  test('says when the key ends, how to get a new one, and what was not ticked', async () => {
    keySeconds = 180 * 86_400
    await passing(login(context, { browser: false, admin: true }))
    const end = new Date(clock.now() + keySeconds * 1_000).toISOString().slice(0, 10)
    expect(written.join('')).toMatch(
      new RegExp(`The key of this device ends on ${end}.*; ptun login makes a new one`),
    )
    expect(written.join('')).toContain('was not ticked at the approval')
  })

  test('polls at the interval, and slower when told to', async () => {
    polls = ['authorization_pending', 'slow_down', 'authorization_pending', 'granted']
    await signIn()
    const gaps = polledAt.map((at, index) => at - (polledAt[index - 1] ?? 0))
    expect(gaps).toEqual([5_000, 5_000, 10_000, 10_000])
  })

  test('a server that does not answer for a while is asked less often and does not end it', async () => {
    polls = ['hang up', 'hang up', 'granted']
    expect(await signIn()).toBe(0)
    expect(polledAt).toEqual([5_000, 15_000, 35_000])
  })

  test.each([
    ['access_denied', 'login.denied'],
    ['expired_token', 'login.expired'],
  ] as const)('%s ends it with its code and stores nothing', async (poll, failure) => {
    polls = [poll]
    await expect(signIn()).rejects.toMatchObject({ key: failure })
    await expect(readCredential(context.env, context.server ?? '')).rejects.toMatchObject({
      key: 'login.missing',
    })
  })

  test('nobody approving ends it when the code expires', async () => {
    polls = ['authorization_pending']
    await expect(signIn()).rejects.toMatchObject({ key: 'login.expired' })
    expect(clock.monotonic()).toBeLessThan(910_000)
  })

  test('signing in again revokes the former key, signing out the present one', async () => {
    await signIn()
    await signIn()
    const keyId = (last: number) => id('key').replace(/.$/, String(last))
    expect(revoked).toEqual([`${keyId(1)} by ${key('a')}`])
    expect(await logout(context)).toBe(0)
    expect(revoked[1]).toBe(`${keyId(2)} by ${key('b')}`)
    await expect(readCredential(context.env, context.server ?? '')).rejects.toMatchObject({
      key: 'login.missing',
    })
  })
})
