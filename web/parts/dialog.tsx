/**
 * A modal dialog on the browser's own element, which traps the focus, closes on Escape and gives the focus back.
 * It is mounted while it is wanted: rendering it opens it.
 */
import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import type { ApiFailure } from '../api/failure.ts'
import { Button } from './button.tsx'
import { ProblemNotice } from './problem-notice.tsx'

export function Dialog({
  title,
  onClose,
  isKept = false,
  children,
}: {
  title: string
  onClose: () => void
  /** It shows what is shown once: only its button closes it, and not Escape. */
  isKept?: boolean
  children: ComponentChildren
}) {
  const ref = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => {
    const dialog = ref.current
    const opener = document.activeElement
    dialog?.showModal()
    return () => {
      dialog?.close()
      // Unmounting takes the element away before the browser would give the focus back.
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus()
    }
  }, [])
  return (
    <dialog
      ref={ref}
      aria-labelledby={id}
      closedby={isKept ? 'none' : 'closerequest'}
      onCancel={(event) => {
        event.preventDefault()
        if (!isKept) onClose()
      }}
      // Browsers without `closedby` let a second Escape close it whatever is asked.
      onKeyDown={(event) => {
        if (isKept && event.key === 'Escape') event.preventDefault()
      }}
      class="m-auto w-[min(32rem,calc(100vw-2rem))] rounded-xl border border-line bg-surface p-6 text-text shadow-2xl"
    >
      <h2 id={id} class="text-lg font-semibold break-words">
        {title}
      </h2>
      {children}
    </dialog>
  )
}

/** Asks before something is lost. The safe answer has the focus. */
export function ConfirmDialog({
  title,
  action,
  onConfirm,
  onClose,
  isBusy,
  failure,
  children,
}: {
  title: string
  /** The verb on the button: "Delete tunnel". */
  action: string
  onConfirm: () => void
  onClose: () => void
  isBusy: boolean
  failure: ApiFailure | undefined
  children: ComponentChildren
}) {
  return (
    <Dialog title={title} onClose={onClose}>
      <div class="mt-2 space-y-3 text-muted">{children}</div>
      {failure && (
        <div class="mt-4">
          <ProblemNotice failure={failure} />
        </div>
      )}
      <div class="mt-6 flex flex-wrap justify-end gap-3">
        <Button onClick={onClose} autofocus>
          Cancel
        </Button>
        <Button look="danger" onClick={onConfirm} isBusy={isBusy}>
          {action}
        </Button>
      </div>
    </Dialog>
  )
}
