/** Opens pages in the browser of the person at this machine. */
import type { Context } from './context.ts'

/**
 * A browser needs somebody to look at it: not in a script, over SSH, or without a display.
 * @param context says where ptun runs
 */
export function canOpen({ env, stdout, isJson }: Pick<Context, 'env' | 'stdout' | 'isJson'>): boolean {
  if (isJson || !stdout.isTTY || env.SSH_CONNECTION || env.CI) return false
  return process.platform !== 'linux' || Boolean(env.DISPLAY || env.WAYLAND_DISPLAY || env.WSL_DISTRO_NAME)
}

/**
 * The system's opener may start any program for its argument (`ms-msdt:`, `\\host\share`: CVE-2025-6514), so only pages
 * of the web get there.
 * @returns the address as a browser writes it, or undefined for anything else
 */
export function pageOf(url: string): string | undefined {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  return parsed && /^https?:$/.test(parsed.protocol) ? parsed.href : undefined
}

/**
 * Never rejects: the address is on the screen, so a browser that does not start is not a failure.
 * @param page from `pageOf`, or checked otherwise
 */
export async function openBrowser(page: string): Promise<void> {
  try {
    const { default: open } = await import('open')
    const child = await open(page)
    child.on('error', () => {})
    child.unref()
  } catch {
    // As above.
  }
}
