/** What somebody did to a tunnel, from the audit log, for people who may read it. */
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'preact/hooks'
import { useMe } from './queries.ts'
import { useServices } from './services.tsx'

type Change = { readonly at: number; readonly text: string; readonly isFirst: boolean }

export function useChanges({ id, createdAt, updatedAt }: Tunnel): readonly Change[] {
  const { calls } = useServices()
  const mayRead = useMe().data?.permissions.includes('audit.read') ?? false
  const query = useQuery({
    queryKey: ['changes', id, updatedAt],
    enabled: mayRead,
    queryFn: ({ signal }) => calls.changesOf(id, signal),
  })
  const items = query.data?.items
  return useMemo(
    () =>
      items?.map(({ at, action }) => ({ at, text: `${wordOf(action)}.`, isFirst: false })) ?? [
        { at: createdAt, text: 'The tunnel was made.', isFirst: true },
      ],
    [items, createdAt],
  )
}

/** "tunnel.updated" -> "Tunnel updated" */
function wordOf(action: string): string {
  const text = action.replaceAll(/[._]/g, ' ')
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`
}
