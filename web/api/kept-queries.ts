/** Host names and ports that the account keeps: both are read, reserved, given to one tunnel and released alike. */
import type { ReservedName, ReservedPort } from '@porttunneler/shared/api/schemas/reservations'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { readAllPages } from './all-pages.ts'
import { useServices } from './services.tsx'

export type Kept = ReservedName | ReservedPort
export type KeptKind = 'names' | 'ports'

/** What tunnels do with them shows after this time at the latest. */
const keptEveryMs = 10_000

/** The name of one in the API's paths. */
function idOf(kept: Kept): string {
  return 'id' in kept ? kept.id : kept.host
}

export function useKept(kind: KeptKind) {
  const { calls } = useServices()
  return useQuery({
    queryKey: [kind],
    queryFn: ({ signal }) => readAllPages<Kept>(calls[kind], signal),
    refetchInterval: keptEveryMs,
  })
}

/** @param change what is done; the list is read again after it */
function useKeptChange<Wish, Answer>(
  kind: KeptKind,
  change: (wish: Wish) => Promise<Answer>,
  onDone?: (answer: Answer) => void,
) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: change,
    onSuccess: async (answer) => {
      await client.invalidateQueries({ queryKey: [kind] })
      onDone?.(answer)
    },
  })
}

/** For ports '' is any free one. */
export function useReserve(kind: KeptKind, onReserved: (kept: Kept) => void) {
  const { calls } = useServices()
  const reserve = (text: string): Promise<Kept> => {
    if (kind === 'names') return calls.reserveName({ name: text })
    return calls.reservePort(text === '' ? {} : { port: Number(text) })
  }
  return useKeptChange(kind, reserve, onReserved)
}

/** null: any tunnel that asks for it gets it. */
export function useGiveKept(kind: KeptKind, kept: Kept) {
  const { calls } = useServices()
  return useKeptChange(kind, (tunnel: string | null): Promise<Kept> => {
    const give = kind === 'names' ? calls.giveName : calls.givePort
    return give(idOf(kept), tunnel, kept.revision)
  })
}

/** To another account of the person. */
export function useMoveKept(kind: KeptKind, onMoved: () => void) {
  const { calls } = useServices()
  const move = kind === 'names' ? calls.moveName : calls.movePort
  return useKeptChange(
    kind,
    ({ kept, account }: { kept: Kept; account: string }) => move(idOf(kept), account),
    onMoved,
  )
}

export function useReleaseKept(kind: KeptKind, onReleased: () => void) {
  const { calls } = useServices()
  const release = kind === 'names' ? calls.releaseName : calls.releasePort
  return useKeptChange(kind, (kept: Kept) => release(idOf(kept)), onReleased)
}
