/**
 * Signing in with other services, for the console. A browser begins, goes to the service, comes back to a page of the
 * console with a code, and the page finishes with the half that only it has. No cookie takes part, so no other site can
 * begin or finish anything in a browser's name.
 */
import { bearerOf } from '@porttunneler/shared/api/bearer'
import { requireNoRevision } from '@porttunneler/shared/api/etags'
import { emptyAnswer, jsonAnswer, jsonBody, type RouteGroup, route } from '@porttunneler/shared/api/kit'
import {
  linkParamsSchema,
  linksSchema,
  providerParamsSchema,
  socialBegunSchema,
  socialFinishSchema,
  socialReturnSchema,
  tokensSchema,
} from '@porttunneler/shared/api/schemas/accounts'
import type { Context } from 'hono'
import type { makeAnswers } from '../identity.local.answers.ts'
import type { SocialSignIns } from './social.ts'

type Answers = ReturnType<typeof makeAnswers>
type Brought = { readonly code?: string | undefined; readonly invitation?: string | undefined }

export function addSocialRoutes(
  group: RouteGroup,
  {
    social,
    comesFrom,
    answer,
    admitTo,
  }: {
    readonly social: SocialSignIns
    readonly comesFrom: Answers['comesFrom']
    readonly answer: Answers['signedIn']
    /** Throws unless a stranger with this address, and what they brought, may make an account. */
    readonly admitTo: (email: string, brought: Brought) => Promise<void>
  },
): RouteGroup {
  const tokenOf = (c: Context) => bearerOf(c.req.header('authorization'))
  return group
    .add(routes.begin, async (c) =>
      c.json(await social.begin(c.req.valid('param').provider, comesFrom(c)), 200, noStore),
    )
    .add(routes.finish, async (c) => {
      const { invite, invitation, ...returned } = c.req.valid('json')
      const admit = (email: string) => admitTo(email, { code: invite, invitation })
      const { provider } = c.req.valid('param')
      return answer(c, await social.finish(provider, returned, { caller: comesFrom(c), admit }))
    })
    .add(routes.list, async (c) => {
      const { hasPassword, items } = await social.links(tokenOf(c))
      return c.json({ hasPassword, items: [...items] }, 200)
    })
    .add(routes.beginLink, async (c) =>
      c.json(await social.beginLink(c.req.valid('param').provider, tokenOf(c)), 200, noStore),
    )
    .add(routes.finishLink, async (c) => {
      const by = { token: tokenOf(c), caller: comesFrom(c) }
      await social.finishLink(c.req.valid('param').provider, c.req.valid('json'), by)
      return c.body(null, 204)
    })
    .add(routes.unlink, async (c) => {
      requireNoRevision(c.req.header('if-match'))
      await social.unlink(c.req.valid('param').link, { token: tokenOf(c), caller: comesFrom(c) })
      return c.body(null, 204)
    })
}

const noStore = { 'cache-control': 'no-store' }
const tags = ['Sign-in']
const ownBearer = {
  public: 'The access token is the proof, checked by the sign-in itself.',
  bearer: 'required',
} as const

const routes = {
  begin: route({
    access: { public: 'Nobody is signed in by it: the service proves who somebody is.' },
    method: 'post',
    path: '/v1/auth/services/{provider}',
    operationId: 'beginServiceSignIn',
    summary: 'Begin to sign in with another service',
    description: 'Keep `secret` in the tab, send the browser to `url`. It ends after ten minutes.',
    tags,
    request: { params: providerParamsSchema },
    responses: { 200: jsonAnswer(socialBegunSchema, 'Where the browser goes') },
  }),
  finish: route({
    access: { public: 'Code and secret in the body are the proof.' },
    method: 'post',
    path: '/v1/auth/services/{provider}/finish',
    operationId: 'finishServiceSignIn',
    summary: 'Finish signing in with what the service sent the browser back with',
    description: 'Makes an account for a new person, where strangers may have one.',
    tags,
    request: { params: providerParamsSchema, ...jsonBody(socialFinishSchema) },
    responses: {
      200: {
        description: 'Signed in. Each refresh gives a new refresh token.',
        content: { 'application/json': { schema: tokensSchema } },
      },
    },
  }),
  list: route({
    access: ownBearer,
    method: 'get',
    path: '/v1/auth/links',
    operationId: 'listLinks',
    summary: 'Your sign-ins of other services',
    tags,
    responses: { 200: jsonAnswer(linksSchema, 'Linked sign-ins') },
  }),
  beginLink: route({
    access: ownBearer,
    method: 'post',
    path: '/v1/auth/links/{provider}',
    operationId: 'beginLink',
    summary: 'Begin to link a service, so that you can sign in with it',
    description: 'Needs a fresh sign-in.',
    tags,
    request: { params: providerParamsSchema },
    responses: { 200: jsonAnswer(socialBegunSchema, 'Where the browser goes') },
  }),
  finishLink: route({
    access: ownBearer,
    method: 'post',
    path: '/v1/auth/links/{provider}/finish',
    operationId: 'finishLink',
    summary: 'Link the service with what it sent the browser back with',
    tags,
    request: { params: providerParamsSchema, ...jsonBody(socialReturnSchema) },
    responses: emptyAnswer('Linked'),
  }),
  unlink: route({
    access: ownBearer,
    method: 'delete',
    path: '/v1/auth/links/{link}',
    operationId: 'removeLink',
    summary: 'Remove a linked sign-in, unless it is the last way to sign in',
    description: 'Needs a fresh sign-in. Sessions that began with it go on.',
    tags,
    request: { params: linkParamsSchema },
    responses: emptyAnswer('Removed'),
  }),
}
