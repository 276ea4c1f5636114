/** What operators may call in person, for the matrix of access.test.ts: others are told that only operators may. */
import { newId } from '../base/ids.ts'

const because = { reason: 'a test' }
/** A new route that changes something is fresh, unless it is in the first list. */
type Row = readonly [route: string, json?: object]

/** Read, or change what any session may. */
const ofAnySession: readonly Row[] = [
  ['GET /v1/mails'],
  ['GET /v1/mails/{mail}'],
  ['GET /v1/operator/people?who=ada'],
  ['GET /v1/operator/tunnels?at=shop.example.com'],
  ['GET /v1/operator/takedowns'],
  ['GET /v1/operator/reports'],
  ['GET /v1/operator/reports/{report}'],
  ['GET /v1/operator/people/{person}'],
  ['GET /v1/operator/accounts?who=lab'],
  ['GET /v1/operator/view'],
  ['DELETE /v1/operator/view'],
  ['GET /v1/operator/accounts/{account}'],
  ['GET /v1/operator/billing/drift'],
  ['GET /v1/operator/cells'],
  ['GET /v1/operator/alerts'],
  ['POST /v1/operator/alerts/{alert}', { act: 'acknowledge' }],
  ['GET /v1/operator/jobs'],
  ['GET /v1/operator/flags'],
  ['GET /v1/operator/invites'],
  ['GET /v1/operator/wait-list'],
  ['GET /v1/operator/revenue'],
  ['GET /v1/operator/talkers'],
  ['GET /v1/operator/activity'],
  ['GET /v1/operator/security'],
  ['GET /v1/operator/health'],
  ['GET /v1/operator/retention'],
  ['GET /v1/operator/holds'],
  ['GET /v1/operator/logs?query=level>=warn'],
  [`GET /v1/operator/notes?about=${newId('acc', 1)}`],
]
/** Want a person who showed a moment ago who they are. */
const fresh: readonly Row[] = [
  ['POST /v1/operator/view', { account: newId('acc', 1), ...because }],
  ['POST /v1/operator/accounts/{account}/suspend', because],
  ['POST /v1/operator/accounts/{account}/resume'],
  ['POST /v1/operator/people/{person}/disable', because],
  ['POST /v1/operator/people/{person}/enable'],
  ['POST /v1/operator/tunnels/{tunnel}/take-down', because],
  ['POST /v1/operator/tunnels/{tunnel}/restore'],
  ['POST /v1/operator/reports/{report}/decide', { decision: 'dismissed', ...because }],
  ['POST /v1/operator/cells/{cell}/close'],
  ['POST /v1/operator/cells/{cell}/open'],
  ['POST /v1/operator/relays/{relay}/drain'],
  ['POST /v1/operator/jobs/{job}/retry'],
  ['DELETE /v1/operator/jobs/{job}'],
  ['POST /v1/operator/flags/{flag}/share', { percent: 50 }],
  ['POST /v1/operator/flags/{flag}/account', { account: newId('acc', 1), value: 'on' }],
  ['POST /v1/operator/flags/{flag}/kill', because],
  ['POST /v1/operator/flags/{flag}/revive'],
  ['POST /v1/operator/invites', {}],
  ['DELETE /v1/operator/invites/{invite}'],
  ['POST /v1/operator/wait-list/invite', { count: 1 }],
  ['POST /v1/operator/notes', { about: newId('acc', 1), text: 'x' }],
  ['DELETE /v1/operator/notes/{note}'],
  ['POST /v1/operator/holds', { about: newId('acc', 1), until: 1, ...because }],
  ['POST /v1/operator/holds/{held}/release', because],
  // They show people of all accounts at once.
  ['GET /v1/operator/compliance'],
  ['GET /v1/operator/compliance/page'],
]

export const ofOperators: readonly Row[] = [...ofAnySession, ...fresh]
export const freshOfOperators: readonly string[] = fresh.map(([route]) => route)
