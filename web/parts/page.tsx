/** The frame of one page: title for the tab, heading that takes the focus after navigation, skeletons, empty states. */
import { type ComponentChildren, createContext } from 'preact'
import { useContext, useEffect, useRef, useState } from 'preact/hooks'
import { TextLink } from './button.tsx'

/** A page above the one that is shown, from the table of routes. */
export type Crumb = { readonly path: string; readonly title: string }
/** Those above the page, the highest first: none at the first level. */
export const CrumbsContext = createContext<readonly Crumb[]>([])

export function Page({
  title,
  lead,
  actions,
  isBroad = false,
  children,
}: {
  title: string
  lead?: ComponentChildren
  actions?: ComponentChildren
  /** It uses all of a wide screen. */
  isBroad?: boolean
  children: ComponentChildren
}) {
  return (
    <div class={isBroad ? undefined : 'max-w-7xl'}>
      <Crumbs title={title} />
      <div class="mb-6 flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
        <div class="min-w-0">
          <Heading title={title} />
          {lead && <div class="mt-1 text-muted">{lead}</div>}
        </div>
        {actions}
      </div>
      {children}
    </div>
  )
}

function Crumbs({ title }: { title: string }) {
  const above = useContext(CrumbsContext)
  if (above.length === 0) return null
  return (
    <nav aria-label="Where this page is" class="mb-3 text-sm text-muted">
      <ol class="flex min-w-0 items-center gap-2">
        {above.map((crumb) => (
          <li key={crumb.path} class="flex items-center gap-2">
            <TextLink href={crumb.path}>{crumb.title}</TextLink>
            <span aria-hidden="true">/</span>
          </li>
        ))}
        <li aria-current="page" class="truncate">
          {title}
        </li>
      </ol>
    </nav>
  )
}

/** The page's h1. App gives it the focus after navigation, so that a screen reader starts at it. */
export function Heading({ title }: { title: string }) {
  const ref = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    document.title = `${title} · PortTunneler`
  }, [title])
  useEffect(() => {
    // A page that is loaded only now: until it came, the focus waited at what stands around it (app.tsx).
    if (document.activeElement?.id === 'main') ref.current?.focus({ preventScroll: true })
  }, [])
  return (
    <h1 ref={ref} tabIndex={-1} class="text-xl font-semibold tracking-tight break-words">
      {title}
    </h1>
  )
}

/** A box with an optional heading. Several on one page stand in a `Panel`. */
export function Card({ title, children }: { title?: string; children: ComponentChildren }) {
  return (
    <section class="rounded-xl border border-line bg-surface p-4 sm:p-6" aria-label={title}>
      {title && <h2 class="mb-3 text-base font-semibold">{title}</h2>}
      <div class="min-w-0">{children}</div>
    </section>
  )
}

/** One box for the cards of a page, with hairlines between them; where there is room, headings stand at the left. */
export function Panel({ children }: { children: ComponentChildren }) {
  return (
    <div class="divide-y divide-line rounded-xl border border-line bg-surface empty:hidden [&>section]:rounded-none [&>section]:border-x-0 [&>section]:border-b-0 [&>section]:bg-transparent [&>section:first-child]:border-t-0 xl:[&>section]:grid xl:[&>section]:grid-cols-[13rem_minmax(0,1fr)] xl:[&>section]:gap-x-8">
      {children}
    </div>
  )
}

/** A page that has nothing after this long says so: three tries of a call, with their deadlines, take a minute. */
const slowMs = 8_000

/** Stands where content will be, at about its height, so that nothing jumps when it comes. */
export function Skeleton({ rows = 3, what }: { rows?: number; what: string }) {
  const [isSlow, setSlow] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setSlow(true), slowMs)
    return () => clearTimeout(timer)
  }, [])
  return (
    <div role="status" class="space-y-3">
      {isSlow ? (
        <p class="text-sm text-muted">
          The server has not answered yet. This page goes on trying; tunnels that run are not affected.
        </p>
      ) : (
        <span class="sr-only">Loading {what}</span>
      )}
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} aria-hidden="true" class="h-12 animate-pulse rounded-xl bg-raised" />
      ))}
    </div>
  )
}
