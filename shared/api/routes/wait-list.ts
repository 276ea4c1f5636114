/** The waiting list of a beta, for people without an account. Who is on it, nobody learns here. */
import { confirmWaiting, joinWaitList } from '../../control/wait-list.ts'
import { type ApiDeps, emptyAnswer, jsonBody, RouteGroup, route } from '../kit.ts'
import { waitListConfirmSchema, waitListJoinSchema } from '../schemas/accounts.ts'

const tags = ['Sign-in']

const routes = {
  join: route({
    access: { public: 'For people who have no account yet.' },
    method: 'post',
    path: '/v1/wait-list',
    operationId: 'joinWaitList',
    summary: 'Ask for a place while accounts are by invitation',
    description:
      'The answer is the same whether or not the address is known. Where mail is sent, its link confirms the address.',
    tags,
    request: jsonBody(waitListJoinSchema),
    responses: { 202: { description: 'Noted' } },
  }),
  confirm: route({
    access: { public: 'The token of the mail is the proof.' },
    method: 'post',
    path: '/v1/wait-list/confirm',
    operationId: 'confirmWaitList',
    summary: 'Confirm the address with the token of the mail',
    tags,
    request: jsonBody(waitListConfirmSchema),
    responses: emptyAnswer('On the list'),
  }),
}

/** Crosses accounts: the list belongs to none. */
export function waitListRoutes({ control, addressOf }: ApiDeps): RouteGroup {
  return new RouteGroup()
    .add(routes.join, async (c) => {
      await joinWaitList(control, { email: c.req.valid('json').email, from: addressOf(c) })
      return c.body(null, 202)
    })
    .add(routes.confirm, async (c) => {
      await confirmWaiting(control, c.req.valid('json').token)
      return c.body(null, 204)
    })
}
