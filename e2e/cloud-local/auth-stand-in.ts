/**
 * Replaces Firebase Auth where its emulator is not installed (it is 300 MB): people with a password, with the parts
 * that the console, firebase-admin and tests use. Tokens are unsigned, like the emulator's, and only a project for
 * emulators accepts them. There is no mail: an address counts as confirmed as soon as a mail would be sent to it.
 */
import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from '@porttunneler/shared/base/clock'
import { readText } from '@porttunneler/shared/base/read-text'
import { z } from 'zod'

type User = {
  readonly localId: string
  readonly email: string
  readonly password: string
  emailVerified: boolean
  disabled: boolean
  /** Seconds, as text, which is the API's own form. */
  validSince: string
  /** Seconds. */
  readonly createdAt: number
}
type Session = { readonly user: User; readonly authTime: number }

const bodySchema = z.looseObject({
  email: z.email().optional(),
  password: z.string().optional(),
  idToken: z.string().optional(),
  localId: z.union([z.string(), z.array(z.string())]).optional(),
  emailVerified: z.boolean().optional(),
  disableUser: z.boolean().optional(),
  validSince: z.coerce.string().optional(),
})
type Body = z.infer<typeof bodySchema>
const tokenSchema = z.object({ sub: z.string() })

const bodyBytesMax = 64 * 1024
const tokenSeconds = 3_600

/** A refusal with Firebase's own error word. */
class Refusal extends Error {}

class Accounts {
  readonly #project: string
  readonly #clock: Clock
  readonly #users = new Map<string, User>()
  readonly #sessions = new Map<string, Session>()

  constructor(project: string, clock: Clock) {
    this.#project = project
    this.#clock = clock
  }

  /** @param method the part after `accounts:`; @param isAdmin true for a server, false for a browser */
  call(method: string, body: Body, isAdmin: boolean): object {
    if (method === 'signUp') return this.#signUp(body)
    if (method === 'signInWithPassword') return this.#signIn(this.#proven(body))
    if (method === 'lookup') return { users: this.#asked(body, isAdmin).map(publicOf) }
    if (method === 'update' && isAdmin) return this.#update(body)
    if (method === 'sendOobCode') return this.#confirm(body)
    throw new Refusal('OPERATION_NOT_ALLOWED')
  }

  refresh(refreshToken: string): object {
    const session = this.#sessions.get(refreshToken)
    if (!session || session.user.disabled || session.authTime < Number(session.user.validSince))
      throw new Refusal('INVALID_REFRESH_TOKEN')
    return {
      id_token: this.#tokenOf(session),
      refresh_token: refreshToken,
      expires_in: `${tokenSeconds}`,
      user_id: session.user.localId,
    }
  }

  #signUp({ email, password }: Body): object {
    if (!email || !password || password.length < 6) throw new Refusal('WEAK_PASSWORD')
    if (this.#find(email)) throw new Refusal('EMAIL_EXISTS')
    const user: User = {
      localId: randomBytes(21).toString('base64url'),
      email,
      password,
      emailVerified: false,
      disabled: false,
      validSince: '0',
      createdAt: this.#seconds(),
    }
    this.#users.set(user.localId, user)
    return this.#signIn(user)
  }

  #proven({ email = '', password }: Body): User {
    const user = this.#find(email)
    if (!user || user.password !== password) throw new Refusal('INVALID_LOGIN_CREDENTIALS')
    if (user.disabled) throw new Refusal('USER_DISABLED')
    return user
  }

