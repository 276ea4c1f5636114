/** Server state by TanStack Query: what is read, how often it is read again, and what a change makes stale. */

import type { Domain } from '@porttunneler/shared/api/schemas/domains'
import {
  MutationCache,
  QueryCache,
  QueryClient,
  useMutation,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query'
import { readAllPages } from './all-pages.ts'
import type { KeyCreated, TunnelUpdate } from './calls.ts'
import { type ApiFailure, toFailure } from './failure.ts'
import { isAtGate } from './gates.ts'
import { useServices } from './services.tsx'

/** Agents come and go: states and endpoints are read this often while somebody looks. */
const tunnelsEveryMs = 10_000
/** A look takes some seconds. */
const domainsEveryMs = 5_000

const names = {
  config: ['config'],
  plans: ['plans'],
  me: ['me'],
  account: ['account'],
  tunnels: ['tunnels'],
  tunnel: (id: string) => ['tunnel', id],
  keys: ['keys'],
  domains: ['domains'],
  device: (code: string) => ['device', code],
} as const

export function makeQueryClient(): QueryClient {
  // A page that has been open for a while learns by any call that its person lacks something, such as a second factor
  // since a moment ago: what is known of the person is read again, and the console asks them for it (app.tsx).
  const onError = (error: unknown) => {
    const knows = client.getQueryState(names.me)?.status === 'success'
    if (knows && isAtGate(error)) void client.invalidateQueries({ queryKey: names.me })
  }
  const client: QueryClient = new QueryClient({
    queryCache: new QueryCache({
      onError: (error, { queryKey }) => {
        if (queryKey[0] !== names.me[0]) onError(error)
      },
    }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: {
      queries: {
        retry: (count, error) => count < 2 && toFailure(error).isPassing,
        staleTime: 5_000,
        networkMode: 'always',
      },
      mutations: { networkMode: 'always' },
    },
  })
  return client
}

export function useConfig() {
  const { calls } = useServices()
  return useQuery({
    queryKey: names.config,
    queryFn: ({ signal }) => calls.config(signal),
    staleTime: Number.POSITIVE_INFINITY,
  })
}

export function usePlans() {
  const { calls } = useServices()
  return useQuery({ queryKey: names.plans, queryFn: ({ signal }) => calls.plans(signal), staleTime: 60_000 })
}

export function useMe() {
  const { calls } = useServices()
  return useQuery({ queryKey: names.me, queryFn: ({ signal }) => calls.me(signal), staleTime: 60_000 })
}

/** With the month's transfer, which the control plane counts anew every five minutes. */
export function useAccount() {
  const { calls } = useServices()
  return useQuery({
    queryKey: names.account,
    queryFn: ({ signal }) => calls.account(signal),
    staleTime: 60_000,
  })
}

export function useTunnels() {
  const { calls } = useServices()
  return useQuery({
    queryKey: names.tunnels,
    queryFn: ({ signal }) => readAllPages(calls.tunnels, signal),
    refetchInterval: tunnelsEveryMs,
  })
}

export function useTunnel(id: string, everyMs = tunnelsEveryMs) {
  const { calls } = useServices()
  return useQuery({
    queryKey: names.tunnel(id),
    queryFn: ({ signal }) => calls.tunnel(id, signal),
    refetchInterval: everyMs,
  })
}

export function useUpdateTunnel(id: string) {
  const { calls } = useServices()
  const client = useQueryClient()
  return useMutation({
    mutationFn: ({ change, revision }: { change: TunnelUpdate; revision: number }) =>
      calls.updateTunnel(id, change, revision),
    onSuccess: (tunnel) => {
      client.setQueryData(names.tunnel(id), tunnel)
      return client.invalidateQueries({ queryKey: names.tunnels })
    },
  })
}

export function useDeleteTunnel(id: string) {
  const { calls } = useServices()
  const client = useQueryClient()
  return useMutation({
    mutationFn: () => calls.deleteTunnel(id),
    onSuccess: () => client.invalidateQueries({ queryKey: names.tunnels }),
  })
}

export function useKeys() {
  const { calls } = useServices()
  return useQuery({
    queryKey: names.keys,
    queryFn: ({ signal }) => readAllPages(calls.keys, signal),
  })
}

export function useCreateKey({ onCreated }: { onCreated: (key: KeyCreated) => void }) {
  const { calls } = useServices()
  const client = useQueryClient()
  return useMutation({
    mutationFn: calls.createKey,
    // The secret goes to the dialog alone: nothing keeps it after that.
    gcTime: 0,
    onSuccess: (key) => {
      onCreated(key)
      return client.invalidateQueries({ queryKey: names.keys })
    },
  })
}

export function useRevokeKey({ onRevoked }: { onRevoked: () => void }) {
  const { calls } = useServices()
  const client = useQueryClient()
  return useMutation({
    mutationFn: (id: string) => calls.revokeKey(id),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: names.keys })
      onRevoked()
    },
  })
}

/** While one of them waits for its record or certificate it is read often: its name servers are asked all the time. */
export function useDomains() {
  const { calls } = useServices()
  return useQuery({
    queryKey: names.domains,
    queryFn: ({ signal }) => readAllPages(calls.domains, signal),
    refetchInterval: ({ state }) =>
      state.data?.items.some(isUnderWay) ? domainsEveryMs : 6 * domainsEveryMs,
  })
}

function isUnderWay({ state, certificate }: Domain): boolean {
  return state !== 'verified' || certificate?.state === 'ordering'
}

/** @param change what is done; the list is read again after it */
function useDomainChange<Wish, Answer>(
  change: (wish: Wish) => Promise<Answer>,
  onDone?: (answer: Answer) => void,
) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: change,
    onSuccess: async (answer) => {
      await client.invalidateQueries({ queryKey: names.domains })
      onDone?.(answer)
    },
  })
}

export function useAddDomain({ onAdded }: { onAdded: (domain: Domain) => void }) {
  const { calls } = useServices()
  return useDomainChange(calls.addDomain, onAdded)
}

export function useGiveDomain(host: string) {
  const { calls } = useServices()
  return useDomainChange((tunnel: string | null) => calls.giveDomain(host, tunnel))
}

export function useCheckDomain(host: string) {
  const { calls } = useServices()
  return useDomainChange(() => calls.checkDomain(host))
}

export function useRemoveDomain({ onRemoved }: { onRemoved: () => void }) {
  const { calls } = useServices()
  return useDomainChange(calls.removeDomain, onRemoved)
}

export function useDeviceRequest(userCode: string) {
  const { calls } = useServices()
  return useQuery({
    queryKey: names.device(userCode),
    queryFn: ({ signal }) => calls.device(userCode, signal),
    enabled: userCode !== '',
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  })
}

/** A query's or mutation's error as something to show, or undefined. */
export function failureIn(result: { readonly error: Error | null }): ApiFailure | undefined {
  return result.error ? toFailure(result.error) : undefined
}

/** When the data was read, if it could not be read again since: it may not be true any more. */
export function asOf(query: {
  readonly isError: boolean
  readonly dataUpdatedAt: number
}): number | undefined {
  return query.isError && query.dataUpdatedAt > 0 ? query.dataUpdatedAt : undefined
}
