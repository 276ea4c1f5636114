/**
 * The operator's desk in the console. Crosses accounts: operators belong to none. Every call asks again whether the
 * person is one (control/operator/desk.ts); others are told that only operators may.
 */
import { describeDrift } from '../../control/money/reconciling.ts'
import { setStatus } from '../../control/operator/accounts.ts'
import {
  addNote,
  describePeople,
  listNotes,
  removeNote,
  requireOperator,
  searchPeople,
} from '../../control/operator/desk.ts'
import { describeRow, searchAccounts, showAccount, showPerson } from '../../control/operator/pages.ts'
import { setPersonStatus } from '../../control/operator/people.ts'
import type { Cursors } from '../cursors.ts'
import { requireNoRevision } from '../etags.ts'
import { type ApiDeps, emptyAnswer, jsonAnswer, jsonBody, RouteGroup, route } from '../kit.ts'
import { pageSchema } from '../schemas/common.ts'
import * as schemas from '../schemas/operator.ts'

const tags = ['Operator']
const access = { signedIn: 'person' } as const
const account = { params: schemas.operatorAccountParamsSchema }
const person = { params: schemas.operatorPersonParamsSchema }

const routes = {
  people: route({
    method: 'get',
    path: '/v1/operator/people',
    operationId: 'searchPeople',
    summary: 'People by the beginning of their address, or by id',
    description: 'For operators, in person.',
    tags,
    access,
    rate: 'costly',
    request: { query: schemas.peopleQuerySchema },
    responses: { 200: jsonAnswer(pageSchema(schemas.operatorPersonSchema), 'By address') },
  }),
  person: route({
    method: 'get',
    path: '/v1/operator/people/{person}',
    operationId: 'showPersonToOperator',
    summary: 'A person with their accounts, and where they are signed in',
    description: 'For operators, in person.',
    tags,
    access,
    request: person,
    responses: { 200: jsonAnswer(schemas.operatorPersonPageSchema, 'The person') },
  }),
  accounts: route({
    method: 'get',
    path: '/v1/operator/accounts',
    operationId: 'searchAccounts',
    summary: 'Accounts by the beginning of their name, or by id',
    description: 'For operators, in person. Small and capital letters differ.',
    tags,
    access,
    rate: 'costly',
    request: { query: schemas.accountsQuerySchema },
    responses: { 200: jsonAnswer(pageSchema(schemas.accountRowSchema), 'By name') },
  }),
  account: route({
    method: 'get',
    path: '/v1/operator/accounts/{account}',
    operationId: 'showAccountToOperator',
    summary: 'An account with its plan, members, tunnels and their agents',
    description: 'For operators, in person.',
    tags,
    access,
    request: account,
    responses: { 200: jsonAnswer(schemas.operatorAccountSchema, 'The account') },
  }),
  suspend: route({
    method: 'post',
    path: '/v1/operator/accounts/{account}/suspend',
    operationId: 'suspendAccount',
    summary: 'Suspend an account: its tunnels go offline and its keys are refused',
    fresh: true,
    tags,
    access,
    request: { ...account, ...jsonBody(schemas.operatorReasonSchema) },
    responses: emptyAnswer('Suspended; its owners hear of it by mail'),
  }),
  resume: route({
    method: 'post',
    path: '/v1/operator/accounts/{account}/resume',
    operationId: 'resumeAccount',
    summary: 'End the suspension of an account',
    fresh: true,
    tags,
    access,
    request: account,
    responses: emptyAnswer('Active again'),
  }),
  disable: route({
    method: 'post',
    path: '/v1/operator/people/{person}/disable',
    operationId: 'disablePerson',
    summary: 'Disable a person in all accounts',
    fresh: true,
    tags,
    access,
    request: { ...person, ...jsonBody(schemas.operatorReasonSchema) },
    responses: emptyAnswer('Disabled'),
  }),
  enable: route({
    method: 'post',
    path: '/v1/operator/people/{person}/enable',
    operationId: 'enablePerson',
    summary: 'Enable a person again',
    fresh: true,
    tags,
    access,
    request: person,
    responses: emptyAnswer('Enabled; they have to sign in again'),
  }),
  drift: route({
    method: 'get',
    path: '/v1/operator/billing/drift',
    operationId: 'billingDrift',
    summary: 'Accounts whose subscription, bill or transfer differs from the payment service’s',
    description: 'For operators, in person. Each account is compared once in two weeks.',
    tags,
    access,
    responses: { 200: jsonAnswer(schemas.driftSchema, 'Those that differ, the oldest first, 20 at most') },
  }),
  notes: route({
    method: 'get',
    path: '/v1/operator/notes',
    operationId: 'listNotes',
    summary: 'Notes about a person or an account',
    description: 'For operators, in person. People and owners get them with an export of their data.',
    tags,
    access,
    request: { query: schemas.notesQuerySchema },
    responses: { 200: jsonAnswer(schemas.notesSchema, 'The newest first, 50 at most') },
  }),
  note: route({
    method: 'post',
    path: '/v1/operator/notes',
    operationId: 'addNote',
    summary: 'Note something about a person or an account',
    fresh: true,
    tags,
    access,
    request: jsonBody(schemas.noteAddSchema),
    responses: emptyAnswer('Noted'),
  }),
  forget: route({
    method: 'delete',
    path: '/v1/operator/notes/{note}',
    operationId: 'removeNote',
    summary: 'Remove a note',
    fresh: true,
    tags,
    access,
    request: { params: schemas.noteParamsSchema },
    responses: emptyAnswer('Removed'),
  }),
}

