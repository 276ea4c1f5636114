/** The ways to the pages, from the table of routes: a rail, a bar or tabs, as the screen has room. */
import { useEffect, useRef } from 'preact/hooks'
import { Link, useLocation } from 'wouter-preact'
import { useAlertCount } from '../api/alert-queries.ts'
import { useMe } from '../api/queries.ts'
import { isHere, type Place, placesOf } from '../routes.ts'
import { Icon } from './icon.tsx'

export function MainNav() {
  const me = useMe().data
  const nav = useRef<HTMLElement>(null)
  const [path] = useLocation()
  // An operator's rail is longer than many screens: where one is must be in sight.
  useEffect(() => {
    nav.current?.querySelector('[aria-current="page"]')?.scrollIntoView({ block: 'nearest' })
  }, [path, me])
  return (
    <nav
      ref={nav}
      aria-label="Main"
      class="fixed inset-x-0 bottom-0 z-20 grid auto-cols-fr grid-flow-col border-t border-line bg-surface pb-[env(safe-area-inset-bottom)] sm:static sm:mr-auto sm:flex sm:h-14 sm:gap-1 sm:border-t-0 sm:pb-0 lg:mr-0 lg:h-auto lg:min-h-0 lg:flex-col lg:gap-0.5 lg:overflow-y-auto"
    >
      {placesOf('main', me).map((place) => (
        <NavLink key={place.path} place={place} />
      ))}
      {me && (
        <>
          <p class="mt-4 mb-1 hidden px-2.5 text-xs font-semibold text-muted lg:block">Settings</p>
          {placesOf('settings', me).map((place) => (
            <NavLink key={place.path} place={place} isRailOnly />
          ))}
          {me.operator && (
            <p class="mt-4 mb-1 hidden px-2.5 text-xs font-semibold text-muted lg:block">Operator</p>
          )}
          {placesOf('operator', me).map((place) => (
            <NavLink key={place.path} place={place} isRailOnly />
          ))}
        </>
      )}
    </nav>
  )
}

function NavLink({ place, isRailOnly = false }: { place: Place; isRailOnly?: boolean }) {
  const [path] = useLocation()
  const isCurrent = isHere(place, path)
  const look = isCurrent
    ? 'text-accent sm:border-accent sm:text-text lg:bg-raised'
    : 'text-muted hover:text-text sm:border-transparent sm:hover:border-line lg:hover:bg-raised'
  const shown = isRailOnly ? 'hidden lg:flex' : 'flex'
  return (
    <Link
      href={place.path}
      aria-current={isCurrent ? 'page' : undefined}
      class={`${shown} relative h-14 flex-col items-center justify-center gap-0.5 text-xs font-semibold whitespace-nowrap no-underline transition-colors sm:flex-row sm:gap-2 sm:border-b-2 sm:px-3 sm:pt-0.5 sm:text-sm lg:h-8 lg:shrink-0 lg:justify-start lg:rounded-md lg:border-b-0 lg:px-2.5 lg:pt-0 lg:font-medium ${look}`}
    >
      {place.icon && (
        <span class="sm:hidden lg:inline-flex">
          <Icon name={place.icon} />
        </span>
      )}
      {place.title}
      {place.path === '/alerts' && <FiringCount />}
    </Link>
  )
}

/** How many alerts nobody has looked at; the server counts to 100. */
function FiringCount() {
  const firing = useAlertCount().data?.firing ?? 0
  if (firing === 0) return null
  return (
    <span class="absolute top-1 right-1 rounded-full bg-danger-soft px-1.5 text-xs font-semibold text-danger sm:static sm:ml-0 lg:ml-auto">
      {firing >= 100 ? '99+' : firing}
      <span class="sr-only"> firing</span>
    </span>
  )
}
