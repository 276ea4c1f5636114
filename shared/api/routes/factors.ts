/**
 * A person's own factors, and the second step of a sign-in. Crosses accounts: factors belong to the person. The routes
 * that show a factor, or ask for the way back in without one, take a sign-in that has shown none.
 */
import { fail } from '../../base/errors.ts'
import type { Person } from '../../control/caller.ts'
import { beginApp, confirmApp, removeApp, renewCodes } from '../../control/factors/apps.ts'
import type { FactorCaller } from '../../control/factors/changing.ts'
import { describeFactors } from '../../control/factors/describing.ts'
import { beginPasskeySignIn } from '../../control/factors/passkey-sign-in.ts'
import { addPasskey, beginPasskey, removePasskey, renamePasskey } from '../../control/factors/passkeys.ts'
import {
  askForRecovery,
  completeRecovery,
  endRecovery,
  followRecovery,
} from '../../control/factors/recovering.ts'
import { beginShowing, type ShownBy, showFactor } from '../../control/factors/showing.ts'
import { finishShowing } from '../../control/factors/vouching.ts'
import { requireNoRevision } from '../etags.ts'
import {
  type ApiContext,
  type ApiDeps,
  emptyAnswer,
  jsonAnswer,
  jsonBody,
  RouteGroup,
  route,
} from '../kit.ts'
import {
  appBegunSchema,
  appConfirmSchema,
  codesSchema,
  creationOptionsSchema,
  factorsSchema,
  passkeyAddSchema,
  passkeyParamsSchema,
  passkeyRenameSchema,
  recoveryTokenSchema,
  requestOptionsSchema,
  shownSchema,
  showSchema,
  waysSchema,
} from '../schemas/factors.ts'

const tags = ['Second factors']
const whole = { signedIn: 'person' } as const
const beforeFactor = { signedIn: 'person', before: 'factor' } as const
const codesAnswer = { 200: jsonAnswer(codesSchema, 'Recovery codes if this is the first factor, shown once') }

