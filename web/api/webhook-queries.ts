/** The webhooks that get the account's alerts, what was sent to them, and what people do with both. */
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import type { DeliveryPage, DeliveryWish, WebhookChange, WebhookWish } from './alert-calls.ts'
import { useServices } from './services.tsx'

const queryKey = ['webhooks']
/** Somebody who has just sent a test waits for its answer. */
const deliveriesEveryMs = 5_000
const everyMs = 30_000

export function useWebhooks() {
  const { calls } = useServices()
  return useQuery({
    queryKey: [...queryKey, 'all'],
    queryFn: ({ signal }) => calls.webhooks(signal),
    refetchInterval: everyMs,
  })
}

export function useDeliveries(id: string, { state }: Pick<DeliveryWish, 'state'>) {
  const { calls } = useServices()
  return useInfiniteQuery({
    queryKey: [...queryKey, 'deliveries', id, state],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) => calls.deliveries(id, { state, cursor: pageParam }, signal),
    getNextPageParam: (page: DeliveryPage) => page.next,
    refetchInterval: deliveriesEveryMs,
  })
}

function useWebhookAct<Wish, Answer>(act: (wish: Wish) => Promise<Answer>) {
  const queries = useQueryClient()
  return useMutation({ mutationFn: act, onSettled: () => queries.invalidateQueries({ queryKey }) })
}

export function useAddWebhook() {
  const { calls } = useServices()
  return useWebhookAct((wish: WebhookWish) => calls.addWebhook(wish))
}

export function useChangeWebhook(id: string) {
  const { calls } = useServices()
  return useWebhookAct((change: WebhookChange) => calls.changeWebhook(id, change))
}

export function useRotateSecret(id: string) {
  const { calls } = useServices()
  return useWebhookAct((_: undefined) => calls.rotateWebhookSecret(id))
}

export function useRemoveWebhook(id: string) {
  const { calls } = useServices()
  return useWebhookAct((_: undefined) => calls.removeWebhook(id))
}

export function useTestWebhook(id: string) {
  const { calls } = useServices()
  return useWebhookAct((_: undefined) => calls.testWebhook(id))
}

export function useReplayDelivery(id: string) {
  const { calls } = useServices()
  return useWebhookAct((delivery: string) => calls.replayDelivery(id, delivery))
}
