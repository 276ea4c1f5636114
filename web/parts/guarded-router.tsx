/** The router of the console, which asks before it takes away what has been typed and not been sent (unsaved.ts). */
import type { ComponentChildren } from 'preact'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { type AroundNavHandler, Router } from 'wouter-preact'
import { Button } from './button.tsx'
import { Dialog } from './dialog.tsx'
import { Unsaved, UnsavedContext } from './unsaved.ts'

export function GuardedRouter({ children }: { children: ComponentChildren }) {
  const unsaved = useMemo(() => new Unsaved(), [])
  const [leave, setLeave] = useState<() => void>()
  useClosingTab(unsaved)
  useWayBack(unsaved, (go) => setLeave(() => go))
  const aroundNav: AroundNavHandler = (navigate, to, options) => {
    const go = () => navigate(to, options)
    if (unsaved.has()) setLeave(() => go)
    else go()
  }
  return (
    <UnsavedContext.Provider value={unsaved}>
      <Router aroundNav={aroundNav}>{children}</Router>
      {leave && (
        <LeaveDialog
          onStay={() => setLeave(undefined)}
          onLeave={() => {
            setLeave(undefined)
            leave()
          }}
        />
      )}
    </UnsavedContext.Provider>
  )
}

function LeaveDialog({ onStay, onLeave }: { onStay: () => void; onLeave: () => void }) {
  return (
    <Dialog title="Leave without saving?" onClose={onStay}>
      <p class="mt-2 text-muted">
        What you have typed on this page is not saved, and is lost when you leave.
      </p>
      <div class="mt-6 flex flex-wrap justify-end gap-3">
        <Button look="danger" onClick={onLeave}>
          Leave
        </Button>
        <Button onClick={onStay} autofocus>
          Stay here
        </Button>
      </div>
    </Dialog>
  )
}

function useClosingTab(unsaved: Unsaved): void {
  useEffect(() => {
    const onUnload = (event: BeforeUnloadEvent) => {
      if (unsaved.has()) event.preventDefault()
    }
    addEventListener('beforeunload', onUnload)
    return () => removeEventListener('beforeunload', onUnload)
  }, [unsaved])
}

/** What is read of a browser's event of the Navigation API. */
type Traversal = Event & {
  readonly navigationType: string
  readonly destination: { readonly key: string }
}
type Navigation = EventTarget & { traverseTo(key: string): unknown }

/** Browsers without the Navigation API go back at once, as they always do. */
function useWayBack(unsaved: Unsaved, ask: (go: () => void) => void): void {
  useEffect(() => {
    const { navigation } = globalThis as { navigation?: Navigation }
    let isMeant = false
    const onNavigate = (event: Event) => {
      const { navigationType, destination, cancelable } = event as Traversal
      if (navigationType !== 'traverse' || !cancelable || isMeant || !unsaved.has()) return
      event.preventDefault()
      ask(() => {
        isMeant = true
        navigation?.traverseTo(destination.key)
      })
    }
    navigation?.addEventListener('navigate', onNavigate)
    return () => navigation?.removeEventListener('navigate', onNavigate)
  }, [unsaved])
}