const routes = {
  signInOptions: route({
    access: { public: 'The same for everybody, and nothing is stored.' },
    method: 'post',
    path: '/v1/auth/passkey/options',
    operationId: 'beginPasskeySignIn',
    summary: 'What the browser needs to sign in with a passkey alone',
    tags: ['Sign-in'],
    responses: { 200: jsonAnswer(requestOptionsSchema, 'For navigator.credentials.get') },
  }),
  read: route({
    method: 'get',
    path: '/v1/factors',
    viewable: true,
    operationId: 'readFactors',
    summary: 'Passkeys, the authenticator app and how many recovery codes are left',
    tags,
    access: whole,
    responses: { 200: jsonAnswer(factorsSchema, 'What the person has') },
  }),
  showOptions: route({
    method: 'post',
    path: '/v1/factors/show/options',
    operationId: 'beginSecondStep',
    summary: 'What this person can show, and a challenge for their passkeys',
    tags,
    access: beforeFactor,
    responses: { 200: jsonAnswer(waysSchema, 'The ways') },
  }),
  show: route({
    method: 'post',
    path: '/v1/factors/show',
    operationId: 'showFactor',
    summary: 'Finish the sign-in, or make it fresh again, with a second factor',
    description: 'A passkey, a code of the app, or a recovery code. Wrong codes of the app are limited.',
    tags,
    access: beforeFactor,
    request: jsonBody(showSchema),
    responses: { 200: jsonAnswer(shownSchema, 'Shown') },
  }),
  passkeyOptions: route({
    method: 'post',
    path: '/v1/factors/passkeys/options',
    operationId: 'beginPasskey',
    summary: 'What the browser needs to make a passkey',
    tags,
    fresh: true,
    access: whole,
    responses: { 200: jsonAnswer(creationOptionsSchema, 'For navigator.credentials.create') },
  }),
  addPasskey: route({
    method: 'post',
    path: '/v1/factors/passkeys',
    operationId: 'addPasskey',
    summary: 'Add the passkey that the browser made',
    description: 'With the first factor, every other sign-in has to show one, and recovery codes are made.',
    tags,
    fresh: true,
    access: whole,
    request: jsonBody(passkeyAddSchema),
    responses: codesAnswer,
  }),
  renamePasskey: route({
    method: 'patch',
    path: '/v1/factors/passkeys/{passkey}',
    operationId: 'renamePasskey',
    summary: 'Rename a passkey',
    tags,
    access: whole,
    request: { params: passkeyParamsSchema, ...jsonBody(passkeyRenameSchema) },
    responses: emptyAnswer('Renamed'),
  }),
  removePasskey: route({
    method: 'delete',
    path: '/v1/factors/passkeys/{passkey}',
    operationId: 'removePasskey',
    summary: 'Remove a passkey',
    description: 'The last factor stays while an account of the person asks for one.',
    tags,
    fresh: true,
    access: whole,
    request: { params: passkeyParamsSchema },
    responses: emptyAnswer('Removed'),
  }),
  beginApp: route({
    method: 'post',
    path: '/v1/factors/app',
    operationId: 'beginApp',
    summary: 'A secret for an authenticator app, shown once',
    description: 'It counts when a code has confirmed it. The present app stays until then.',
    tags,
    fresh: true,
    access: whole,
    responses: { 200: jsonAnswer(appBegunSchema, 'Secret and URI') },
  }),
  confirmApp: route({
    method: 'post',
    path: '/v1/factors/app/confirm',
    operationId: 'confirmApp',
    summary: 'Confirm the app with a code of it',
    tags,
    fresh: true,
    access: whole,
    request: jsonBody(appConfirmSchema),
    responses: codesAnswer,
  }),
  removeApp: route({
    method: 'delete',
    path: '/v1/factors/app',
    operationId: 'removeApp',
    summary: 'Remove the authenticator app',
    description: 'The last factor stays while an account of the person asks for one.',
    tags,
    fresh: true,
    access: whole,
    responses: emptyAnswer('Removed'),
  }),
  renewCodes: route({
    method: 'post',
    path: '/v1/factors/codes',
    operationId: 'renewRecoveryCodes',
    summary: 'Ten new recovery codes; the earlier ones are void',
    tags,
    fresh: true,
    access: whole,
    responses: { 200: jsonAnswer(codesSchema, 'Shown once') },
  }),
  ask: route({
    method: 'post',
    path: '/v1/factors/recovery',
    operationId: 'askForRecovery',
    summary: 'Ask for a mail: every factor is lost',
    description: 'The link in the mail begins a wait of 72 hours, after which all factors can be removed.',
    tags,
    access: beforeFactor,
    responses: { 202: { description: 'A mail is on its way' } },
  }),
  follow: route({
    method: 'post',
    path: '/v1/factors/recovery/follow',
    operationId: 'followRecovery',
    summary: 'Begin the wait with the token of the mail',
    tags,
    access: beforeFactor,
    request: jsonBody(recoveryTokenSchema),
    responses: emptyAnswer('The wait has begun, and the person is mailed each day'),
  }),
  end: route({
    method: 'delete',
    path: '/v1/factors/recovery',
    operationId: 'endRecovery',
    summary: 'Stop the request, from any sign-in of the person',
    tags,
    access: beforeFactor,
    responses: emptyAnswer('Stopped'),
  }),
  complete: route({
    method: 'post',
    path: '/v1/factors/recovery/complete',
    operationId: 'completeRecovery',
    summary: 'After the wait: remove every factor and end every sign-in',
    tags,
    access: beforeFactor,
    responses: emptyAnswer('Removed; sign in again'),
  }),
}

function callerIn({ addressOf }: ApiDeps) {
  return (c: ApiContext, { id: user, email, signIn }: Person): FactorCaller => {
    // Tokens of releases up to 0.1 name none; they live for 15 minutes.
    if (!signIn) throw fail('auth.invalid')
    const hasShown = signIn.factorAt > 0
    const source = { from: addressOf(c), userAgent: c.req.header('user-agent') }
    return { user, email, signIn: signIn.id, hasShown, ...source }
  }
}

