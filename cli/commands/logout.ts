/** `ptun logout`: revokes this machine's key at the server and forgets it. */
import { isFailure } from '@porttunneler/shared/base/errors'
import { Secret } from '@porttunneler/shared/base/secret'
import { type Context, clientFor, say, serverOf, tell, warn } from '../context.ts'
import { forgetCredential } from '../credentials.ts'

/** @throws login.unsafe, login.damaged, cli.server, cli.folder */
export async function logout(context: Context): Promise<number> {
  const server = await serverOf(context)
  const stored = await forgetCredential(context.env, server, context.account)
  if (!stored) {
    say(context, `You were not signed in to ${server}.`)
    tell(context, { event: 'logout.done', server, revoked: false })
    return 0
  }
  let revoked = false
  if (stored.keyId) {
    const credential = { key: new Secret(stored.key), from: 'file' } as const
    const client = await clientFor(context, server, credential)
    revoked = await client.revokeKey(stored.keyId).then(
      () => true,
      (error: unknown) => {
        if (!isFailure(error)) throw error
        const isGone = error.entry.http === 401 || error.entry.http === 404
        if (!isGone)
          warn(
            context,
            `The key ${stored.keyId} could not be revoked (${error.code} ${error.detail}); revoke it in the console.`,
          )
        return isGone
      },
    )
  }
  say(context, `Signed out of ${server}.`)
  if (context.env.PTUN_KEY) say(context, 'PTUN_KEY is still set; unset it too.')
  tell(context, { event: 'logout.done', server, revoked })
  return 0
}
