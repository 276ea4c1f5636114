/**
 * The REST API as one Fetch handler, the same for your own server and for a Cloud Function. Routes are in routes/,
 * rules in control/; here is what all of them share: the order of checks, errors as problem documents, the description.
 */
import { OpenAPIHono } from '@hono/zod-openapi'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { fail, isFailure, type PortTunnelerError } from '../base/errors.ts'
import { PerMinute } from '../base/per-minute.ts'
import { howToLift } from '../control/money/lifting.ts'
import { briefAnswers } from './brief-answers.ts'
import { Cursors } from './cursors.ts'
import type { ApiContext, ApiDeps, ApiEnv, RouteGroup } from './kit.ts'
import { methodsAt } from './methods.ts'
import { identifyRequest, limitAddresses, makeGuard, secureAnswers, traceRequests } from './middleware.ts'
import { describeApi } from './openapi.ts'
import { toProblem } from './problem.ts'
import { accountRoutes } from './routes/account.ts'
import { addressChangeRoutes } from './routes/address-change.ts'
import { alertRoutesOf, alertRuleRoutes } from './routes/alerts.ts'
import { auditRoutes } from './routes/audit.ts'
import { billingRoutes } from './routes/billing.ts'
import { certificateRoutes } from './routes/certificates.ts'
import { connectionRoutes } from './routes/connections.ts'
import { deviceRoutes, oauthProblem } from './routes/device.ts'
import { domainRoutes } from './routes/domains.ts'
import { factorRoutes, recoveryRoutes } from './routes/factors.ts'
import { feedbackRoutes } from './routes/feedback.ts'
import { historyRoutes } from './routes/history.ts'
import { invitationRoutes } from './routes/invitations.ts'
import { keyRoutes } from './routes/keys.ts'
import { leaseRoutes } from './routes/leases.ts'
import { mailRoutes } from './routes/mails.ts'
import { memberRoutes } from './routes/members.ts'
import { operatorRoutes } from './routes/operator.ts'
import { operatorAbuseRoutes } from './routes/operator-abuse.ts'
import { operatorAlertRoutes } from './routes/operator-alerts.ts'
import { operatorFleetRoutes } from './routes/operator-fleet.ts'
import { operatorInsightRoutes } from './routes/operator-insight.ts'
import { operatorJobRoutes } from './routes/operator-jobs.ts'
import { operatorKeepingRoutes } from './routes/operator-keeping.ts'
import { operatorLogRoutes } from './routes/operator-logs.ts'
import { operatorFlagRoutes, operatorInviteRoutes } from './routes/operator-rollout.ts'
import { operatorViewRoutes } from './routes/operator-views.ts'
import { ownDataRoutes } from './routes/own-data.ts'
import { relayRoutes } from './routes/relays.ts'
import { reportRoutes } from './routes/report.ts'
import { nameRoutesOf, portRoutesOf } from './routes/reservations.ts'
import { serviceRoutes } from './routes/service.ts'
import { signInListRoutes } from './routes/sign-ins.ts'
import { termsRoutes } from './routes/terms.ts'
import { tunnelRoutes } from './routes/tunnels.ts'
import { waitListRoutes } from './routes/wait-list.ts'
import { webhookRoutes } from './routes/webhooks.ts'

export type { ApiDeps } from './kit.ts'

export function makeApi(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const app = new OpenAPIHono<ApiEnv>()
  app.use(identifyRequest)
  if (deps.control.telemetry) app.use(traceRequests(deps.control.telemetry))
  app.use(secureAnswers, limitAddresses(deps), briefAnswers)
  const log = failureLog(deps)
  app.onError((error, c) => answerError(deps, c, { thrown: error, log }))
  const groups = groupsOf(deps)
  const methodsOf = methodsAt([...groups.flatMap(({ declared }) => declared), descriptionRoute])
  app.notFound((c) => {
    const allowed = methodsOf(c.req.path)
    if (allowed.length > 0) c.header('allow', allowed.join(', '))
    return answerError(deps, c, { thrown: fail(allowed.length > 0 ? 'api.method' : 'api.not_found'), log })
  })
  const guard = makeGuard(deps)
  for (const group of groups) app.route('/', group.mount(guard))
  let description: object | undefined
  app.get(descriptionRoute.path, (c) => {
    description ??= describeApi(app, deps.control.settings)
    c.header('cache-control', 'public, max-age=300')
    return c.json(description)
  })
  return app
}

