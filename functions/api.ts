/**
 * `api`: the API as a Cloud Function, the same Fetch handler as everywhere, and the pages of the codes, which Firebase
 * Hosting asks for here as well. The platform is handed in, so that this file knows no SDK.
 */
import { type ApiDeps, makeApi } from '@porttunneler/shared/api/app'
import { errorAnswer } from '@porttunneler/shared/api/error-pages'
import { Principals } from '@porttunneler/shared/control/principals'
import type { Context } from 'hono'
import type { Fetch } from './answers.ts'
import type { Cloud } from './cloud.ts'
import { firebaseRoutes } from './platform/identity.firebase.routes.ts'

/** Google's front end appends the address that it saw; whatever stands before it is the visitor's own claim. */
function clientAddress(context: Context): string {
  const seen = context.req.header('x-forwarded-for')?.split(',').at(-1)?.trim()
  return seen || 'unknown'
}

export function cloudApi({ control, identity, accounts, enrolment }: Cloud): Fetch {
  const { store, clock } = control
  const mounts = [firebaseRoutes({ identity, accounts, store, clock })]
  return apiFunction({ control, principals: new Principals(control), enrolment, mounts })
}

export function apiFunction(deps: Omit<ApiDeps, 'addressOf'>): Fetch {
  const app = makeApi({ ...deps, addressOf: clientAddress })
  return (request) => errorAnswer(request) ?? app.fetch(request)
}
