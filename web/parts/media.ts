/** Facts about the browser that change while the page is open. */
import { useSyncExternalStore } from 'preact/compat'
import { useCallback } from 'preact/hooks'

/** Whether a media query holds. */
function useMedia(query: string): boolean {
  const subscribe = useCallback(
    (onChange: () => void) => {
      const list = matchMedia(query)
      list.addEventListener('change', onChange)
      return () => list.removeEventListener('change', onChange)
    },
    [query],
  )
  return useSyncExternalStore(subscribe, () => matchMedia(query).matches)
}

/** Wide enough for tables, beside the rail too; below, the same rows are cards. */
export function useWide(): boolean {
  return useMedia('(min-width: 66rem), (min-width: 52rem) and (max-width: 63.99rem)')
}

function onNetwork(onChange: () => void): () => void {
  addEventListener('online', onChange)
  addEventListener('offline', onChange)
  return () => {
    removeEventListener('online', onChange)
    removeEventListener('offline', onChange)
  }
}

export function useOnline(): boolean {
  return useSyncExternalStore(onNetwork, () => navigator.onLine)
}
