/** The console's calls about alerts and the webhooks that get them. Used by calls.ts. */
import type { Client } from '@porttunneler/shared/api/client'
import type { Requests } from './requests.ts'

type AnswerOf<Name extends keyof Client> = Awaited<ReturnType<Client[Name]>>
export type AlertPage = AnswerOf<'alerts'>
export type AlertAct = Parameters<Client['actOnAlert']>[1]
export type AlertWish = Pick<NonNullable<Parameters<Client['alerts']>[0]>, 'state' | 'cursor'>

export type AlertRules = AnswerOf<'alertRules'>
export type RulesWish = Parameters<Client['setAlertRules']>[0]
export type WindowWish = Parameters<Client['addMaintenance']>[0]
export type WebhookWish = Parameters<Client['addWebhook']>[0]
export type WebhookChange = Parameters<Client['changeWebhook']>[1]
export type WebhookCreated = AnswerOf<'addWebhook'>
export type DeliveryPage = AnswerOf<'deliveries'>
export type DeliveryWish = Pick<NonNullable<Parameters<Client['deliveries']>[1]>, 'state' | 'cursor'>

export function alertCalls(request: Requests) {
  const at = (id: string) => `/v1/alerts/${encodeURIComponent(id)}`
  return {
    alerts: (wish: AlertWish, signal?: AbortSignal) =>
      request<AlertPage>('GET', withQuery('/v1/alerts', wish), { signal }),
    alertCount: (signal?: AbortSignal) =>
      request<AnswerOf<'alertCount'>>('GET', '/v1/alerts/count', { signal }),
    alert: (id: string, signal?: AbortSignal) => request<AnswerOf<'alert'>>('GET', at(id), { signal }),
    actOnAlert: (id: string, body: AlertAct) => request<AnswerOf<'actOnAlert'>>('POST', at(id), { body }),
    alertRules: (signal?: AbortSignal) => request<AlertRules>('GET', '/v1/alert-rules', { signal }),
    /** `revision`: of the rules as read; the change fails with 412 when somebody else was faster. */
    setAlertRules: (body: RulesWish, revision: number) =>
      request<AlertRules>('PATCH', '/v1/alert-rules', { body, ifMatch: `"${revision}"` }),
    maintenance: (signal?: AbortSignal) =>
      request<AnswerOf<'maintenance'>>('GET', '/v1/maintenance', { signal }),
    addMaintenance: (body: WindowWish) =>
      request<AnswerOf<'addMaintenance'>>('POST', '/v1/maintenance', { body }),
    removeMaintenance: (id: string) => request<void>('DELETE', `/v1/maintenance/${encodeURIComponent(id)}`),
  }
}

export function webhookCalls(request: Requests) {
  const at = (id: string) => `/v1/webhooks/${encodeURIComponent(id)}`
  return {
    webhooks: (signal?: AbortSignal) => request<AnswerOf<'webhooks'>>('GET', '/v1/webhooks', { signal }),
    addWebhook: (body: WebhookWish) => request<WebhookCreated>('POST', '/v1/webhooks', { body }),
    changeWebhook: (id: string, body: WebhookChange) =>
      request<AnswerOf<'changeWebhook'>>('PATCH', at(id), { body }),
    rotateWebhookSecret: (id: string) => request<WebhookCreated>('POST', `${at(id)}/secret`),
    removeWebhook: (id: string) => request<void>('DELETE', at(id)),
    testWebhook: (id: string) => request<void>('POST', `${at(id)}/test`),
    deliveries: (id: string, wish: DeliveryWish, signal?: AbortSignal) =>
      request<DeliveryPage>('GET', withQuery(`${at(id)}/deliveries`, wish), { signal }),
    replayDelivery: (id: string, delivery: string) =>
      request<AnswerOf<'replayDelivery'>>(
        'POST',
        `${at(id)}/deliveries/${encodeURIComponent(delivery)}/replay`,
      ),
  }
}

function withQuery(path: string, { state, cursor }: AlertWish | DeliveryWish): string {
  const query = new URLSearchParams({ ...(cursor && { cursor }), ...(state && { state }) })
  return query.size > 0 ? `${path}?${query}` : path
}