export function factorRoutes(deps: ApiDeps): RouteGroup {
  const { control, principals } = deps
  const callerOf = callerIn(deps)
  /** The sign-in that adds or shows a factor has shown it; what this process knew of the person is read anew. */
  const shown = async (person: Person, how: ShownBy) => {
    const next = await finishShowing(control, person, how)
    principals.forget(person.id)
    return next
  }
  return new RouteGroup()
    .add(routes.signInOptions, async (c) => c.json(await beginPasskeySignIn(control), 200))
    .add(routes.read, async (c, { signedIn: { person } }) => {
      const isShown = (person.signIn?.factorAt ?? 0) > 0
      return c.json(await describeFactors(control, person.id, isShown), 200)
    })
    .add(routes.showOptions, async (c, { signedIn }) =>
      c.json(await beginShowing(control, callerOf(c, signedIn.person)), 200),
    )
    .add(routes.show, async (c, { signedIn }) => {
      const how = await showFactor(control, callerOf(c, signedIn.person), c.req.valid('json'))
      return c.json(await shown(signedIn.person, how), 200)
    })
    .add(routes.passkeyOptions, async (c, { signedIn }) =>
      c.json(await beginPasskey(control, callerOf(c, signedIn.person)), 200),
    )
    .add(routes.addPasskey, async (c, { signedIn }) => {
      const codes = await addPasskey(control, callerOf(c, signedIn.person), c.req.valid('json'))
      return c.json({ codes: [...codes], ...(await shown(signedIn.person, 'passkey')) }, 200)
    })
    .add(routes.renamePasskey, async (c, { signedIn }) => {
      requireNoRevision(c.req.header('if-match'))
      const { passkey: id } = c.req.valid('param')
      await renamePasskey(control, callerOf(c, signedIn.person), { id, ...c.req.valid('json') })
      return c.body(null, 204)
    })
    .add(routes.removePasskey, async (c, { signedIn }) => {
      requireNoRevision(c.req.header('if-match'))
      const by = callerOf(c, signedIn.person)
      await removePasskey(control, by, c.req.valid('param').passkey)
      principals.forget(by.user)
      return c.body(null, 204)
    })
    .add(routes.beginApp, async (c, { signedIn }) =>
      c.json(await beginApp(control, callerOf(c, signedIn.person)), 200),
    )
    .add(routes.confirmApp, async (c, { signedIn }) => {
      const codes = await confirmApp(control, callerOf(c, signedIn.person), c.req.valid('json').code)
      return c.json({ codes: [...codes], ...(await shown(signedIn.person, 'totp')) }, 200)
    })
    .add(routes.removeApp, async (c, { signedIn }) => {
      requireNoRevision(c.req.header('if-match'))
      const by = callerOf(c, signedIn.person)
      await removeApp(control, by)
      principals.forget(by.user)
      return c.body(null, 204)
    })
    .add(routes.renewCodes, async (c, { signedIn }) =>
      c.json({ codes: [...(await renewCodes(control, callerOf(c, signedIn.person)))] }, 200),
    )
}

/** The way back in for somebody who lost every factor. */
export function recoveryRoutes(deps: ApiDeps): RouteGroup {
  const { control, principals } = deps
  const callerOf = callerIn(deps)
  return new RouteGroup()
    .add(routes.ask, async (c, { signedIn }) => {
      await askForRecovery(control, callerOf(c, signedIn.person))
      return c.body(null, 202)
    })
    .add(routes.follow, async (c, { signedIn }) => {
      await followRecovery(control, callerOf(c, signedIn.person), c.req.valid('json').token)
      return c.body(null, 204)
    })
    .add(routes.end, async (c, { signedIn }) => {
      requireNoRevision(c.req.header('if-match'))
      await endRecovery(control, callerOf(c, signedIn.person))
      return c.body(null, 204)
    })
    .add(routes.complete, async (c, { signedIn }) => {
      const by = callerOf(c, signedIn.person)
      await completeRecovery(control, by)
      principals.forget(by.user)
      return c.body(null, 204)
    })
}
