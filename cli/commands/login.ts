/**
 * `ptun login`: the device flow of RFC 8628. The browser signs in, ptun never sees a password; what it gets is an API
 * key of its own, listed and revocable like any other.
 */
import { hostname } from 'node:os'
import type { Client } from '@porttunneler/shared/api/client'
import type { DeviceAuthorization } from '@porttunneler/shared/api/schemas/accounts'
import { sleep } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { Secret } from '@porttunneler/shared/base/secret'
import { type Context, clientFor, paintOf, say, serverOf, tell } from '../context.ts'
import { type Credential, readCredential, type StoredCredential, storeCredential } from '../credentials.ts'

export type LoginOptions = {
  /** False with --no-browser. */
  readonly browser: boolean
  readonly admin?: boolean
}

/** @throws login.denied, login.expired, login.unsafe, server.* */
export async function login(context: Context, { browser, admin = false }: LoginOptions): Promise<number> {
  const server = await serverOf(context)
  const before = await storedBefore(context, server)
  const client = await clientFor(context, server)
  const device = `${hostname()} (${process.platform})`.slice(0, 80)
  const scope = admin ? 'read tunnels admin' : 'read tunnels'
  const authorization = await client.authorizeDevice({ device, scope })
  await show(context, authorization)
  if (browser && canOpen(context)) await openBrowser(authorization.verification_uri_complete)
  const token = await poll(context, client, authorization)
  const credential = { key: new Secret(token.access_token), from: 'file' } as const
  const me = await (await clientFor(context, server, credential)).me()
  const stored: StoredCredential = {
    key: token.access_token,
    keyId: token.key_id,
    account: me.account,
    accountName: me.accountName,
    savedAt: context.clock.now(),
  }
  await storeCredential(context.env, server, stored)
  if (before) await revokeOld(context, server, before)
  say(context, `Signed in to ${server} as ${me.email ?? me.accountName}.`)
  if (context.env.PTUN_KEY) say(context, 'PTUN_KEY is set and comes before what was stored now.')
  tell(context, { event: 'login.done', server, account: me.account, accountName: me.accountName })
  return 0
}

/** Read first: a file that cannot be used must be told before the browser opens, not after the approval. */
async function storedBefore(context: Context, server: string): Promise<Credential | undefined> {
  const { PTUN_KEY: _, ...env } = context.env
  try {
    return await readCredential(env, server)
  } catch (error) {
    if (isFailure(error, 'login.missing')) return undefined
    throw error
  }
}

async function show(context: Context, authorization: DeviceAuthorization): Promise<void> {
  const { user_code: code, verification_uri: url, verification_uri_complete: complete } = authorization
  const { expires_in: expiresIn } = authorization
  const paint = paintOf(context)
  tell(context, { event: 'login.prompt', url, code, complete, expiresIn })
  say(context, `Open  ${paint('bold', url)}`, `Code  ${paint(['bold', 'cyan'], code)}`)
  if (context.stdout.isTTY && !context.isJson) {
    const { renderUnicodeCompact } = await import('uqr')
    say(context, '', ...renderUnicodeCompact(complete).split('\n'), '')
  }
  say(
    context,
    `Waiting for your approval in the browser (${Math.round(expiresIn / 60)} min; Ctrl-C gives up).`,
  )
}

/** A browser needs somebody to look at it: not in a script, over SSH, or without a display. */
function canOpen({ env, stdout, isJson }: Context): boolean {
  if (isJson || !stdout.isTTY || env.SSH_CONNECTION || env.CI) return false
  return process.platform !== 'linux' || Boolean(env.DISPLAY || env.WAYLAND_DISPLAY || env.WSL_DISTRO_NAME)
}

async function openBrowser(url: string): Promise<void> {
  const { default: open } = await import('open')
  try {
    const child = await open(url)
    // The address is on the screen: a browser that does not start is no failure.
    child.on('error', () => {})
    child.unref()
  } catch {
    // As above.
  }
}

/** RFC 8628 section 3.5: the interval rises by 5 s on slow_down, and doubles while the server does not answer. */
async function poll(
  { clock }: Context,
  client: Client,
  { device_code: code, interval, expires_in: expiresIn }: DeviceAuthorization,
) {
  const until = clock.now() + expiresIn * 1_000
  let waitMs = Math.max(1, interval) * 1_000
  while (clock.now() < until) {
    await sleep(clock, waitMs)
    try {
      const answer = await client.pollDevice(code)
      if ('access_token' in answer) return answer
      if (answer.error === 'slow_down') waitMs += 5_000
      else if (answer.error === 'access_denied') throw fail('login.denied')
      else if (answer.error !== 'authorization_pending') throw fail('login.expired', answer.error_description)
    } catch (error) {
      if (!isFailure(error, 'server.unreachable')) throw error
      waitMs = Math.min(waitMs * 2, 60_000)
    }
  }
  throw fail('login.expired')
}

/** The key that the new one replaces. If it cannot be revoked it stays in the list, which is said. */
async function revokeOld(context: Context, server: string, credential: Credential): Promise<void> {
  const { keyId } = credential
  if (!keyId) return
  try {
    await (await clientFor(context, server, credential)).revokeKey(keyId)
  } catch (error) {
    if (!isFailure(error)) throw error
    // Already revoked, or expired: what was wanted.
    if (error.entry.http === 401 || error.entry.http === 404) return
    say(context, `The key of the last sign-in (${keyId}) could not be revoked: ${error.code} ${error.detail}`)
  }
}
