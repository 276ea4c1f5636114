/** Parts of a page of which one is shown: which one is kept in the address, and the arrow keys go from tab to tab. */
import type { ComponentChildren } from 'preact'
import { useRef } from 'preact/hooks'
import { useLocation, useSearch } from 'wouter-preact'

export type Tab = {
  readonly name: string
  readonly label: string
  /** Made when its tab is shown. */
  readonly content: () => ComponentChildren
}

const parameter = 'tab'

/** The address of a tab of the page at `path`, with what else is in `search` and `more`. */
export function tabAddress(
  path: string,
  search: string,
  { tab, ...more }: { readonly tab: string; readonly [name: string]: string },
): string {
  const query = new URLSearchParams({ ...Object.fromEntries(new URLSearchParams(search)), ...more })
  query.set(parameter, tab)
  return `${path}?${query}`
}

/** The first of `tabs` is shown when the address names none. */
export function Tabs({ label, tabs }: { label: string; tabs: readonly Tab[] }) {
  const search = useSearch()
  const [path, navigate] = useLocation()
  const list = useRef<HTMLDivElement>(null)
  const named = new URLSearchParams(search).get(parameter)
  const shown = tabs.find(({ name }) => name === named) ?? tabs[0]
  const choose = (name: string) => navigate(tabAddress(path, search, { tab: name }), { replace: true })
  const onKeyDown = (event: KeyboardEvent) => {
    const at = tabs.findIndex((tab) => tab === shown)
    const places: Record<string, number> = {
      ArrowLeft: (at + tabs.length - 1) % tabs.length,
      ArrowRight: (at + 1) % tabs.length,
      Home: 0,
      End: tabs.length - 1,
    }
    const next = tabs[places[event.key] ?? -1]
    if (!next) return
    event.preventDefault()
    choose(next.name)
    list.current?.querySelector<HTMLElement>(`#tab-${next.name}`)?.focus()
  }
  return (
    <>
      <div
        ref={list}
        role="tablist"
        aria-label={label}
        class="mb-5 flex gap-1 overflow-x-auto border-b border-line"
        onKeyDown={onKeyDown}
      >
        {tabs.map((tab) => (
          <button
            key={tab.name}
            type="button"
            role="tab"
            id={`tab-${tab.name}`}
            aria-selected={tab === shown}
            aria-controls="tab-panel"
            tabIndex={tab === shown ? 0 : -1}
            onClick={() => choose(tab.name)}
            class={`-mb-px min-h-10 border-b-2 px-3 text-sm whitespace-nowrap -outline-offset-2 ${tab === shown ? 'border-accent font-semibold text-text' : 'border-transparent text-muted hover:text-text'}`}
          >
            {tab.label}
          </button>
        ))}
      </div>
      <div id="tab-panel" role="tabpanel" aria-labelledby={`tab-${shown?.name}`}>
        {shown?.content()}
      </div>
    </>
  )
}
