/** Short news for eyes and ears: a toast, inside a live region that screen readers speak. One at a time. */
import { type ComponentChildren, createContext } from 'preact'
import { useCallback, useContext, useEffect, useState } from 'preact/hooks'
import { Icon } from './icon.tsx'

const shownMs = 4_000
const AnnounceContext = createContext<(message: string) => void>(() => undefined)

/** `announce('Copied')` */
export function useAnnounce(): (message: string) => void {
  return useContext(AnnounceContext)
}

export function Announcer({ children }: { children: ComponentChildren }) {
  // The number makes the same message twice two announcements.
  const [news, setNews] = useState<{ readonly message: string; readonly number: number }>()
  const announce = useCallback(
    (message: string) => setNews((last) => ({ message, number: (last?.number ?? 0) + 1 })),
    [],
  )
  useEffect(() => {
    if (!news) return
    const timer = setTimeout(() => setNews(undefined), shownMs)
    return () => clearTimeout(timer)
  }, [news])
  return (
    <AnnounceContext.Provider value={announce}>
      {children}
      <div
        role="status"
        aria-live="polite"
        class="pointer-events-none fixed inset-x-0 bottom-20 z-30 sm:bottom-4 flex justify-center px-4"
      >
        {news && (
          <p
            key={news.number}
            class="flex items-center gap-2 rounded-md bg-text px-4 py-2.5 text-sm font-medium text-ground shadow-lg"
          >
            <Icon name="check" />
            {news.message}
          </p>
        )}
      </div>
    </AnnounceContext.Provider>
  )
}
