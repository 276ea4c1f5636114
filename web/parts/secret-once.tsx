/** The dialog of a secret that is shown this once: Esc leaves it open, and only who has stored it closes it. */
import type { ComponentChildren } from 'preact'
import { Button } from './button.tsx'
import { CopyButton } from './copy-button.tsx'
import { Dialog } from './dialog.tsx'

/** `before` and `after` stand around the advice to copy it, `children` below the secret; `what` names it for the button. */
export function SecretOnce({
  title,
  secret,
  what,
  before = '',
  after = '',
  children,
  onClose,
}: {
  title: string
  secret: string
  what: string
  before?: string
  after?: string | false
  children?: ComponentChildren
  onClose: () => void
}) {
  return (
    <Dialog title={title} onClose={onClose} isKept>
      <p class="mt-2 text-muted">
        {before} Copy it now: it is shown this once. {after}
      </p>
      <div class="mt-4 flex items-start gap-3 rounded-md border border-line bg-raised p-3">
        <code class="min-w-0 flex-1 self-center font-mono text-sm break-all">{secret}</code>
        <CopyButton text={secret} what={what} isWide />
      </div>
      {children}
      <div class="mt-6 flex justify-end">
        <Button look="accent" onClick={onClose}>
          I have stored it
        </Button>
      </div>
    </Dialog>
  )
}
