/**
 * `api`: the API as a Cloud Function, the same Fetch handler as everywhere, and the code pages, which Firebase Hosting
 * requests here too. The platform is passed in, so that this file knows no SDK.
 */
import { type ApiDeps, makeApi } from '@porttunneler/shared/api/app'
import { errorAnswer, reportAnswer } from '@porttunneler/shared/api/error-pages'
import { callerOf } from '@porttunneler/shared/base/addresses'
import { compileMatcher } from '@porttunneler/shared/base/networks'
import { kick } from '@porttunneler/shared/control/jobs/kick'
import { Principals } from '@porttunneler/shared/control/principals'
import type { Context } from 'hono'
import type { Fetch } from './answers.ts'
import type { Cloud } from './cloud.ts'
import { firebaseRoutes } from './platform/identity.firebase.routes.ts'

/**
 * Google's front end appends the address that it saw, so the last one is certain; an earlier one counts only behind a
 * proxy from `proxies`. A caller of the function's own address cannot pretend to be somebody else.
 * docs/cloud.md#who-calls
 */
function addressBehind(proxies: readonly string[]): (context: Context) => string {
  const isTrusted = compileMatcher(proxies)
  return (context) =>
    callerOf(context.req.header('x-forwarded-for')?.split(',') ?? [], isTrusted) ?? 'unknown'
}

export function cloudApi({ control, settings, identity, accounts, enrolment }: Cloud): Fetch {
  const { store, clock } = control
  const kickJobs = (ids: readonly string[]) => kick(control, ids)
  const confirm = (signIn: string) => control.signIns.confirm(signIn, 'token')
  const { proxies } = settings
  const mounts = [
    firebaseRoutes({
      identity,
      accounts,
      store,
      clock,
      confirm,
      kick: kickJobs,
      control,
      addressOf: addressBehind(proxies),
    }),
  ]
  return apiFunction({ control, principals: new Principals(control), enrolment, mounts, proxies })
}

export function apiFunction({
  proxies,
  ...deps
}: Omit<ApiDeps, 'addressOf'> & { readonly proxies: readonly string[] }): Fetch {
  const app = makeApi({ ...deps, addressOf: addressBehind(proxies) })
  return (request) => errorAnswer(request) ?? reportAnswer(request) ?? app.fetch(request)
}
