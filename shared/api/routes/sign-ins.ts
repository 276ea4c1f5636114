/** A person's own sign-ins. Crosses accounts: they belong to the person. */
import {
  endOtherSignIns,
  endOwnSignIn,
  listOwnSignIns,
  type OwnSignIn,
} from '../../control/sign-ins/own-sign-ins.ts'
import { requireNoRevision } from '../etags.ts'
import { type ApiDeps, emptyAnswer, jsonAnswer, RouteGroup, route, sourceReader } from '../kit.ts'
import { type SignIn, signInParamsSchema, signInsEndedSchema, signInsSchema } from '../schemas/sign-ins.ts'

const tags = ['Sign-in']

const routes = {
  list: route({
    method: 'get',
    path: '/v1/sign-ins',
    viewable: true,
    operationId: 'listSignIns',
    summary: 'Where the person is signed in, the last used first',
    tags,
    access: { signedIn: 'person', before: 'factor' },
    responses: { 200: jsonAnswer(signInsSchema, 'All of them: a person has at most 100') },
  }),
  end: route({
    method: 'delete',
    path: '/v1/sign-ins/{signIn}',
    operationId: 'endSignIn',
    summary: 'End one of them',
    tags,
    access: { signedIn: 'person', before: 'factor' },
    request: { params: signInParamsSchema },
    responses: emptyAnswer('Ended, everywhere within 30 s'),
  }),
  endOthers: route({
    method: 'delete',
    path: '/v1/sign-ins',
    operationId: 'endOtherSignIns',
    summary: 'End all of them but the one that asks',
    fresh: true,
    description: 'API keys stay. A logout with `everywhere` ends this one too, and the keys if asked to.',
    tags,
    access: { signedIn: 'person' },
    responses: { 200: jsonAnswer(signInsEndedSchema, 'Ended, everywhere within 30 s') },
  }),
}

export function signInListRoutes(deps: ApiDeps): RouteGroup {
  const { control } = deps
  const sourceOf = sourceReader(deps)
  return new RouteGroup()
    .add(routes.list, async (c, { signedIn }) => {
      const found = await listOwnSignIns(control, signedIn.person)
      return c.json({ items: found.map(describeSignIn) }, 200)
    })
    .add(routes.end, async (c, { signedIn }) => {
      requireNoRevision(c.req.header('if-match'))
      const { signIn: id } = c.req.valid('param')
      await endOwnSignIn(control, signedIn.person, { id, source: sourceOf(c) })
      return c.body(null, 204)
    })
    .add(routes.endOthers, async (c, { signedIn }) => {
      requireNoRevision(c.req.header('if-match'))
      return c.json({ ended: await endOtherSignIns(control, signedIn.person, sourceOf(c)) }, 200)
    })
}

function describeSignIn({ id, isCurrent, doc }: OwnSignIn): SignIn {
  const { method, authTime, usedAt, from, device } = doc
  return { id, current: isCurrent, method, signedInAt: authTime, lastUsedAt: usedAt, from, device }
}
