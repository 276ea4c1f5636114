/**
 * `ptun login`: the device flow of RFC 8628. The browser signs in, ptun never sees a password; it gets its own API key,
 * which is listed and can be revoked like any other.
 */
import { hostname } from 'node:os'
import { isFailure } from '@porttunneler/shared/base/errors'
import { Secret } from '@porttunneler/shared/base/secret'
import { type Context, clientFor, say, serverOf, tell } from '../context.ts'
import { type StoredCredential, storeCredential, storedFor } from '../credentials.ts'
import { formatDate } from '../output/format.ts'
import { termsText } from '../output/terms-text.ts'
import { obtainKey } from './device-flow.ts'

export type LoginOptions = {
  /** False with --no-browser. */
  readonly browser: boolean
  readonly admin?: boolean
}

/** @throws login.denied, login.expired, login.unsafe, server.* */
export async function login(context: Context, { browser, admin = false }: LoginOptions): Promise<number> {
  const server = await serverOf(context)
  // An unusable file is reported before the browser opens, not after the approval.
  await storedFor(context.env, server)
  const client = await clientFor(context, server)
  const device = `${hostname()} (${process.platform})`.slice(0, 80)
  const scope = admin ? 'read tunnels admin' : 'read tunnels'
  const token = await obtainKey(context, client, { server, device, scope, browser })
  const credential = { key: new Secret(token.access_token), from: 'file' } as const
  const me = await (await clientFor(context, server, credential)).me()
  const stored: StoredCredential = {
    key: token.access_token,
    keyId: token.key_id,
    account: me.account,
    accountName: me.accountName,
    ...(me.member !== undefined && { member: me.member }),
    savedAt: context.clock.now(),
  }
  const before = await storeCredential(context.env, server, stored)
  if (before) await revokeOld(context, server, before)
  say(context, `Signed in to ${server} as ${me.email ?? me.accountName}.`)
  const limits = limitsOf(context, token)
  if (limits) say(context, limits)
  const terms = termsText(me, server, context.clock.now())
  if (terms) say(context, terms)
  if (admin && !token.scope.split(' ').includes('admin'))
    say(context, 'Managing keys and the account was not ticked at the approval, so this key may not.')
  if (context.env.PTUN_KEY) say(context, 'PTUN_KEY is set and comes before what was stored now.')
  tell(context, { event: 'login.done', server, account: me.account, accountName: me.accountName })
  return 0
}

/** When the key ends, and what to do then. Older servers do not say. */
function limitsOf({ clock }: Context, { expires_in: seconds }: { readonly expires_in?: number | undefined }) {
  if (seconds === undefined) return undefined
  return `The key of this device ends on ${formatDate(clock.now() + seconds * 1_000)}; ptun login makes a new one.`
}

/** The key that the new one replaces. If it cannot be revoked it stays in the list, and the user is told. */
async function revokeOld(context: Context, server: string, { key, keyId }: StoredCredential): Promise<void> {
  if (!keyId) return
  const credential = { key: new Secret(key), from: 'file' } as const
  try {
    await (await clientFor(context, server, credential)).revokeKey(keyId)
  } catch (error) {
    if (!isFailure(error)) throw error
    // Already revoked, or expired, which is what we wanted.
    if (error.entry.http === 401 || error.entry.http === 404) return
    say(context, `The key of the last sign-in (${keyId}) could not be revoked: ${error.code} ${error.detail}`)
  }
}
