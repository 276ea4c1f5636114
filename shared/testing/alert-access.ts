/** Who may call the routes of alerts and webhooks, for the matrix of access.test.ts, which explains the letters. */
import { newId } from '../base/ids.ts'

type Row = readonly [route: string, allowed: string, json?: object | undefined, status?: number]

const everybody = 'oadbv'

export const ofAlerts: readonly Row[] = [
  ['GET /v1/alerts', `${everybody}RTASB`],
  ['GET /v1/alerts/count', `${everybody}RTASB`],
  // Nothing is wrong; callers with the right are told so.
  ['GET /v1/alerts/{alert}', `${everybody}RTASB`, undefined, 404],
  ['POST /v1/alerts/{alert}', 'oadTASB', { act: 'acknowledge' }, 404],
  ['GET /v1/alert-rules', `${everybody}RTASB`],
  ['PATCH /v1/alert-rules', 'oaA', { items: [] }],
  ['GET /v1/maintenance', `${everybody}RTASB`],
  ['POST /v1/maintenance', 'oadTASB', { from: 1_767_225_600_000, until: 1_769_000_000_000 }, 201],
  ['DELETE /v1/maintenance/{window}', 'oadTASB', undefined, 404],
  ['GET /v1/webhooks', 'oaA'],
  // Webhooks are sent by no server of a test; callers with the right are told so.
  ['POST /v1/webhooks', 'oaA', { url: 'https://hooks.example.com/x' }, 409],
  ['PATCH /v1/webhooks/{webhook}', 'oaA', { on: true }, 404],
  ['POST /v1/webhooks/{webhook}/secret', 'oaA', undefined, 404],
  ['POST /v1/webhooks/{webhook}/test', 'oaA', undefined, 404],
  ['GET /v1/webhooks/{webhook}/deliveries', 'oaA', undefined, 404],
  ['POST /v1/webhooks/{webhook}/deliveries/{delivery}/replay', 'oaA', undefined, 404],
  ['DELETE /v1/webhooks/{webhook}', 'oaA', undefined, 404],
]

/** What these make stays in the account, where those who have the right can undo it. */
export const changingAlerts: readonly string[] = [
  'POST /v1/alerts/{alert}',
  'PATCH /v1/alert-rules',
  'POST /v1/maintenance',
  'DELETE /v1/maintenance/{window}',
  'POST /v1/webhooks',
  'PATCH /v1/webhooks/{webhook}',
  'POST /v1/webhooks/{webhook}/secret',
  'POST /v1/webhooks/{webhook}/test',
  'POST /v1/webhooks/{webhook}/deliveries/{delivery}/replay',
  'DELETE /v1/webhooks/{webhook}',
]

export const alertIds = {
  '{alert}': `alr_${'0'.repeat(26)}`,
  '{window}': newId('mnt', 1),
  '{webhook}': newId('whk', 1),
  '{delivery}': newId('dlv', 1),
}
