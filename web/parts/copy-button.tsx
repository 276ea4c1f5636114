/** Copies a text and says so, to eyes and to screen readers. */
import { useEffect, useState } from 'preact/hooks'
import { Icon } from './icon.tsx'

const shownMs = 2_000
type Outcome = 'copied' | 'failed'

type CopyProps = {
  text: string
  what: string
  isWide?: boolean
  /** In the row of a table: no border. */
  isBare?: boolean
}

export function CopyButton({ text, what, isWide = false, isBare = false }: CopyProps) {
  const [outcome, setOutcome] = useState<Outcome>()
  useEffect(() => {
    if (!outcome) return
    const timer = setTimeout(() => setOutcome(undefined), shownMs)
    return () => clearTimeout(timer)
  }, [outcome])
  const copy = async () => setOutcome((await copyText(text)) ? 'copied' : 'failed')
  return (
    <span class="relative inline-flex shrink-0">
      <button
        type="button"
        onClick={() => void copy()}
        aria-label={`Copy ${what}`}
        title={`Copy ${what}`}
        class={`inline-flex items-center justify-center gap-2 rounded-md ${isBare ? 'min-h-8 min-w-8' : 'min-h-9 min-w-9 border border-line bg-surface'} text-sm font-semibold transition-colors hover:bg-raised ${outcome === 'copied' ? 'text-ok' : 'text-muted hover:text-text'} ${isWide ? 'px-3' : ''}`}
      >
        <Icon name={outcome === 'copied' ? 'check' : 'copy'} size={16} />
        {isWide && (outcome === 'copied' ? 'Copied' : 'Copy')}
      </button>
      {/* Beside the button and not in the page's announcer: that one is inert while a dialog is open. */}
      <span role="status" class={outcome && !isWide ? bubble : 'sr-only'}>
        {outcome && messages[outcome]}
      </span>
    </span>
  )
}

const messages: Record<Outcome, string> = { copied: 'Copied', failed: 'Select it and copy by hand' }
const bubble =
  'absolute right-0 bottom-full z-10 mb-1.5 rounded-md bg-text px-2 py-1 text-xs font-medium whitespace-nowrap text-ground'

/** The clipboard interface exists only on secure origins; a console on plain HTTP elsewhere has the old way. */
async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return copyBySelection(text)
  }
}

function copyBySelection(text: string): boolean {
  const area = document.createElement('textarea')
  area.value = text
  area.readOnly = true
  const host = document.querySelector('dialog[open]') ?? document.body
  const focused = document.activeElement
  host.append(area)
  area.select()
  const isCopied = document.execCommand('copy')
  area.remove()
  if (focused instanceof HTMLElement) focused.focus()
  return isCopied
}

/** A line to run in a terminal, with its copy button. */
export function CommandLine({ command }: { command: string }) {
  return (
    <div class="flex items-center gap-2 rounded-md border border-line bg-raised py-1.5 pr-1.5 pl-3.5">
      <code class="min-w-0 flex-1 font-mono text-sm [overflow-wrap:anywhere]">
        <span aria-hidden="true" class="text-muted select-none">
          ${' '}
        </span>
        {command}
      </code>
      <CopyButton text={command} what="command" />
    </div>
  )
}
