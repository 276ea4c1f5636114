/** The ways to the main pages. One list: a rail, a bar or tabs, as the screen has room. */
import { Link, useLocation } from 'wouter-preact'
import { useMe } from '../api/queries.ts'
import { Icon, type IconName } from './icon.tsx'

type Place = { readonly href: string; readonly label: string; readonly icon: IconName }

/** On every screen. */
const main: readonly Place[] = [
  { href: '/', label: 'Tunnels', icon: 'tunnel' },
  { href: '/names', label: 'Names', icon: 'tag' },
  { href: '/domains', label: 'Domains', icon: 'globe' },
  { href: '/keys', label: 'API keys', icon: 'key' },
]
/** In the rail; elsewhere the account menu has them. */
const more: readonly Place[] = [
  { href: '/members', label: 'Members', icon: 'person' },
  { href: '/security', label: 'Security', icon: 'shield' },
  { href: '/account', label: 'Account settings', icon: 'sliders' },
]
/** For operators alone. */
const operator: readonly Place[] = [
  { href: '/operator/relays', label: 'Relays', icon: 'tunnel' },
  { href: '/operator', label: 'Accounts', icon: 'person' },
  { href: '/operator/revenue', label: 'Revenue', icon: 'tag' },
  { href: '/operator/security', label: 'Events', icon: 'shield' },
  { href: '/operator/system', label: 'System', icon: 'system' },
]

export const places: readonly Place[] = [
  ...main,
  { href: '/new', label: 'New tunnel', icon: 'plus' },
  ...more,
  { href: '/plans', label: 'Plans', icon: 'sliders' },
]

export function MainNav() {
  const me = useMe()
  const inRail = me.data?.operator ? [...more, ...operator] : more
  return (
    <nav
      aria-label="Main"
      class="fixed inset-x-0 bottom-0 z-20 grid grid-cols-4 border-t border-line bg-surface pb-[env(safe-area-inset-bottom)] sm:static sm:mr-auto sm:flex sm:h-14 sm:gap-1 sm:border-t-0 sm:pb-0 lg:mr-0 lg:h-auto lg:flex-col"
    >
      {main.map((place) => (
        <NavLink key={place.href} place={place} />
      ))}
      <hr class="my-2 hidden border-line lg:block" />
      {inRail.map((place) => (
        <NavLink key={place.href} place={place} isRailOnly />
      ))}
    </nav>
  )
}

function isHere({ href }: Place, path: string): boolean {
  if (href === '/') return path === '/' || path === '/new' || path.startsWith('/tunnels/')
  if (href === '/operator') return path === href || /^\/operator\/(people|accounts)\//.test(path)
  return path === href || path.startsWith(`${href}/`)
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
      href={place.href}
      aria-current={isCurrent ? 'page' : undefined}
      class={`${shown} h-14 flex-col items-center justify-center gap-0.5 text-xs font-semibold whitespace-nowrap no-underline transition-colors sm:flex-row sm:gap-2 sm:border-b-2 sm:px-3 sm:pt-0.5 sm:text-sm lg:h-9 lg:justify-start lg:rounded-md lg:border-b-0 lg:px-2.5 lg:pt-0 ${look}`}
    >
      <span class="sm:hidden lg:inline-flex">
        <Icon name={place.icon} />
      </span>
      {place.label}
    </Link>
  )
}
