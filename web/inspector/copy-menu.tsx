/** Copies a request as a command or a file. Where the clipboard is refused, the text is shown. */
import { useState } from 'preact/hooks'
import { Button } from '../parts/button.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import type { InspectorApi } from './api.ts'
import { useAct } from './use-act.ts'

const kinds = [
  ['curl', 'Copy as curl'],
  ['fetch', 'Copy as fetch'],
  ['har', 'Copy as HAR'],
] as const

export function CopyMenu({ api, id }: { api: InspectorApi; id: number }) {
  const act = useAct()
  const [copied, setCopied] = useState<string>()
  const [shown, setShown] = useState<string>()
  const copy = (kind: (typeof kinds)[number][0]) =>
    act.run(async () => {
      const text = await api.copyText(id, kind)
      try {
        await navigator.clipboard.writeText(text)
        setCopied(kind)
      } catch {
        setShown(text)
      }
    })
  return (
    <>
      {kinds.map(([kind, label]) => (
        <Button key={kind} look="quiet" onClick={() => copy(kind)}>
          {copied === kind ? 'Copied' : label}
        </Button>
      ))}
      <span role="status" class="sr-only">
        {copied && 'Copied'}
      </span>
      {act.failure && <ProblemNotice failure={act.failure} />}
      {shown !== undefined && (
        <Dialog title="Copy this" onClose={() => setShown(undefined)}>
          <pre class="mt-3 max-h-96 overflow-auto font-mono text-xs break-all whitespace-pre-wrap select-all">
            {shown}
          </pre>
        </Dialog>
      )}
    </>
  )
}
