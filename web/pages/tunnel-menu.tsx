/** What can be done with a tunnel, in a menu of its header, which stays in sight. */
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import { useRef, useState } from 'preact/hooks'
import { useMe } from '../api/queries.ts'
import { Icon } from '../parts/icon.tsx'
import { DeleteDialog } from './tunnel-delete.tsx'
import { RenameTunnelDialog } from './tunnel-rename.tsx'
import { TagsDialog } from './tunnel-tags.tsx'

const item =
  'flex min-h-10 w-full items-center rounded-md px-3 text-left text-sm font-medium text-text no-underline hover:bg-raised'

/** @param onCode shows the address as a picture; undefined while there is none */
export function TunnelMenu({ tunnel, onCode }: { tunnel: Tunnel; onCode: (() => void) | undefined }) {
  const menu = useRef<HTMLDivElement>(null)
  const button = useRef<HTMLButtonElement>(null)
  const [asked, setAsked] = useState<'rename' | 'tags' | 'delete'>()
  const mayWrite = useMe().data?.permissions.includes('tunnels.write') ?? false
  const url = tunnel.endpoint?.url ?? ''
  const isPage = /^https?:/.test(url)
  const choose = (act: () => void) => () => {
    menu.current?.hidePopover()
    // What opens now gives the focus back here.
    button.current?.focus()
    act()
  }
  if (!mayWrite && url === '') return null
  return (
    <>
      <button
        ref={button}
        type="button"
        popovertarget="tunnel-menu"
        aria-label={`What to do with ${tunnel.name}`}
        class="inline-flex min-h-9 items-center rounded-md px-2.5 text-muted hover:bg-raised hover:text-text pointer-coarse:min-h-11"
      >
        <Icon name="sliders" />
      </button>
      <div
        ref={menu}
        id="tunnel-menu"
        popover="auto"
        class="tunnel-menu w-52 rounded-xl border border-line bg-surface p-2 text-text shadow-xl"
      >
        {isPage && (
          <a class={item} href={url} target="_blank" rel="noreferrer" onClick={choose(() => undefined)}>
            Open it
          </a>
        )}
        {onCode && (
          <button type="button" class={item} onClick={choose(onCode)}>
            QR code
          </button>
        )}
        {mayWrite && (
          <>
            <button type="button" class={item} onClick={choose(() => setAsked('rename'))}>
              Rename
            </button>
            <button type="button" class={item} onClick={choose(() => setAsked('tags'))}>
              Tags
            </button>
            <button type="button" class={item} onClick={choose(() => setAsked('delete'))}>
              Delete tunnel
            </button>
          </>
        )}
      </div>
      {asked === 'rename' && <RenameTunnelDialog tunnel={tunnel} onClose={() => setAsked(undefined)} />}
      {asked === 'tags' && <TagsDialog tunnels={[tunnel]} onClose={() => setAsked(undefined)} />}
      {asked === 'delete' && <DeleteDialog tunnel={tunnel} onClose={() => setAsked(undefined)} />}
    </>
  )
}
