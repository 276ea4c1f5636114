/**
 * The sign-in part of the API. Only the standalone server mounts it; in the cloud Firebase does this. Failures are
 * thrown, and the app turns them into problem documents.
 */
import { bearerIn, bearerOf } from '@porttunneler/shared/api/bearer'
import { jsonAnswer, jsonBody, RouteGroup, route } from '@porttunneler/shared/api/kit'
import {
  confirmSchema,
  keysLeftSchema,
  loginSchema,
  logoutSchema,
  passwordChangedSchema,
  passwordChangeSchema,
  passwordResetConfirmSchema,
  passwordResetSchema,
  refreshSchema,
  registerConfirmSchema,
  registerSchema,
  tokensSchema,
} from '@porttunneler/shared/api/schemas/accounts'
import { type Assertion, passkeySignInSchema } from '@porttunneler/shared/api/schemas/factors'
import type { Context } from 'hono'
import { type AnswersOptions, makeAnswers } from './identity.local.answers.ts'
import { publicKeysSchema } from './identity.local.keys.ts'
import type { LocalIdentity, SignInSource } from './identity.local.types.ts'
import { addSocialRoutes } from './oidc/routes.ts'

export type SignInRoutesOptions = AnswersOptions & {
  readonly identity: LocalIdentity
  /** Throws unless a stranger with this invite code, or none, may ask for an account. */
  readonly admit: (code: string | undefined) => Promise<void>
  /** Whether somebody may ask all the same, because they were invited into an account. */
  readonly isInvited: (asked: { readonly email: string; readonly token: string }) => Promise<boolean>
  /** Whose passkey it is. @throws auth.passkey, factor.challenge, factor.cloned, auth.disabled */
  readonly checkPasskey: (assertion: Assertion, source: SignInSource) => Promise<string>

  /** Notes that the person of this sign-in has shown again who they are. */
  readonly confirm: (signIn: string) => Promise<unknown>
}

export function signInRoutes(options: SignInRoutesOptions): RouteGroup {
  const { identity, admit, isInvited, checkPasskey, confirm } = options
  const { comesFrom, keepDevice, signedIn: answer } = makeAnswers(options)
  const group = new RouteGroup()
  /** @param proof a code, or the token of an invitation to this address */
  const admitTo = async (
    email: string,
    { code, invitation: token }: { code?: string | undefined; invitation?: string | undefined },
  ) => {
    if (token === undefined || !(await isInvited({ email, token }))) await admit(code)
  }
  group.add(routes.register, async (c) => {
    const { email, ...brought } = c.req.valid('json')
    await admitTo(email, brought)
    await identity.requestAccount(email, comesFrom(c))
    return c.body(null, 202)
  })
  // The token shows that somebody might ask for it, at most an hour ago.
  group.add(routes.registerConfirm, async (c) =>
    answer(c, await identity.confirmAccount(c.req.valid('json'), comesFrom(c))),
  )
  group.add(routes.login, async (c) => answer(c, await identity.login(c.req.valid('json'), comesFrom(c))))
  group.add(routes.passkey, async (c) => {
    const user = await checkPasskey(c.req.valid('json').assertion, comesFrom(c))
    return answer(c, await identity.signInByPasskey(user, comesFrom(c)))
  })
  group.add(routes.refresh, async (c) =>
    answer(c, { tokens: await identity.refresh(c.req.valid('json').refreshToken, comesFrom(c)) }),
  )
  group.add(routes.logout, async (c) => {
    await identity.logout({ ...c.req.valid('json'), bearer: bearerIn(authorizationOf(c)) }, comesFrom(c))
    return c.body(null, 204)
  })
  group.add(routes.password, async (c) => {
    const bearer = bearerOf(authorizationOf(c))
    const { tokens, device, keys } = await identity.changePassword(bearer, c.req.valid('json'), comesFrom(c))
    keepDevice(c, device)
    return c.json({ ...tokens, keys: [...keys] }, 200)
  })
  group.add(routes.confirm, async (c) => {
    const { password } = c.req.valid('json')
    await confirm(await identity.prove(bearerOf(authorizationOf(c)), password, comesFrom(c)))
    return c.body(null, 204)
  })
  group.add(routes.reset, async (c) => {
    await identity.requestReset(c.req.valid('json').email, comesFrom(c))
    return c.body(null, 202)
  })
  group.add(routes.resetConfirm, async (c) => {
    const { device, keys } = await identity.confirmReset(c.req.valid('json'), comesFrom(c))
    keepDevice(c, device)
    return c.json({ keys: [...keys] }, 200)
  })
  group.add(routes.jwks, async (c) => {
    // A day: keys are published two days before they sign.
    c.header('cache-control', 'public, max-age=86400')
    return c.json(await identity.jwks(), 200)
  })
  return addSocialRoutes(group, { social: identity.social, comesFrom, answer, admitTo })
}

const authorizationOf = (c: Context) => c.req.header('authorization')