export function operatorRoutes(deps: ApiDeps, cursors: Cursors): RouteGroup {
  const { control } = deps
  return deskRoutes(deps, cursors).add(routes.drift, async (c, { signedIn }) => {
    await requireOperator(control, signedIn.person)
    return c.json(await describeDrift(control), 200)
  })
}

function deskRoutes({ control, principals }: ApiDeps, cursors: Cursors): RouteGroup {
  return new RouteGroup()
    .add(routes.people, async (c, { signedIn }) => {
      await requireOperator(control, signedIn.person)
      const { who, ...query } = c.req.valid('query')
      const page = await cursors.page({ account: signedIn.person.id, list: `people ${who}` }, query, {
        read: (options) => searchPeople(control, who, options),
        describe: (found) => describePeople(control, found),
      })
      return c.json(page, 200)
    })
    .add(routes.person, async (c, { signedIn }) => {
      await requireOperator(control, signedIn.person)
      return c.json(await showPerson(control, c.req.valid('param').person), 200)
    })
    .add(routes.accounts, async (c, { signedIn }) => {
      await requireOperator(control, signedIn.person)
      const { who, ...query } = c.req.valid('query')
      const page = await cursors.page({ account: signedIn.person.id, list: `accounts ${who}` }, query, {
        read: (options) => searchAccounts(control, who, options),
        describe: (found) => found.map(describeRow),
      })
      return c.json(page, 200)
    })
    .add(routes.account, async (c, { signedIn }) => {
      await requireOperator(control, signedIn.person)
      return c.json(await showAccount(control, c.req.valid('param').account), 200)
    })
    .add(routes.suspend, async (c, { signedIn }) => {
      const by = await requireOperator(control, signedIn.person)
      const { reason } = c.req.valid('json')
      await setStatus(control, c.req.valid('param').account, 'suspended', { ...by, reason })
      return c.body(null, 204)
    })
    .add(routes.resume, async (c, { signedIn }) => {
      const by = await requireOperator(control, signedIn.person)
      await setStatus(control, c.req.valid('param').account, 'active', by)
      return c.body(null, 204)
    })
    .add(routes.disable, async (c, { signedIn }) => {
      const by = await requireOperator(control, signedIn.person)
      const { person: who } = c.req.valid('param')
      await setPersonStatus(control, who, 'disabled', { ...by, reason: c.req.valid('json').reason })
      principals.forget(who)
      return c.body(null, 204)
    })
    .add(routes.enable, async (c, { signedIn }) => {
      const by = await requireOperator(control, signedIn.person)
      const { person: who } = c.req.valid('param')
      await setPersonStatus(control, who, 'active', by)
      principals.forget(who)
      return c.body(null, 204)
    })
    .add(routes.notes, async (c, { signedIn }) => {
      await requireOperator(control, signedIn.person)
      return c.json({ items: await listNotes(control, c.req.valid('query').about) }, 200)
    })
    .add(routes.note, async (c, { signedIn }) => {
      const by = await requireOperator(control, signedIn.person)
      await addNote(control, by, c.req.valid('json'))
      return c.body(null, 204)
    })
    .add(routes.forget, async (c, { signedIn }) => {
      requireNoRevision(c.req.header('if-match'))
      const by = await requireOperator(control, signedIn.person)
      await removeNote(control, by, c.req.valid('param').note)
      return c.body(null, 204)
    })
}