  #signIn(user: User): object {
    const refreshToken = randomBytes(32).toString('base64url')
    const session = { user, authTime: this.#seconds() }
    this.#sessions.set(refreshToken, session)
    const { localId, email } = user
    return { localId, email, idToken: this.#tokenOf(session), refreshToken, expiresIn: `${tokenSeconds}` }
  }

  #asked({ idToken, localId }: Body, isAdmin: boolean): readonly User[] {
    const ids = isAdmin ? [localId ?? []].flat() : [subjectOf(idToken)]
    return ids.flatMap((id) => this.#users.get(id) ?? [])
  }

  #update({ localId, emailVerified, disableUser, validSince }: Body): object {
    const user = this.#users.get(`${localId}`)
    if (!user) throw new Refusal('USER_NOT_FOUND')
    user.emailVerified = emailVerified ?? user.emailVerified
    user.disabled = disableUser ?? user.disabled
    user.validSince = validSince ?? user.validSince
    return publicOf(user)
  }

  #confirm({ idToken, email = '' }: Body): object {
    const user = idToken === undefined ? this.#find(email) : this.#users.get(subjectOf(idToken))
    if (user && idToken !== undefined) user.emailVerified = true
    return { email: user?.email ?? email }
  }

  #find(email: string): User | undefined {
    return [...this.#users.values()].find((user) => user.email === email)
  }

  #tokenOf({ user, authTime }: Session): string {
    const { localId, email, emailVerified } = user
    const now = this.#seconds()
    const claims = {
      iss: `https://securetoken.google.com/${this.#project}`,
      aud: this.#project,
      auth_time: authTime,
      user_id: localId,
      sub: localId,
      iat: now,
      exp: now + tokenSeconds,
      email,
      email_verified: emailVerified,
      firebase: { identities: { email: [email] }, sign_in_provider: 'password' },
    }
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    return `${encode({ alg: 'none', typ: 'JWT' })}.${encode(claims)}.`
  }

  #seconds(): number {
    return Math.floor(this.#clock.now() / 1_000)
  }
}

export type AuthStandIn = { readonly host: string; close(): Promise<void> }

/** Starts it on a free port of 127.0.0.1. */
export async function startAuthStandIn(project: string, clock: Clock): Promise<AuthStandIn> {
  const accounts = new Accounts(project, clock)
  const server = createServer((request, response) => {
    answer(accounts, request).then(
      (body) => send(response, 200, body),
      (error: unknown) =>
        send(response, 400, {
          error: { code: 400, message: error instanceof Error ? error.message : 'ERROR' },
        }),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function answer(accounts: Accounts, request: IncomingMessage): Promise<object> {
  // A browser asks first whether pages of another origin may call.
  if (request.method === 'OPTIONS') return {}
  const { pathname } = new URL(request.url ?? '/', 'http://stand-in')
  const text = await readText(request, bodyBytesMax)
  if (pathname === '/securetoken.googleapis.com/v1/token')
    return accounts.refresh(new URLSearchParams(text).get('refresh_token') ?? '')
  const called = /^\/identitytoolkit\.googleapis\.com\/v1\/(projects\/[^/]+\/)?accounts:(\w+)$/.exec(pathname)
  if (!called) throw new Refusal('NOT_FOUND')
  const isAdmin = called[1] !== undefined && request.headers.authorization === 'Bearer owner'
  return accounts.call(called[2] ?? '', bodySchema.parse(JSON.parse(text || '{}')), isAdmin)
}

function send(response: ServerResponse, status: number, body: object): void {
  const headers = {
    'content-type': 'application/json',
    'access-control-allow-origin': '*',
    'access-control-allow-headers': '*',
    'access-control-allow-methods': 'GET, POST',
  }
  response.writeHead(status, headers).end(JSON.stringify(body))
}

function subjectOf(idToken = ''): string {
  const claims = Buffer.from(idToken.split('.')[1] ?? '', 'base64url').toString()
  const parsed = tokenSchema.safeParse(claims === '' ? undefined : JSON.parse(claims))
  if (!parsed.success) throw new Refusal('INVALID_ID_TOKEN')
  return parsed.data.sub
}

function publicOf({ password: _, createdAt, ...user }: User): object {
  return { ...user, createdAt: `${createdAt * 1_000}`, providerUserInfo: [] }
}