const tags = ['Sign-in']
const keysStay = 'API keys stay valid and are listed in the answer; with `endKeys` they end as well.'
const tokens = {
  200: {
    description: 'Signed in. Each refresh gives a new refresh token.',
    content: { 'application/json': { schema: tokensSchema } },
  },
}

const routes = {
  register: route({
    access: { public: 'Whoever asks learns nothing; the mail goes to the address alone.' },
    method: 'post',
    path: '/v1/auth/register',
    operationId: 'register',
    summary: 'Ask for a mail with a link to make an account',
    description: 'The answer is the same whether or not the address has an account.',
    tags,
    request: jsonBody(registerSchema),
    responses: { 202: { description: 'A mail is on its way' } },
  }),
  registerConfirm: route({
    access: { public: 'The token of the mail in the body is the proof.' },
    method: 'post',
    path: '/v1/auth/register/confirm',
    operationId: 'confirmRegistration',
    summary: 'Make the account with the token of the mail, and sign in',
    tags,
    request: jsonBody(registerConfirmSchema),
    responses: tokens,
  }),
  login: route({
    access: { public: 'The password in the body is the proof.' },
    method: 'post',
    path: '/v1/auth/login',
    operationId: 'login',
    summary: 'Sign in with a password',
    tags,
    request: jsonBody(loginSchema),
    responses: tokens,
  }),
  passkey: route({
    access: { public: 'The passkey in the body is the proof.' },
    method: 'post',
    path: '/v1/auth/passkey',
    operationId: 'signInWithPasskey',
    summary: 'Sign in with a passkey alone',
    description: 'It has to verify its owner by PIN, finger or face, and then counts as both factors.',
    tags,
    request: jsonBody(passkeySignInSchema),
    bodyBytesMax: 32 * 1024,
    responses: tokens,
  }),
  refresh: route({
    access: { public: 'The refresh token in the body is the proof.' },
    method: 'post',
    path: '/v1/auth/refresh',
    operationId: 'refreshTokens',
    summary: 'Exchange a refresh token for new tokens',
    description:
      'Send each refresh token once. Within 30 s it may be sent again if the answer was lost, and gives the same new one; ' +
      'later, or after the new one was used, it ends its session, since somebody may have copied it.',
    tags,
    request: jsonBody(refreshSchema),
    responses: tokens,
  }),
  logout: route({
    access: { public: 'Ends only the session of the token that it brings.', bearer: 'optional' },
    method: 'post',
    path: '/v1/auth/logout',
    operationId: 'logout',
    summary: 'End this session, or all of them',
    tags,
    request: jsonBody(logoutSchema),
    responses: { 204: { description: 'Signed out' } },
  }),
  password: route({
    access: {
      public: 'The access token and the present password are the proof, checked by the sign-in itself.',
    },
    method: 'post',
    path: '/v1/auth/password',
    operationId: 'changePassword',
    summary: 'Change the password and end every other session',
    description: keysStay,
    tags,
    request: jsonBody(passwordChangeSchema),
    responses: { 200: jsonAnswer(passwordChangedSchema, 'Signed in again, and the keys that are left') },
  }),
  confirm: route({
    access: { public: 'The access token and the password are the proof, checked by the sign-in itself.' },
    method: 'post',
    path: '/v1/auth/confirm',
    operationId: 'confirmSignIn',
    summary: 'Confirm that it is still you, for calls that want a fresh sign-in',
    description: 'For 15 minutes, in this session alone.',
    tags,
    request: jsonBody(confirmSchema),
    responses: { 204: { description: 'Confirmed' } },
  }),
  reset: route({
    access: { public: 'The caller learns nothing; the mail goes only to the address.' },
    method: 'post',
    path: '/v1/auth/password/reset',
    operationId: 'requestPasswordReset',
    summary: 'Ask for a mail with a link to set a new password',
    description: 'The answer is the same whether or not the address is known.',
    tags,
    request: jsonBody(passwordResetSchema),
    responses: { 202: { description: 'If the address is known, a mail is on its way' } },
  }),
  resetConfirm: route({
    access: { public: 'The token of the mail in the body is the proof.' },
    method: 'post',
    path: '/v1/auth/password/reset/confirm',
    operationId: 'confirmPasswordReset',
    summary: 'Set a new password with the token of the mail',
    description: `${keysStay} They end in any case when this is the first proof that the mailbox is yours.`,
    tags,
    request: jsonBody(passwordResetConfirmSchema),
    responses: {
      200: jsonAnswer(
        keysLeftSchema,
        'The password is set, every session has ended, and these keys are left',
      ),
    },
  }),
  jwks: route({
    access: { public: 'Public keys.' },
    method: 'get',
    path: '/.well-known/jwks.json',
    operationId: 'readTokenKeys',
    summary: 'Public keys of access tokens (RFC 7517)',
    tags,
    responses: {
      200: {
        description: 'A JSON Web Key Set',
        content: { 'application/json': { schema: publicKeysSchema } },
      },
    },
  }),
}
