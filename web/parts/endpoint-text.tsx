/** A tunnel's public address with its copy button; a link where a browser can open it. */
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import { CopyButton } from './copy-button.tsx'

/** @param isOneLine cuts a long one off, where room is scarce */
export function EndpointText({ tunnel, isOneLine = false }: { tunnel: Tunnel; isOneLine?: boolean }) {
  const { endpoint } = tunnel
  if (!endpoint) return <span class="text-muted">None until an agent serves it</span>
  const isPage = /^https?:\/\//.test(endpoint.url)
  const look = `min-w-0 font-mono text-[0.8125rem] ${isOneLine ? 'truncate sm:whitespace-normal sm:break-all' : 'break-all'}`
  return (
    <div class="flex items-center gap-2">
      {isPage ? (
        <a
          href={endpoint.url}
          target="_blank"
          rel="noreferrer"
          class={`${look} underline decoration-edge underline-offset-4 hover:text-accent`}
        >
          {endpoint.url}
        </a>
      ) : (
        <span class={look}>{endpoint.url}</span>
      )}
      <CopyButton text={endpoint.url} what={`endpoint of ${tunnel.name}`} />
    </div>
  )
}
