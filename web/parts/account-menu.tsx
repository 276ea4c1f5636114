/** The account menu: who is signed in, with which plan, and the way out. A native popover, so Escape closes it. */
import { useRef } from 'preact/hooks'
import { Link } from 'wouter-preact'
import { useMe } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { useSignOut } from '../api/sign-out.ts'
import { useAccounts } from '../api/team-queries.ts'
import { placesOf } from '../routes.ts'
import { Icon } from './icon.tsx'

const item =
  'flex min-h-10 w-full items-center rounded-md px-3 text-left text-sm font-medium text-text no-underline hover:bg-raised'

export function AccountMenu() {
  const me = useMe()
  const signOut = useSignOut()
  const menu = useRef<HTMLDivElement>(null)
  // The rail has them where there is one.
  const elsewhere = me.data ? [...placesOf('settings', me.data), ...placesOf('operator', me.data)] : []
  const close = () => menu.current?.hidePopover()
  return (
    <div>
      <button
        type="button"
        popovertarget="account-menu"
        aria-label="Account menu"
        class="flex min-h-10 w-full items-center gap-2 rounded-md px-2.5 text-sm text-muted hover:bg-raised hover:text-text"
      >
        <Icon name="person" />
        <span class="hidden flex-1 text-left font-semibold lg:inline">Account</span>
        <Icon name="down" size={14} />
      </button>
      <div
        ref={menu}
        id="account-menu"
        popover="auto"
        class="top-[3.25rem] right-4 left-auto m-0 lg:top-auto lg:right-auto lg:bottom-14 lg:left-3 max-h-[calc(100dvh-5rem)] w-64 overflow-y-auto rounded-xl border border-line bg-surface p-2 text-text shadow-xl"
      >
        <div class="px-3 py-2">
          <p class="truncate text-sm font-semibold">{me.data?.email ?? me.data?.accountName ?? '…'}</p>
          <p class="text-sm text-muted">{me.data ? `Plan: ${me.data.plan}` : 'Loading'}</p>
        </div>
        {me.data && <Accounts here={me.data.account} />}
        <hr class="my-1 border-line" />
        {elsewhere.map(({ path, title }) => (
          <Link key={path} href={path} class={`${item} lg:hidden`} onClick={close}>
            {title}
          </Link>
        ))}
        <button
          type="button"
          class={item}
          onClick={() => {
            close()
            signOut.mutate({ everywhere: false })
          }}
        >
          Sign out
        </button>
      </div>
    </div>
  )
}

/** The switch between accounts, for those who have several. */
function Accounts({ here }: { here: string }) {
  const { switchAccount } = useServices()
  const items = useAccounts().data?.items ?? []
  if (items.length < 2) return null
  return (
    <>
      <hr class="my-1 border-line" />
      <ul aria-label="Accounts">
        {items.map(({ id, name }) => (
          <li key={id}>
            <button
              type="button"
              class={`${item} justify-between gap-2`}
              aria-current={id === here ? 'true' : undefined}
              onClick={() => id !== here && switchAccount(id)}
            >
              <span class="truncate">{name}</span>
              {id === here && <Icon name="check" size={16} />}
            </button>
          </li>
        ))}
      </ul>
    </>
  )
}
