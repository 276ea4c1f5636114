/** What the keys of the live view do outside of it. Each returns what the user is told. */
import { isFailure } from '@porttunneler/shared/base/errors'
import { canOpen, openBrowser, pageOf } from '../../browser.ts'
import type { Context } from '../../context.ts'
import { withColoursOnly } from '../format.ts'
import { copy } from './clipboard.ts'
import type { TailedRequest } from './tail.ts'

/** What the inspector offers to the terminal. */
export type Inspection = {
  readonly url: string
  /** The newest first. */
  recent(count: number): readonly TailedRequest[]
  /** Sends a visitor's last request again. @throws PortTunnelerError that the user should read */
  resendLast(tunnel: string): unknown
}

const noAddress = 'There is no address yet.'

export async function openPage(context: Context, url: string | undefined): Promise<string> {
  if (url === undefined) return noAddress
  const page = pageOf(url)
  if (page === undefined) return `${url} is no web page; c copies it.`
  if (!canOpen(context)) return `There is no browser here. Open it yourself: ${url}`
  await openBrowser(page)
  return `Opened ${url} in the browser`
}

export async function copyAddress({ env, stdout }: Context, url: string | undefined): Promise<string> {
  if (url === undefined) return noAddress
  return copy(withColoursOnly(url), { env, write: (text) => stdout.write(text) })
}

export async function resend(
  inspection: Inspection | undefined,
  tunnel: string | undefined,
): Promise<string | undefined> {
  if (!inspection || tunnel === undefined) return undefined
  try {
    inspection.resendLast(tunnel)
    return `Sent the last request of ${tunnel} again`
  } catch (error) {
    if (!isFailure(error)) throw error
    return `${error.code} ${error.detail} ${error.entry.cure}`
  }
}
