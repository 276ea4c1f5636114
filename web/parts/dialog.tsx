/**
 * A modal dialog on the browser's own element, which traps the focus, closes on Escape and gives the focus back.
 * It is mounted while it is wanted: rendering it opens it. What was typed in it is not lost by one Escape.
 */
import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import type { ApiFailure } from '../api/failure.ts'
import { Button } from './button.tsx'
import { ProblemNotice } from './problem-notice.tsx'
import { useUnsaved } from './unsaved.ts'

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
  const unsaved = useUnsaved()
  const [isAsking, setAsking] = useState(false)
  const mayClose = () => !isKept && !unsaved.has(ref.current)
  const leave = () => {
    if (mayClose()) onClose()
    else setAsking(!isKept)
  }
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
        // A file input inside sends the same event.
        if (event.target !== ref.current) return
        event.preventDefault()
        leave()
      }}
      // Browsers let a second Escape close it whatever was said to the first, and have no `closedby` in part.
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || mayClose()) return
        event.preventDefault()
        leave()
      }}
      onClose={() => {
        if (ref.current?.isConnected && !mayClose()) ref.current.showModal()
      }}
      class="m-auto w-[min(32rem,calc(100vw-2rem))] rounded-xl border border-line bg-surface p-6 text-text shadow-2xl"
    >
      <h2 id={id} class="text-lg font-semibold break-words">
        {title}
      </h2>
      {children}
      {isAsking && <Discard onDiscard={onClose} onStay={() => setAsking(false)} />}
    </dialog>
  )
}

function Discard({ onDiscard, onStay }: { onDiscard: () => void; onStay: () => void }) {
  const ref = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const field = document.activeElement
    ref.current?.querySelector<HTMLElement>('button:last-of-type')?.focus()
    return () => {
      if (field instanceof HTMLElement && field.isConnected) field.focus()
    }
  }, [])
  return (
    <div
      ref={ref}
      role="alert"
      class="mt-5 flex flex-wrap items-center justify-between gap-3 rounded-md border border-line bg-raised p-3"
    >
      <p>Close it, and lose what you have typed?</p>
      <div class="flex gap-3">
        <Button look="danger" onClick={onDiscard}>
          Discard
        </Button>
        <Button onClick={onStay}>Keep typing</Button>
      </div>
    </div>
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
