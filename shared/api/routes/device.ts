/**
 * Device login (RFC 8628). The first two calls are OAuth's: they take forms and return OAuth's own errors. Crosses
 * accounts: a code belongs to none before somebody approves it.
 */
import { z } from '@hono/zod-openapi'
import { linkTo } from '../../base/console-pages.ts'
import { isFailure } from '../../base/errors.ts'
import { requirePerson } from '../../control/caller.ts'
import {
  authorizeDevice,
  decideDevice,
  findDevice,
  grantedUnasked,
  pollDevice,
} from '../../control/devices.ts'
import { deviceKeyMs } from '../../control/key-expiry.ts'
import { requireFresh } from '../../control/sign-ins/fresh.ts'
import { type ApiDeps, emptyAnswer, formBody, jsonAnswer, jsonBody, RouteGroup, route } from '../kit.ts'
import {
  deviceAuthorizationRequestSchema,
  deviceAuthorizationSchema,
  deviceDecisionSchema,
  devicePendingSchema,
  deviceTokenRequestSchema,
  deviceTokenSchema,
  oauthErrorSchema,
} from '../schemas/accounts.ts'

const tags = ['Device login']

const routes = {
  authorize: route({
    access: {
      public: 'A device has no account yet; its request has no effect before a person approves it.',
    },
    method: 'post',
    path: '/v1/device/authorize',
    operationId: 'authorizeDevice',
    summary: 'A code for the device, and one for its owner to type',
    tags,
    request: formBody(deviceAuthorizationRequestSchema),
    responses: { 200: jsonAnswer(deviceAuthorizationSchema, 'RFC 8628, section 3.2') },
  }),
  token: route({
    access: { public: 'The device code in the body is the proof.' },
    method: 'post',
    path: '/v1/device/token',
    operationId: 'takeDeviceToken',
    summary: 'Poll for the key, once each interval',
    tags,
    request: formBody(deviceTokenRequestSchema),
    responses: {
      200: jsonAnswer(deviceTokenSchema, 'An API key as the access token, only this once'),
      400: jsonAnswer(oauthErrorSchema, 'RFC 8628, section 3.5'),
    },
  }),
  pending: route({
    tags,
    access: { permission: 'keys.own', by: 'person' },
    method: 'get',
    path: '/v1/device/{userCode}',
    operationId: 'readDeviceRequest',
    summary: 'The request that waits for a code',
    request: { params: z.object({ userCode: z.string().max(20) }) },
    responses: { 200: jsonAnswer(devicePendingSchema, 'Who asks, for what') },
  }),
  decision: route({
    tags,
    access: { permission: 'keys.own', by: 'person' },
    fresh: 'to grant the scope admin',
    method: 'post',
    path: '/v1/device/decision',
    operationId: 'decideDeviceRequest',
    summary: 'Approve or deny',
    request: jsonBody(deviceDecisionSchema),
    responses: emptyAnswer('The device learns it at its next poll'),
  }),
}

export function deviceRoutes({ control, addressOf }: ApiDeps): RouteGroup {
  return new RouteGroup()
    .add(routes.authorize, async (c) => {
      const { device = '', scope } = c.req.valid('form')
      const asked = { device, scope, from: addressOf(c) }
      const { deviceCode, userCode, expiresInMs, intervalMs } = await authorizeDevice(control, asked)
      const page = linkTo(control.settings, 'device')
      return c.json(
        {
          device_code: deviceCode,
          user_code: userCode,
          verification_uri: page,
          verification_uri_complete: `${page}?user_code=${userCode}`,
          expires_in: expiresInMs / 1000,
          interval: intervalMs / 1000,
        },
        200,
      )
    })
    .add(routes.token, async (c) => {
      const result = await pollDevice(control, c.req.valid('form').device_code, addressOf(c))
      if ('error' in result) return c.json({ error: result.error }, 400)
      const { key, secret } = result.created
      const scope = key.scopes.join(' ')
      const token = { access_token: secret, token_type: 'Bearer' as const, scope, key_id: key.id }
      return c.json({ ...token, expires_in: deviceKeyMs / 1000 }, 200)
    })
    .add(routes.pending, async (c, { caller }) => {
      const { userCode } = c.req.valid('param')
      const { data } = await findDevice(control, caller, userCode)
      const { device, scopes, createdAt, from } = data
      const given = { granted: grantedUnasked(scopes), keyDays: deviceKeyMs / 86_400_000 }
      return c.json({ userCode, device, scopes: [...scopes], ...given, createdAt, from }, 200)
    })
    .add(routes.decision, async (c, { caller }) => {
      const decision = c.req.valid('json')
      const grantsAll = decision.approve && decision.scopes?.includes('admin')
      if (grantsAll) await requireFresh(control, requirePerson(caller))
      await decideDevice(control, caller, decision)
      return c.body(null, 204)
    })
}

/** OAuth clients read `error`; an invalid form is its `invalid_request` (RFC 6749, section 5.2). */
export function oauthProblem(
  path: string,
  error: unknown,
): { error: string; error_description: string } | undefined {
  if (path !== '/v1/device/token' || !isFailure(error, 'api.invalid')) return undefined
  return { error: 'invalid_request', error_description: error.detail }
}
