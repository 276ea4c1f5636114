/** The client's calls about alerts and the webhooks that get them. Used by client.ts. */
import type { z } from 'zod'
import { type CallOptions, type ClientOptions, call, nothing, type PageOptions } from './client-call.ts'
import * as alerts from './schemas/alerts.ts'
import { pageSchema } from './schemas/common.ts'
import * as webhooks from './schemas/webhooks.ts'

const alertPageSchema = pageSchema(alerts.alertSchema)
const deliveryPageSchema = pageSchema(webhooks.deliverySchema)

export function alertCalls(options: ClientOptions) {
  const at = (id: string) => `/v1/alerts/${encodeURIComponent(id)}`
  const get = <T>(path: string, answer: z.ZodType<T>, o?: CallOptions) =>
    call(options, { method: 'GET', path, answer }, o)
  return {
    alerts: ({ limit, cursor, state, ...o }: PageOptions & z.infer<typeof alerts.alertQuerySchema> = {}) =>
      call(
        options,
        { method: 'GET', path: '/v1/alerts', answer: alertPageSchema, query: { limit, cursor, state } },
        o,
      ),
    alertCount: (o?: CallOptions) => get('/v1/alerts/count', alerts.alertCountSchema, o),
    alert: (id: string, o?: CallOptions) => get(at(id), alerts.alertSchema, o),
    actOnAlert: (id: string, json: alerts.AlertAct, o?: CallOptions) =>
      call(options, { method: 'POST', path: at(id), answer: alerts.alertSchema, json }, o),
    alertRules: (o?: CallOptions) => get('/v1/alert-rules', alerts.rulesSchema, o),
    /** `ifMatch`: the rules' revision as read, in quotes, so that a change by somebody else is not overwritten. */
    setAlertRules: (
      json: z.input<typeof alerts.rulesWishSchema>,
      { ifMatch, ...o }: CallOptions & { readonly ifMatch?: string } = {},
    ) =>
      call(
        options,
        {
          method: 'PATCH',
          path: '/v1/alert-rules',
          answer: alerts.rulesSchema,
          json,
          ...(ifMatch !== undefined && { ifMatch }),
        },
        o,
      ),
    maintenance: (o?: CallOptions) => get('/v1/maintenance', alerts.windowsSchema, o),
    addMaintenance: (json: z.input<typeof alerts.windowWishSchema>, o?: CallOptions) =>
      call(options, { method: 'POST', path: '/v1/maintenance', answer: alerts.windowSchema, json }, o),
    removeMaintenance: (id: string, o?: CallOptions) =>
      call(
        options,
        { method: 'DELETE', path: `/v1/maintenance/${encodeURIComponent(id)}`, answer: nothing },
        o,
      ),
  }
}

export function webhookCalls(options: ClientOptions) {
  const path = '/v1/webhooks'
  const at = (id: string) => `${path}/${encodeURIComponent(id)}`
  return {
    webhooks: (o?: CallOptions) => call(options, { method: 'GET', path, answer: webhooks.webhooksSchema }, o),
    /** The answer has the secret, which is shown this once. */
    addWebhook: (json: z.input<typeof webhooks.webhookWishSchema>, o?: CallOptions) =>
      call(options, { method: 'POST', path, answer: webhooks.webhookSecretSchema, json }, o),
    changeWebhook: (id: string, json: z.input<typeof webhooks.webhookChangeSchema>, o?: CallOptions) =>
      call(options, { method: 'PATCH', path: at(id), answer: webhooks.webhookSchema, json }, o),
    rotateWebhookSecret: (id: string, o?: CallOptions) =>
      call(options, { method: 'POST', path: `${at(id)}/secret`, answer: webhooks.webhookSecretSchema }, o),
    removeWebhook: (id: string, o?: CallOptions) =>
      call(options, { method: 'DELETE', path: at(id), answer: nothing }, o),
    testWebhook: (id: string, o?: CallOptions) =>
      call(options, { method: 'POST', path: `${at(id)}/test`, answer: nothing }, o),
    deliveries: (
      id: string,
      { limit, cursor, state, ...o }: PageOptions & z.infer<typeof webhooks.deliveryQuerySchema> = {},
    ) =>
      call(
        options,
        {
          method: 'GET',
          path: `${at(id)}/deliveries`,
          answer: deliveryPageSchema,
          query: { limit, cursor, state },
        },
        o,
      ),
    replayDelivery: (id: string, delivery: string, o?: CallOptions) =>
      call(
        options,
        {
          method: 'POST',
          path: `${at(id)}/deliveries/${encodeURIComponent(delivery)}/replay`,
          answer: webhooks.deliverySchema,
        },
        o,
      ),
  }
}

/** Alerts of the service itself, for operators. */
export function serviceAlertCalls(options: ClientOptions) {
  const path = '/v1/operator/alerts'
  return {
    serviceAlerts: ({
      limit,
      cursor,
      state,
      ...o
    }: PageOptions & z.infer<typeof alerts.alertQuerySchema> = {}) =>
      call(options, { method: 'GET', path, answer: alertPageSchema, query: { limit, cursor, state } }, o),
    actOnServiceAlert: (id: string, json: alerts.AlertAct, o?: CallOptions) =>
      call(
        options,
        { method: 'POST', path: `${path}/${encodeURIComponent(id)}`, answer: alerts.alertSchema, json },
        o,
      ),
  }
}
