/**
 * What has been typed and not been sent: forms say that they hold some (form.tsx), and whatever would take them away
 * asks first: links, the way back and a closing tab (guarded-router.tsx), and Escape in a dialog (dialog.tsx).
 */
import { createContext } from 'preact'
import { useContext } from 'preact/hooks'

/** A form: where it stands, and whether leaving it would lose something. */
type Draft = { readonly element: () => Element | null; readonly isDirty: () => boolean }

export class Unsaved {
  readonly #drafts = new Set<Draft>()

  /** @returns ends it */
  add(draft: Draft): () => void {
    this.#drafts.add(draft)
    return () => this.#drafts.delete(draft)
  }

  /** @param inside only forms in there count; undefined for all */
  has(inside?: Element | null): boolean {
    return [...this.#drafts].some(
      ({ element, isDirty }) => isDirty() && (inside === undefined || inside?.contains(element()) === true),
    )
  }
}

export const UnsavedContext = createContext(new Unsaved())

export function useUnsaved(): Unsaved {
  return useContext(UnsavedContext)
}
