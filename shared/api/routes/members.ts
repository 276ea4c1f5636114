/**
 * The members of the account. Crosses accounts: names and addresses of people belong to no account, and a person
 * chooses between several accounts here.
 */
import { requirePerson } from '../../control/caller.ts'
import { approveRecovery } from '../../control/factors/recovering.ts'
import {
  changeRole,
  createService,
  describeAccounts,
  emailOf,
  handOver,
  listMembers,
  removeMember,
} from '../../control/members.ts'
import type { SignedIn } from '../../control/principals.ts'
import { requireFresh } from '../../control/sign-ins/fresh.ts'
import { bearerOf } from '../bearer.ts'
import { requireNoRevision } from '../etags.ts'
import { type ApiDeps, emptyAnswer, jsonAnswer, jsonBody, RouteGroup, route } from '../kit.ts'
import {
  accountChoicesSchema,
  accountCreateSchema,
  memberParamsSchema,
  memberSchema,
  membersSchema,
  memberUpdateSchema,
  serviceCreateSchema,
} from '../schemas/accounts.ts'

const tags = ['Members']

const routes = {
  accounts: route({
    method: 'get',
    path: '/v1/accounts',
    viewable: true,
    operationId: 'listAccounts',
    summary: 'The accounts that the signed-in person is a member of',
    description: 'With several, the header PortTunneler-Account says which one a request is for.',
    tags,
    access: { signedIn: 'person', evenStopped: true },
    responses: { 200: jsonAnswer(accountChoicesSchema, 'Oldest membership first') },
  }),
  create: route({
    access: { public: 'The bearer is of a person who has no account yet.', bearer: 'required' },
    method: 'post',
    path: '/v1/accounts',
    operationId: 'createAccount',
    summary: 'Make your account with an invite code',
    description:
      'While accounts are by invitation, every other call of a person without an account is refused with PT-1015. ' +
      'A person who has an account gets that one, and the code keeps its place.',
    tags,
    request: jsonBody(accountCreateSchema),
    responses: { 201: jsonAnswer(accountChoicesSchema, 'The accounts of the person') },
  }),
  list: route({
    method: 'get',
    path: '/v1/members',
    viewable: true,
    operationId: 'listMembers',
    summary: 'People and service members of the account, oldest first',
    tags,
    access: { permission: 'members.read' },
    responses: { 200: jsonAnswer(membersSchema, 'All of them: an account has at most 200') },
  }),
  service: route({
    method: 'post',
    path: '/v1/members',
    operationId: 'createServiceMember',
    summary: 'Make a service member',
    description:
      'It belongs to the account and holds keys for CI and servers, so that their tunnels outlive an employee.',
    tags,
    access: { permission: 'members.manage', by: 'person' },
    request: jsonBody(serviceCreateSchema),
    responses: { 201: jsonAnswer(memberSchema, 'The member') },
  }),
  change: route({
    method: 'patch',
    path: '/v1/members/{member}',
    operationId: 'changeMember',
    summary: "Change a member's role",
    description: 'Only owners make or unmake an owner, and the last one stays.',
    tags,
    access: { permission: 'members.manage', by: 'person' },
    fresh: 'to make an owner',
    request: { params: memberParamsSchema, ...jsonBody(memberUpdateSchema) },
    responses: emptyAnswer('Changed, for keys at once and for people within 30 s'),
  }),
  handOver: route({
    method: 'post',
    path: '/v1/members/{member}/ownership',
    operationId: 'handOverAccount',
    summary: 'Make another person an owner, and yourself an admin',
    tags,
    access: { permission: 'owners.manage', by: 'person' },
    fresh: true,
    request: { params: memberParamsSchema },
    responses: emptyAnswer('Handed over'),
  }),
  recovery: route({
    method: 'post',
    path: '/v1/members/{member}/recovery',
    operationId: 'approveRecovery',
    summary: 'End the wait of a member who lost every second factor',
    description:
      'The member has signed in with their first factor and followed a link in a mail. Do it when you have spoken ' +
      'with them. It lets them remove their factors now; it gives you nothing.',
    tags,
    access: { permission: 'members.manage', by: 'person' },
    fresh: true,
    request: { params: memberParamsSchema },
    responses: emptyAnswer('They can go on now'),
  }),
  remove: route({
    method: 'delete',
    path: '/v1/members/{member}',
    operationId: 'removeMember',
    summary: 'End a membership and its keys; everybody may end their own',
    tags,
    access: { permission: 'account.read', by: 'person' },
    request: { params: memberParamsSchema },
    responses: emptyAnswer('Ended'),
  }),
}

export function memberRoutes({ control: whole, principals, addressOf }: ApiDeps): RouteGroup {
  return new RouteGroup()
    .add(routes.accounts, async (c, { signedIn }) => c.json(await describeChoices(whole, signedIn), 200))
    .add(routes.create, async (c) => {
      const bearer = bearerOf(c.req.header('authorization'))
      const source = { from: addressOf(c), userAgent: c.req.header('user-agent') }
      const asked = { invite: c.req.valid('json').code, source }
      const { members } = await principals.join(bearer, asked)
      return c.json({ items: await describeAccounts(whole, members) }, 201)
    })
    .add(routes.list, async (c, { caller }) =>
      c.json({ items: [...(await listMembers(whole, caller.account))] }, 200),
    )
    .add(routes.service, async (c, { caller, control }) =>
      c.json(await createService(control, caller, c.req.valid('json')), 201),
    )
    .add(routes.change, async (c, { caller, control }) => {
      requireNoRevision(c.req.header('if-match'))
      const { member } = c.req.valid('param')
      const { role } = c.req.valid('json')
      if (role === 'owner') await requireFresh(whole, requirePerson(caller))
      await changeRole(control, caller, { member, role })
      principals.forget(member)
      return c.body(null, 204)
    })
    .add(routes.handOver, async (c, { caller, control }) => {
      const { member } = c.req.valid('param')
      await handOver(control, caller, member)
      for (const each of [member, caller.member]) principals.forget(each)
      return c.body(null, 204)
    })
    .add(routes.recovery, async (c, { caller }) => {
      await approveRecovery(whole, caller, c.req.valid('param').member)
      return c.body(null, 204)
    })
    .add(routes.remove, async (c, { caller, control }) => {
      requireNoRevision(c.req.header('if-match'))
      const { member: id } = c.req.valid('param')
      await removeMember(control, caller, { id, email: await emailOf(whole, id) })
      principals.forget(id)
      return c.body(null, 204)
    })
}

async function describeChoices(control: ApiDeps['control'], { person: { leavingAt }, members }: SignedIn) {
  const items = await describeAccounts(control, members)
  return { items, ...(leavingAt !== undefined && { leavingAt }) }
}
