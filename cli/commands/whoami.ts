/** `ptun whoami`: the user that the server recognises. */

import type { Me } from '@porttunneler/shared/api/schemas/accounts'
import { type Context, connectApi, say, tell } from '../context.ts'
import { credentialsPath, storedFor } from '../credentials.ts'
import { formatTable } from '../output/format.ts'
import { termsText } from '../output/terms-text.ts'

/** @throws login.*, server.*, and the API's errors */
export async function whoami(context: Context): Promise<number> {
  const { client, server, credential } = await connectApi(context)
  const me = await client.me()
  const source = credential.from === 'file' ? credentialsPath(context.env) : 'PTUN_KEY'
  const others = (await storedFor(context.env, server)).filter(({ account }) => account !== me.account)
  const nameOf = ({ accountName, account }: (typeof others)[number]) => `${accountName} (${account})`
  const terms = termsText(me, server, context.clock.now())
  const rows = [
    ['Account', `${me.accountName} (${me.account})`],
    ...(me.email ? [['User', me.email]] : []),
    ['Role', me.role],
    ['May', me.scopes.join(', ')],
    ['Plan', `${me.plan}: ${me.limits.tunnelsOnline} tunnels online, keeps ${keeps(me.limits)}`],
    ['Server', server],
    ...(terms ? [['Terms', terms]] : []),
    ['Key from', source],
    ...(others.length > 0 ? [['Also', others.map(nameOf).join(', ')]] : []),
  ]
  say(context, ...formatTable(rows))
  tell(context, { event: 'me', server, source, ...me })
  return 0
}

function keeps({ reservedHosts, reservedPorts }: Me['limits']): string {
  const many = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`
  return `${many(reservedHosts, 'name')} and ${many(reservedPorts, 'port')}`
}