const descriptionRoute = { method: 'get', path: '/v1/openapi.json' } as const

/** Groups that get `deps` cross accounts or have none; there are few, and each says why at its head. */
function groupsOf(deps: ApiDeps): readonly RouteGroup[] {
  const cursors = new Cursors(deps.control)
  return [
    ...(deps.mounts ?? []),
    serviceRoutes(deps),
    leaseRoutes(deps),
    deviceRoutes(deps),
    relayRoutes(deps),
    memberRoutes(deps),
    signInListRoutes(deps),
    factorRoutes(deps),
    recoveryRoutes(deps),
    addressChangeRoutes(deps),
    waitListRoutes(deps),
    operatorAbuseRoutes(deps, cursors),
    reportRoutes(deps),
    feedbackRoutes(deps),
    invitationRoutes(deps),
    mailRoutes(deps),
    accountRoutes(deps),
    historyRoutes(),
    billingRoutes(deps),
    ownDataRoutes(deps),
    termsRoutes(deps),
    operatorRoutes(deps, cursors),
    operatorFleetRoutes(deps, cursors),
    operatorAlertRoutes(deps, cursors),
    operatorJobRoutes(deps, cursors),
    operatorLogRoutes(deps, cursors),
    operatorFlagRoutes(deps),
    operatorInsightRoutes(deps, cursors),
    operatorInviteRoutes(deps, cursors),
    operatorViewRoutes(deps),
    operatorKeepingRoutes(deps),
    auditRoutes(deps, cursors),
    keyRoutes(cursors),
    tunnelRoutes(cursors),
    connectionRoutes(cursors),
    nameRoutesOf(deps, cursors),
    portRoutesOf(deps, cursors),
    domainRoutes(deps, cursors),
    alertRoutesOf(cursors),
    alertRuleRoutes(),
    webhookRoutes(cursors),
    certificateRoutes(deps),
  ]
}

/** Repeating a request that fails must not push everything else out of the log. */
const failuresPerMinute = 120

type FailureLog = (fields: object) => void

function failureLog({ control }: ApiDeps): FailureLog {
  const rate = new PerMinute(failuresPerMinute)
  let leftOut = 0
  return (fields) => {
    if (!rate.allows(control.clock.monotonic())) {
      leftOut += 1
      return
    }
    control.log.error(leftOut > 0 ? { ...fields, linesLeftOut: leftOut } : fields, 'a request failed')
    leftOut = 0
  }
}

async function answerError(
  { control }: ApiDeps,
  c: ApiContext,
  { thrown, log }: { readonly thrown: Error; readonly log: FailureLog },
): Promise<Response> {
  const error = asProblem(thrown)
  const { http } = error.entry
  const { path, method } = c.req
  const requestId = c.get('requestId')
  // A path may be as long as a head; a reader of the log needs only its beginning.
  if (http >= 500) log({ requestId, method, path: path.slice(0, 200), code: error.code, error: thrown })
  const status = http as ContentfulStatusCode
  const oauth = oauthProblem(path, error)
  if (oauth) return c.json(oauth, status)
  const lift = await howToLift(control, error)
  const problem = toProblem(error, { docsUrl: control.settings.docsUrl, instance: requestId, lift })
  const headers: Record<string, string> = { 'content-type': 'application/problem+json' }
  if (problem.retryAfter !== undefined) headers['retry-after'] = `${problem.retryAfter}`
  if (http === 401) headers['www-authenticate'] = 'Bearer'
  return c.body(JSON.stringify(problem), status, headers)
}

/** Turns the framework's refusals into our codes; any other error is our own fault and shows nothing. */
function asProblem(thrown: Error): PortTunnelerError {
  if (isFailure(thrown)) return thrown
  if (thrown instanceof HTTPException && thrown.status < 500)
    return fail('api.invalid', thrown.message || undefined, { cause: thrown })
  return fail('api.internal', undefined, { cause: thrown })
}
