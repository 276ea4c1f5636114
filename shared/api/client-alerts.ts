/** The client's calls about alerts. Used by client.ts. */
import type { z } from 'zod'
import { type CallOptions, type ClientOptions, call, nothing, type PageOptions } from './client-call.ts'
import * as alerts from './schemas/alerts.ts'
import { pageSchema } from './schemas/common.ts'

const alertPageSchema = pageSchema(alerts.alertSchema)

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
    setAlertRules: (json: z.input<typeof alerts.rulesWishSchema>, o?: CallOptions) =>
      call(options, { method: 'PATCH', path: '/v1/alert-rules', answer: alerts.rulesSchema, json }, o),
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
