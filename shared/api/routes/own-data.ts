/**
 * Own data: exports and deletions of a person, and of an account by its owners. Crosses accounts: what is stored about
 * a person is in several, and in none.
 */
import { keepAccount } from '../../control/leaving/accounts.ts'
import { leave, stay } from '../../control/leaving/people.ts'
import { exportAccount, exportPerson } from '../../control/own-data/export.ts'
import { requireNoRevision } from '../etags.ts'
import { type ApiContext, type ApiDeps, type Declared, emptyAnswer, RouteGroup, route } from '../kit.ts'
import { streamOf } from '../streams.ts'

/** Its type is wide: the answer is no value that a schema could check, but a stream. */
const responses: Declared['responses'] = {
  200: {
    description:
      'One JSON object, sent while it is read. Its last field is `complete`; without it, try again',
    content: { 'application/json': { schema: {} } },
  },
}

const routes = {
  person: route({
    method: 'post',
    path: '/v1/person/export',
    operationId: 'exportPerson',
    summary: 'All that is stored about the signed-in person, without secrets',
    description:
      'Profile, ways of signing in, memberships, own keys, feedback, mails that were turned off, and what the audit ' +
      'log says of them. Five times a day at most.',
    tags: ['Own data'],
    access: { signedIn: 'person', evenStopped: true },
    fresh: true,
    rate: 'costly',
    responses,
  }),
  account: route({
    method: 'post',
    path: '/v1/account/export',
    operationId: 'exportAccount',
    summary: 'All that is stored about the account, without secrets',
    description:
      'Tunnels, addresses, domains, certificates, usage, members, keys, invitations, feedback and the audit log. ' +
      'For owners; five times a day at most.',
    tags: ['Own data'],
    access: { permission: 'account.close', by: 'person', evenStopped: true },
    fresh: true,
    rate: 'costly',
    responses,
  }),
  keepAccount: route({
    method: 'post',
    path: '/v1/account/keep',
    operationId: 'keepAccount',
    summary: 'Undo the deletion of the account',
    tags: ['Own data'],
    access: { permission: 'account.close', by: 'person', evenStopped: true },
    responses: emptyAnswer('Its keys and tunnels work again'),
  }),
  leave: route({
    method: 'delete',
    path: '/v1/person',
    operationId: 'deletePerson',
    summary: 'Delete your own sign-in',
    description:
      'Your keys no longer work and what they serve goes offline. For 14 days your sign-in only undoes it or ' +
      'exports the data. Then what is stored about you is erased, with accounts that nobody else uses. The last ' +
      'owner of an account with other people hands it over first.',
    tags: ['Own data'],
    access: { signedIn: 'person' },
    fresh: true,
    responses: emptyAnswer('It is being deleted'),
  }),
  stay: route({
    method: 'post',
    path: '/v1/person/keep',
    operationId: 'keepPerson',
    summary: 'Undo the deletion of your own sign-in',
    tags: ['Own data'],
    access: { signedIn: 'person', evenStopped: true },
    responses: emptyAnswer('Your keys and memberships work again'),
  }),
}

export function ownDataRoutes({ control, principals, addressOf }: ApiDeps): RouteGroup {
  return new RouteGroup()
    .add(routes.person, async (c, { signedIn: { person } }) => {
      const by = { from: addressOf(c), userAgent: c.req.header('user-agent') }
      return fileOf(control, c, await exportPerson(control, person, by))
    })
    .add(routes.account, async (c, { caller }) => fileOf(control, c, await exportAccount(control, caller)))
    .add(routes.keepAccount, async (c, { caller, control: own }) => {
      await keepAccount(own, caller)
      return c.body(null, 204)
    })
    .add(routes.leave, async (c, { signedIn: { person } }) => {
      requireNoRevision(c.req.header('if-match'))
      await leave(control, person, { from: addressOf(c), userAgent: c.req.header('user-agent') })
      principals.forget(person.id)
      return c.body(null, 204)
    })
    .add(routes.stay, async (c, { signedIn: { person } }) => {
      await stay(control, person, { from: addressOf(c), userAgent: c.req.header('user-agent') })
      principals.forget(person.id)
      return c.body(null, 204)
    })
}

function fileOf(
  { log }: Pick<ApiDeps['control'], 'log'>,
  c: ApiContext,
  text: Parameters<typeof streamOf>[0],
) {
  const requestId = c.get('requestId')
  const stream = streamOf(text, (error) => log.error({ requestId, error }, 'an export broke off'))
  const headers = {
    'content-type': 'application/json',
    'content-disposition': 'attachment; filename="porttunneler-export.json"',
  }
  return c.body(stream, 200, headers)
}
