/** The audit log, page by page, the proof of an entry, and the export of all of them. */
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { readAllPages } from './all-pages.ts'
import type { AuditWish } from './calls.ts'
import { toFailure } from './failure.ts'
import { useServices } from './services.tsx'

const names = { log: (wish: AuditWish) => ['audit', JSON.stringify(wish)], export: ['audit-export'] } as const
/** A job writes it in about three minutes. */
const writingEveryMs = 10_000
/** `api.not_found`: none was asked for yet. */
const noneCode = 'PT-0002'

export function useAudit(wish: AuditWish) {
  const { calls } = useServices()
  return useInfiniteQuery({
    queryKey: names.log(wish),
    queryFn: ({ pageParam, signal }) =>
      calls.audit({ ...wish, limit: 50, ...(pageParam !== '' && { cursor: pageParam }) }, signal),
    initialPageParam: '',
    getNextPageParam: ({ next }) => next,
  })
}

/** Everything that a search finds, up to the limit of a list. */
export function useFoundAudit() {
  const { calls } = useServices()
  return useMutation({
    gcTime: 0,
    mutationFn: (wish: AuditWish) =>
      readAllPages(
        (cursor, signal) =>
          calls.audit({ ...wish, limit: 100, ...(cursor !== undefined && { cursor }) }, signal),
        new AbortController().signal,
      ),
  })
}

export function useAuditProof() {
  const { calls } = useServices()
  return useMutation({ mutationFn: calls.auditProof, gcTime: 0 })
}

/** null: none was asked for. */
export function useAuditExport() {
  const { calls } = useServices()
  return useQuery({
    queryKey: names.export,
    queryFn: ({ signal }) =>
      calls.auditExport(signal).catch((error: unknown) => {
        if (toFailure(error).problem.code === noneCode) return null
        throw error
      }),
    refetchInterval: ({ state }) => (state.data?.state === 'writing' ? writingEveryMs : false),
  })
}

export function useStartAuditExport() {
  const { calls } = useServices()
  const client = useQueryClient()
  return useMutation({
    mutationFn: () => calls.startAuditExport(),
    onSuccess: (made) => client.setQueryData(names.export, made),
  })
}

/** @param onFile gets all parts as one file */
export function useSaveAuditExport(onFile: (file: Blob) => void) {
  const { calls } = useServices()
  return useMutation({
    gcTime: 0,
    mutationFn: async (parts: number) => {
      const files: Blob[] = []
      for (let part = 1; part <= parts; part += 1) files.push(await calls.auditExportPart(part))
      return new Blob(files, { type: 'application/x-ndjson' })
    },
    onSuccess: onFile,
  })
}
