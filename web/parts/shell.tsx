/** What stands around every page of somebody who is signed in: skip link, navigation, account menu, footer. */
import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'
import { Link, useLocation } from 'wouter-preact'
import { useServices } from '../api/services.tsx'
import { AccountMenu } from './account-menu.tsx'
import { Icon } from './icon.tsx'
import { useOnline } from './media.ts'
import { ThemeChoice } from './theme.tsx'
import { ViewBanner } from './view-banner.tsx'

/** A tab nobody looks at keeps no streams open for longer than this. */
const hiddenMs = 30_000
const column = 'mx-auto w-full max-w-6xl px-4 sm:px-6'

export function Shell({ children }: { children: ComponentChildren }) {
  useLiveWhileVisible()
  return (
    <div class="flex min-h-dvh flex-col">
      <SkipLink />
      <ViewBanner />
      <header class="border-b border-line bg-surface">
        <div class={`${column} flex flex-wrap items-center justify-between gap-x-6 sm:h-14 sm:flex-nowrap`}>
          <Link
            href="/"
            class="flex h-12 items-center rounded-md no-underline sm:h-auto"
            aria-label="PortTunneler, to the tunnels"
          >
            <Brand />
          </Link>
          {/* A row of its own on a phone; the account menu stands above it there. */}
          <nav
            aria-label="Main"
            class="order-last -mx-3 flex h-10 w-full justify-between sm:order-none sm:mx-0 sm:mr-auto sm:h-full sm:w-auto sm:gap-1"
          >
            <NavLink href="/" isHere={(path) => path === '/' || path.startsWith('/tunnels/')}>
              Tunnels
            </NavLink>
            <NavLink href="/names" isHere={(path) => path === '/names'}>
              Names
            </NavLink>
            <NavLink href="/domains" isHere={(path) => path === '/domains'}>
              Domains
            </NavLink>
            <NavLink href="/keys" isHere={(path) => path === '/keys'}>
              API keys
            </NavLink>
          </nav>
          <AccountMenu />
        </div>
      </header>
      <OfflineBanner />
      <main id="main" tabIndex={-1} class={`${column} flex-1 py-8`}>
        {children}
      </main>
      <Footer />
    </div>
  )
}

/** The frame of the pages before sign-in: one narrow card. */
export function NarrowShell({ children }: { children: ComponentChildren }) {
  return (
    <div class="flex min-h-dvh flex-col">
      <SkipLink />
      <ViewBanner />
      <OfflineBanner />
      <main
        id="main"
        tabIndex={-1}
        class="mx-auto flex w-full max-w-[27rem] flex-1 flex-col justify-center px-4 py-10"
      >
        <div class="mb-6 flex justify-center">
          <Brand />
        </div>
        <div class="rounded-2xl border border-line bg-surface p-6 sm:p-8">{children}</div>
      </main>
      <Footer />
    </div>
  )
}

function SkipLink() {
  return (
    <a
      href="#main"
      class="sr-only rounded-lg bg-accent px-4 py-2 font-semibold text-on-accent focus:not-sr-only focus:absolute focus:top-2 focus:left-2 focus:z-30 focus:px-4 focus:py-2"
    >
      Skip to the content
    </a>
  )
}

function Brand() {
  return (
    <span class="flex items-center gap-2.5 font-semibold tracking-tight text-text">
      <svg viewBox="0 0 32 32" width="28" height="28" fill="none" aria-hidden="true">
        <rect width="32" height="32" rx="7" class="fill-accent" />
        <path
          d="M6 23v-5a10 10 0 0 1 20 0v5M16 14v9m-3.5-3.5L16 23l3.5-3.5"
          class="stroke-on-accent"
          stroke-width="2.6"
          stroke-linecap="round"
          stroke-linejoin="round"
        />
      </svg>
      <span>PortTunneler</span>
    </span>
  )
}

function NavLink({
  href,
  isHere,
  children,
}: {
  href: string
  isHere: (path: string) => boolean
  children: ComponentChildren
}) {
  const [path] = useLocation()
  const look = isHere(path)
    ? 'border-accent text-text'
    : 'border-transparent text-muted hover:border-line hover:text-text'
  return (
    <Link
      href={href}
      aria-current={isHere(path) ? 'page' : undefined}
      class={`flex items-center border-b-2 px-3 pt-0.5 text-sm font-semibold whitespace-nowrap no-underline transition-colors ${look}`}
    >
      {children}
    </Link>
  )
}

function OfflineBanner() {
  const isOnline = useOnline()
  return (
    <div role="status">
      {!isOnline && (
        <p class="flex items-center justify-center gap-2 bg-warn-soft px-4 py-2 text-sm font-medium text-warn">
          <Icon name="alert" />
          This browser is offline. What you see may be old; tunnels run on without the console.
        </p>
      )}
    </div>
  )
}

function Footer() {
  return (
    <footer
      class={`${column} flex flex-wrap items-center justify-between gap-4 pt-4 pb-6 text-sm text-muted`}
    >
      <a href="/v1/openapi.json" class="underline underline-offset-2 hover:text-text">
        API description
      </a>
      <ThemeChoice />
    </footer>
  )
}

function useLiveWhileVisible(): void {
  const { live, view, clock } = useServices()
  useEffect(() => {
    // A view shows no live figures, and asking for them would be refused again and again.
    if (view.now) return
    let timer: { clear(): void } | undefined
    const onVisibility = () => {
      timer?.clear()
      if (document.visibilityState === 'visible') live.start()
      else timer = clock.after(hiddenMs, () => live.pause())
    }
    onVisibility()
    document.addEventListener('visibilitychange', onVisibility)
    return () => {
      document.removeEventListener('visibilitychange', onVisibility)
      timer?.clear()
      live.pause()
    }
  }, [live, view, clock])
}
