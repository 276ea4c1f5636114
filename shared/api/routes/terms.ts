/** Which of the operator's documents a person has accepted. Crosses accounts: acceptances belong to the person. */
import { type ApiDeps, jsonAnswer, jsonBody, RouteGroup, route, sourceReader } from '../kit.ts'
import { ownTermsSchema, termsAcceptSchema } from '../schemas/terms.ts'

const tags = ['Own data']
const access = { signedIn: 'person' } as const

const routes = {
  read: route({
    method: 'get',
    path: '/v1/person/terms',
    operationId: 'readOwnTerms',
    summary: 'The documents of this service that people accept, and what the person has accepted of them',
    tags,
    access,
    responses: { 200: jsonAnswer(ownTermsSchema, 'The present versions; none on most own servers') },
  }),
  accept: route({
    method: 'post',
    path: '/v1/person/terms',
    operationId: 'acceptTerms',
    summary: 'Accept them, in the versions that the person was shown',
    description:
      'Names every document that is still open. Version, time and address are kept with the person.',
    tags,
    access,
    request: jsonBody(termsAcceptSchema),
    responses: { 200: jsonAnswer(ownTermsSchema, 'The same afterwards') },
  }),
}

export function termsRoutes(deps: ApiDeps): RouteGroup {
  const { control } = deps
  const sourceOf = sourceReader(deps)
  return new RouteGroup()
    .add(routes.read, async (c, { signedIn: { person } }) => c.json(await control.terms.read(person.id), 200))
    .add(routes.accept, async (c, { signedIn: { person } }) =>
      c.json(await control.terms.accept(person.id, c.req.valid('json').accept, sourceOf(c)), 200),
    )
}
