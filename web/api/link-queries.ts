/** The services that the signed-in person can sign in with. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { leaveFor } from './begun-sign-in.ts'
import type { Calls } from './calls.ts'
import { useServices } from './services.tsx'

const key = ['links']

export type Link = Awaited<ReturnType<Calls['links']>>['items'][number]

/** @param isLocal elsewhere the sign-in service of the platform keeps them */
export function useLinks(isLocal: boolean) {
  const { calls } = useServices()
  return useQuery({ queryKey: key, queryFn: ({ signal }) => calls.links(signal), enabled: isLocal })
}

/** Sends the browser to the service, which sends it back to finish. */
export function useAddLink() {
  const { calls } = useServices()
  return useMutation({
    mutationFn: async (service: string) =>
      leaveFor(await calls.beginLink(service), { service, purpose: 'link', search: '' }),
    gcTime: 0,
  })
}

export function useRemoveLink({ onRemoved }: { onRemoved: () => void }) {
  const { calls } = useServices()
  const client = useQueryClient()
  return useMutation({
    mutationFn: (id: string) => calls.removeLink(id),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: key })
      onRemoved()
    },
  })
}
