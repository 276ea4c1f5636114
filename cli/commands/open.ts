/** `ptun open`: a tunnel's address in the browser. */
import { fail } from '@porttunneler/shared/base/errors'
import { readStatuses } from '../agent/status-socket.ts'
import { canOpen, openBrowser, pageOf } from '../browser.ts'
import { type Context, connectApi, say, tell } from '../context.ts'
import { runtimeFolder } from '../paths.ts'
import { findTunnel } from './tunnels.ts'

/**
 * Asks the agents of this machine first, so it works without the server. Where nobody looks at a browser (in a script,
 * over SSH), the address is only printed.
 * @throws open.address, api.not_found, login.*, server.*
 */
export async function openTunnel(context: Context, name: string): Promise<number> {
  const url = (await localUrl(context, name)) ?? (await urlAtServer(context, name))
  const page = url === undefined ? undefined : pageOf(url)
  if (page === undefined)
    throw fail('open.address', `${name} has ${url === undefined ? 'no address yet' : `the address ${url}`}.`)
  const isOpened = canOpen(context)
  if (isOpened) await openBrowser(page)
  say(context, url ?? page)
  tell(context, { event: 'tunnel.opened', tunnel: name, url: page, browser: isOpened })
  return 0
}

async function localUrl({ env, clock }: Context, name: string): Promise<string | undefined> {
  const agents = await readStatuses(runtimeFolder(env), clock)
  return agents.flatMap(({ tunnels }) => tunnels).find((one) => one.name === name)?.url
}

async function urlAtServer(context: Context, name: string): Promise<string | undefined> {
  const { client } = await connectApi(context)
  return (await findTunnel(client, name)).endpoint?.url
}
