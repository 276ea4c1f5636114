/** Opens the palette: by its button, or by Ctrl-K or Cmd-K from anywhere. */
import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { Icon } from './icon.tsx'

type PaletteOf = (props: { onClose: () => void }) => ComponentChildren

export function PaletteButton() {
  const [isOpen, setOpen] = useState(false)
  const [loaded, setLoaded] = useState<{ readonly Palette: PaletteOf }>()
  useEffect(() => {
    if (!isOpen || loaded) return
    // After an update of the server the part is gone, and the console is loaded again.
    import('./palette.tsx').then(setLoaded, () => location.reload())
  }, [isOpen, loaded])
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey || event.key !== 'k') return
      // A dialog that asks something must be answered first.
      if (document.querySelector('dialog[open]')) return
      event.preventDefault()
      setOpen(true)
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])
  return (
    <>
      <button
        type="button"
        aria-keyshortcuts="Control+K Meta+K"
        class="flex min-h-10 items-center gap-2 rounded-md px-2.5 text-sm font-semibold text-muted hover:bg-raised hover:text-text"
        onClick={() => setOpen(true)}
      >
        <Icon name="search" />
        <span class="sr-only lg:not-sr-only">Go to…</span>
        <span
          aria-hidden="true"
          class="ml-auto hidden rounded-md border border-line px-1.5 font-sans text-xs font-medium lg:inline"
        >
          {/Mac|iPhone|iPad/.test(navigator.userAgent) ? '⌘K' : 'Ctrl K'}
        </span>
      </button>
      {isOpen && loaded && <loaded.Palette onClose={() => setOpen(false)} />}
    </>
  )
}
