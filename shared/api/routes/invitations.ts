/**
 * Invitations into an account. Crosses accounts: the invited person belongs to none of it yet, and names and addresses
 * of people belong to no account.
 */
import {
  acceptInvitation,
  invite,
  listInvitations,
  readInvitation,
  revokeInvitation,
} from '../../control/team/invitations.ts'
import { requireNoRevision } from '../etags.ts'
import { type ApiDeps, emptyAnswer, jsonAnswer, jsonBody, RouteGroup, route } from '../kit.ts'
import {
  invitationParamsSchema,
  invitationSchema,
  invitationsSchema,
  invitationTokenSchema,
  invitedSchema,
  inviteSchema,
  joinedSchema,
} from '../schemas/team.ts'

const tags = ['Members']

const routes = {
  list: route({
    method: 'get',
    path: '/v1/invitations',
    viewable: true,
    operationId: 'listInvitations',
    summary: 'Invitations that nobody has accepted yet, oldest first',
    tags,
    access: { permission: 'members.manage' },
    responses: { 200: jsonAnswer(invitationsSchema, 'All of them: an account has at most 50 open ones') },
  }),
  invite: route({
    method: 'post',
    path: '/v1/invitations',
    operationId: 'invite',
    summary: 'Invite somebody by mail',
    description:
      'The link in the mail is good once, for a week, for a person who signs in with that very address. Inviting an ' +
      'address again sends a new link and voids the earlier one. Only owners invite owners.',
    tags,
    access: { permission: 'members.manage', by: 'person' },
    request: jsonBody(inviteSchema),
    responses: { 201: jsonAnswer(invitationSchema, 'The invitation; its mail is on the way') },
  }),
  revoke: route({
    method: 'delete',
    path: '/v1/invitations/{invitation}',
    operationId: 'revokeInvitation',
    summary: 'Take an invitation back',
    tags,
    access: { permission: 'members.manage', by: 'person' },
    request: { params: invitationParamsSchema },
    responses: emptyAnswer('Its link no longer works'),
  }),
  read: route({
    method: 'post',
    path: '/v1/invitations/read',
    operationId: 'readInvitation',
    summary: 'What an invitation to the signed-in person offers',
    tags,
    access: { signedIn: 'person' },
    request: jsonBody(invitationTokenSchema),
    responses: { 200: jsonAnswer(invitedSchema, 'The account, the role, and who invites') },
  }),
  accept: route({
    method: 'post',
    path: '/v1/invitations/accept',
    operationId: 'acceptInvitation',
    summary: 'Become a member by an invitation',
    tags,
    access: { signedIn: 'person' },
    request: jsonBody(invitationTokenSchema),
    responses: { 200: jsonAnswer(joinedSchema, 'The account that the person is a member of now') },
  }),
}

export function invitationRoutes({ control, principals, addressOf }: ApiDeps): RouteGroup {
  return new RouteGroup()
    .add(routes.list, async (c, { caller }) =>
      c.json({ items: await listInvitations(control, caller.account) }, 200),
    )
    .add(routes.invite, async (c, { caller }) =>
      c.json(await invite(control, caller, c.req.valid('json')), 201),
    )
    .add(routes.revoke, async (c, { caller }) => {
      requireNoRevision(c.req.header('if-match'))
      await revokeInvitation(control, caller, c.req.valid('param').invitation)
      return c.body(null, 204)
    })
    .add(routes.read, async (c, { signedIn }) =>
      c.json(await readInvitation(control, signedIn.person, c.req.valid('json').token), 200),
    )
    .add(routes.accept, async (c, { signedIn: { person } }) => {
      const { token } = c.req.valid('json')
      const asked = { token, from: addressOf(c), userAgent: c.req.header('user-agent') }
      const joined = await acceptInvitation(control, person, asked)
      principals.forget(person.id)
      return c.json(joined, 200)
    })
}
