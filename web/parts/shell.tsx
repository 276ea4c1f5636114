/** What stands around every page of somebody who is signed in: skip link, navigation, account menu, footer. */
import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'
import { Link } from 'wouter-preact'
import { useServices } from '../api/services.tsx'
import { AccountMenu } from './account-menu.tsx'
import { Icon } from './icon.tsx'
import { MainNav } from './main-nav.tsx'
import { useOnline } from './media.ts'
import { PaletteButton } from './palette-button.tsx'
import { ThemeChoice } from './theme.tsx'
import { ViewBanner } from './view-banner.tsx'

/** A tab nobody looks at keeps no streams open for longer than this. */
const hiddenMs = 30_000
const column = 'w-full max-w-[100rem] px-4 sm:px-6 lg:px-8'

/** A rail at the left of a wide screen, a bar at the top of a narrower one, and tabs at the bottom of a phone. */
export function Shell({ children }: { children: ComponentChildren }) {
  useLiveWhileVisible()
  return (
    <div class="flex min-h-dvh flex-col">
      <SkipLink />
      <ViewBanner />
      <div class="flex flex-1 flex-col lg:flex-row">
        <header class="flex items-center justify-between gap-x-6 border-b border-line bg-surface px-4 sm:px-6 lg:sticky lg:top-0 lg:h-dvh lg:w-52 lg:shrink-0 lg:flex-col lg:items-stretch lg:justify-start lg:border-r lg:border-b-0 lg:p-3">
          <Link
            href="/"
            class="flex h-12 items-center rounded-md no-underline sm:h-14 lg:mb-3 lg:h-10 lg:px-2"
            aria-label="PortTunneler, to the tunnels"
          >
            <Brand />
          </Link>
          <MainNav />
          <div class="flex items-center gap-1 lg:mt-auto lg:flex-col lg:items-stretch">
            <PaletteButton />
            <AccountMenu />
          </div>
        </header>
        <div class="flex min-w-0 flex-1 flex-col pb-16 sm:pb-0">
          <OfflineBanner />
          <main id="main" tabIndex={-1} class={`${column} flex-1 py-6 lg:py-8`}>
            {children}
          </main>
          <Footer />
        </div>
      </div>
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
        <div class="rounded-xl border border-line bg-surface p-6 sm:p-8">{children}</div>
      </main>
      <Footer />
    </div>
  )
}

function SkipLink() {
  return (
    <a
      href="#main"
      class="sr-only rounded-md bg-accent px-4 py-2 font-semibold text-on-accent focus:not-sr-only focus:absolute focus:top-2 focus:left-2 focus:z-30 focus:px-4 focus:py-2"
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
      <span class="flex gap-4">
        <a href="/docs/" class="underline underline-offset-2 hover:text-text">
          Documentation
        </a>
        <a href="/v1/openapi.json" class="underline underline-offset-2 hover:text-text">
          API description
        </a>
      </span>
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
