/**
 * The token of the link that ptun printed. It stands behind `#`, which browsers send to nobody, leaves the address at
 * once, and is kept for this address and port, so that other tabs and a reloaded page have it too.
 */
const key = 'ptun-inspector'

type Browser = {
  readonly location: Pick<Location, 'hash' | 'pathname' | 'search'>
  readonly history: Pick<History, 'replaceState'>
  readonly localStorage: Pick<Storage, 'getItem' | 'setItem'>
}

/** @returns an empty text if the page was opened without the link */
export function takeToken({ location, history, localStorage }: Browser): string {
  const token = /^#([\w-]{16,64})$/.exec(location.hash)?.[1]
  try {
    if (token === undefined) return localStorage.getItem(key) ?? ''
    localStorage.setItem(key, token)
  } catch {
    // A browser without storage needs the link in each tab.
  }
  if (token === undefined) return ''
  history.replaceState(null, '', location.pathname + location.search)
  return token
}
