/**
 * Keeps the focus in sight. Where what has it is taken away (a row that was deleted, a form that was sent, a button
 * that cannot be pressed any more), a browser gives it to nothing, and a keyboard or a screen reader starts at the top
 * of the page again. Here it goes to the heading of the part of the page where it was.
 */
import { useEffect } from 'preact/hooks'

/** The parts of a page that have a heading, the nearest first. */
const parts = 'dialog, section, [role="tabpanel"], main, body'

export function useKeptFocus(): void {
  useEffect(() => {
    let place: readonly Element[] = []
    const onFocusIn = ({ target }: FocusEvent) => {
      place = target instanceof Element ? ancestorsOf(target) : []
    }
    const onFocusOut = ({ target }: FocusEvent) => {
      // It also comes while an element is taken away, which is told apart by whether it is still there afterwards.
      queueMicrotask(() => {
        const isLost = target instanceof Element && !target.isConnected
        if (place[0] === target && !isLost && !isOff(target)) place = []
      })
    }
    const observer = new MutationObserver(() => {
      const [last] = place
      const now = document.activeElement
      if (!last || (now && now !== document.body && !isOff(now))) return
      if (last.isConnected && !isOff(last)) return
      const next = headingNear(place)
      place = []
      next?.focus()
    })
    document.addEventListener('focusin', onFocusIn)
    document.addEventListener('focusout', onFocusOut)
    observer.observe(document.body, {
      childList: true,
      subtree: true,
      attributes: true,
      attributeFilter: ['disabled'],
    })
    return () => {
      observer.disconnect()
      document.removeEventListener('focusin', onFocusIn)
      document.removeEventListener('focusout', onFocusOut)
    }
  }, [])
}

function isOff(element: unknown): boolean {
  return element instanceof Element && element.matches(':disabled')
}

function ancestorsOf(element: Element): readonly Element[] {
  const path: Element[] = []
  for (let at: Element | null = element; at; at = at.parentElement) path.push(at)
  return path
}

/** @param place the element that had the focus, and those around it as they were then, outwards */
function headingNear(place: readonly Element[]): HTMLElement | undefined {
  const left = place.find((element) => element.isConnected && !isOff(element))
  for (let part = left?.closest(parts); part; part = part.parentElement?.closest(parts)) {
    const heading = part.querySelector<HTMLElement>('h1, h2, h3')
    if (!heading) continue
    if (!heading.hasAttribute('tabindex')) heading.tabIndex = -1
    return heading
  }
  return document.getElementById('main') ?? undefined
}
