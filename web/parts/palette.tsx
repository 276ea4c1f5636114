/** The palette: type part of a tunnel or page, press Enter, and you are there. */
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import { useQuery } from '@tanstack/react-query'
import type { RefObject } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import { useLocation } from 'wouter-preact'
import { useMe } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { maySee, places } from '../routes.ts'
import { StateBadge } from './state-badge.tsx'

const tunnelsMax = 8
const typingMs = 150

type Entry = { readonly href: string; readonly label: string; readonly tunnel?: Tunnel }

/** @param onClose it was left, or something was chosen */
export function Palette({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const id = useId()
  const [text, setText] = useState('')
  const [at, setAt] = useState(0)
  const [, navigate] = useLocation()
  const entries = useEntries(text)
  const chosen = Math.min(at, entries.length - 1)
  useModal(dialog, onClose)
  const go = (entry: Entry | undefined) => {
    if (!entry) return
    onClose()
    navigate(entry.href)
  }
  const onKey = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown') setAt(Math.min(entries.length - 1, chosen + 1))
    else if (event.key === 'ArrowUp') setAt(Math.max(0, chosen - 1))
    else if (event.key === 'Enter') go(entries[chosen])
    else return
    event.preventDefault()
  }
  return (
    <dialog
      ref={dialog}
      aria-label="Go to a tunnel or page"
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
      class="mx-auto mt-[12vh] mb-auto w-[min(36rem,calc(100vw-2rem))] rounded-xl border border-line bg-surface p-0 text-text shadow-2xl"
    >
      <input
        autofocus
        type="text"
        role="combobox"
        aria-label="Tunnel or page"
        aria-expanded="true"
        aria-controls={`${id}-list`}
        aria-activedescendant={entries[chosen] && `${id}-${chosen}`}
        placeholder="A tunnel, address or page"
        autocomplete="off"
        spellcheck={false}
        maxLength={100}
        class="h-12 w-full border-b border-line bg-transparent px-4 outline-none placeholder:text-muted"
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value)
          setAt(0)
        }}
        onKeyDown={onKey}
      />
      <Found {...{ id, entries, chosen }} onGo={go} onAim={setAt} />
      {entries.length === 0 && <p class="px-4 pb-4 text-sm text-muted">Nothing is called that.</p>}
    </dialog>
  )
}

/** Opens it, closes it by a click beside it, and gives the focus back when it goes. */
function useModal(dialog: RefObject<HTMLDialogElement>, onClose: () => void): void {
  useEffect(() => {
    const opener = document.activeElement
    const element = dialog.current
    element?.showModal()
    // Its backdrop counts as the dialog itself.
    const onClick = ({ target }: MouseEvent) => target === element && onClose()
    element?.addEventListener('click', onClick)
    return () => {
      element?.removeEventListener('click', onClick)
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus()
    }
  }, [])
}

function Found({
  id,
  entries,
  chosen,
  onGo,
  onAim,
}: {
  id: string
  entries: readonly Entry[]
  chosen: number
  onGo: (entry: Entry) => void
  onAim: (index: number) => void
}) {
  return (
    <div id={`${id}-list`} role="listbox" aria-label="Found" class="max-h-[50vh] overflow-y-auto p-1.5">
      {entries.map((entry, index) => (
        <div
          key={entry.href}
          id={`${id}-${index}`}
          role="option"
          tabIndex={-1}
          aria-selected={index === chosen}
          class={`flex min-h-10 cursor-pointer items-center justify-between gap-3 rounded-md px-3 text-sm ${index === chosen ? 'bg-raised' : ''}`}
          onClick={() => onGo(entry)}
          onKeyDown={({ key }) => key === 'Enter' && onGo(entry)}
          onMouseMove={() => onAim(index)}
        >
          <span class="min-w-0 truncate font-medium">{entry.label}</span>
          {entry.tunnel && <StateBadge state={entry.tunnel.state} />}
        </div>
      ))}
    </div>
  )
}

function useEntries(text: string): readonly Entry[] {
  const { calls } = useServices()
  const words = useSettled(text.trim())
  const query = useQuery({
    queryKey: ['tunnels', 'palette', words],
    queryFn: ({ signal }) =>
      calls.tunnelPage({ sort: 'trouble', ...(words !== '' && { search: words }) }, undefined, signal),
  })
  const wanted = text.trim().toLowerCase()
  const me = useMe().data
  const pages = places
    .filter((place) => !place.path.includes(':') && place.path !== '/mails' && me && maySee(place, me))
    .map(({ path, title }) => ({ href: path, label: title }))
    .filter(({ label }) => label.toLowerCase().includes(wanted))
  const tunnels = (query.data?.items ?? []).slice(0, tunnelsMax)
  return [
    ...tunnels.map((tunnel) => ({ href: `/tunnels/${tunnel.id}`, label: tunnel.name, tunnel })),
    ...pages,
  ]
}

/** The text once nobody has typed for a moment. */
function useSettled(text: string): string {
  const [settled, setSettled] = useState(text)
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), typingMs)
    return () => clearTimeout(timer)
  }, [text])
  return settled
}
