/**
 * The device flow of RFC 8628: a person approves in the console, and the terminal gets an API key without ever seeing a
 * password. Used by `ptun login`, and by `ptun keys create`, since only a person can make a key.
 */
import type { Client } from '@porttunneler/shared/api/client'
import type { DeviceAuthorization } from '@porttunneler/shared/api/schemas/accounts'
import { sleep } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { canOpen, openBrowser, pageOf } from '../browser.ts'
import { type Context, paintOf, say, tell, warn } from '../context.ts'

/** Waits until the person has decided. @throws login.denied, login.expired, server.* */
export async function obtainKey(
  context: Context,
  client: Client,
  {
    server,
    device,
    scope,
    browser,
  }: {
    readonly server: string
    readonly device: string
    readonly scope: string
    readonly browser: boolean
  },
) {
  const authorization = await client.authorizeDevice({ device, scope })
  await show(context, authorization)
  const { verification_uri_complete: page } = authorization
  if (browser && canOpen(context)) {
    if (isOwnPage(page, server)) await openBrowser(page)
    else warn(context, foreignPage(server))
  }
  return poll(context, client, authorization)
}

/** Whether a page may be opened without asking: it must be a web page of the server that the user named. */
export function isOwnPage(page: string, server: string): boolean {
  const found = pageOf(page)
  return found !== undefined && new URL(found).origin === new URL(server).origin
}

function foreignPage(server: string): string {
  return `The address above is not one of ${server}, so it was not opened. Open it yourself if you trust it.`
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

/** RFC 8628 section 3.5: the interval rises by 5 s on slow_down, and doubles while the server does not answer. */
async function poll(
  { clock }: Context,
  client: Client,
  { device_code: code, interval, expires_in: expiresIn }: DeviceAuthorization,
) {
  const until = clock.monotonic() + expiresIn * 1_000
  let waitMs = Math.max(1, interval) * 1_000
  while (clock.monotonic() < until) {
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
