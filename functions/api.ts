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

/**
 * Each of the `proxies` in front appends the address that it saw; what stands before is the caller's own claim.
 * Firebase Hosting and Google's front end are two: "claims, caller, Hosting". docs/cloud.md
 */
function addressBehind(proxies: number): (context: Context) => string {
  return (context) => {
    const seen = context.req.header('x-forwarded-for')?.split(',') ?? []
    return (seen.at(-proxies) ?? seen[0])?.trim() || 'unknown'
  }
}

export function cloudApi({ control, settings, identity, accounts, enrolment }: Cloud): Fetch {
  const { store, clock } = control
  const mounts = [firebaseRoutes({ identity, accounts, store, clock })]
  const { proxies } = settings
  return apiFunction({ control, principals: new Principals(control), enrolment, mounts, proxies })
}

export function apiFunction({
  proxies,
  ...deps
}: Omit<ApiDeps, 'addressOf'> & { readonly proxies: number }): Fetch {
  const app = makeApi({ ...deps, addressOf: addressBehind(proxies) })
  return (request) => errorAnswer(request) ?? app.fetch(request)
}
